#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `sluice log dump`: every kind of file, what Kafka wrote and what is broken.  Where java and mvn
# are, the same segments are read by Kafka's dump-log, which must say the same.
. "$(dirname "$0")/lib.sh"
golden=$root/selftests/golden/batch
metadata=$root/selftests/unit/golden/kafka-metadata
log=00000000000000000000
sluice() { "$O/sluice" "$@"; }
dump() { sluice log dump "$@"; }
# broken NAME PATTERN file...: exit status 1 and the reason
broken() {
	local name=$1 pattern=$2 rc
	shift 2
	dump --records "$@" >"$dir/out" 2>"$dir/err"
	rc=$?
	[ $rc = 1 ] || { cat "$dir/err"; die "$name: exit $rc"; }
	grep -Eq -- "$pattern" "$dir/err" || { cat "$dir/err"; die "$name: the reason has no /$pattern/"; }
	echo "ok: $name"
}

for codec in none gzip snappy lz4 zstd; do
	for client in java rdkafka python; do
		check "records of $client, $codec" dump --records "$golden/$client-$codec.log"
		[ "$(grep -c '^  record ' "$dir/out")" = 26 ] || die "not 26 records"
		sed -n 's/^  //p' "$dir/out" | sed 's/ timestamp=[0-9]*//' >"$dir/$client"
	done
	cmp "$dir/java" "$dir/rdkafka" && cmp "$dir/java" "$dir/python" || die "$codec: three clients, three contents"
	[ $codec = none ] || cmp "$dir/java" "$dir/before" || die "$codec: another content than of the one before"
	cp "$dir/java" "$dir/before"
done
expect 'headers=\[\{name="h1" value="header value"\} \{name="" value=null\}'
expect 'key_size=-1 value_size=6 key=null value="no key"' ; expect 'key="no value" value=null'

check "metadata" dump --records --decode metadata "$metadata/$log.log"
expect 'record=TopicRecord version=0 value=\{"name":"orders",' ; expect 'control=LEADER_CHANGE value=\{"version":0,"leader_id":1'
mkdir "$dir/__cluster_metadata-0"
cp "$metadata"/*.log "$dir/__cluster_metadata-0"
check "known by its directory" dump --records "$dir/__cluster_metadata-0/$log.log"
expect 'record=TopicRecord'
check "snapshot" dump --records "$metadata"/*186-0000000003.checkpoint
expect '^snapshot end_offset=186 epoch=3 ' ; expect 'control=SNAPSHOT_HEADER' ; expect 'record=PartitionRecord'
check "bootstrap.checkpoint" dump --records "$metadata/bootstrap.checkpoint"
expect 'record=FeatureLevelRecord version=0 value=\{"name":"metadata.version","feature_level":30\}'
check "meta.properties, quorum-state" dump "$metadata/meta.properties" "$metadata/quorum-state"
expect 'name="node.id" value="1"' ; expect 'election leader_epoch=3 leader_id=1'

printf '0\n2\norders 0 7\na-b 11 9223372036854775807\n' >"$dir/recovery-point-offset-checkpoint"
printf '0\n1\n5 100\n' >"$dir/leader-epoch-checkpoint"
check "checkpoints" dump "$dir/recovery-point-offset-checkpoint" "$dir/leader-epoch-checkpoint"
expect 'topic="a-b" partition=11 offset=9223372036854775807' ; expect 'epoch=5 start_offset=100'

# bytes NAME HEX
bytes() { printf "$(echo "$2" | sed 's/../\\x&/g')" >"$dir/$1"; }
cp "$golden/java-none.log" "$dir/$log.log"
bytes $log.index 0000001900000000
bytes $log.timeindex 0000018bcfe57f7000000019
bytes $log.txnindex 0000000000000000000100000000000000020000000000000003000000000000000a
check "indexes that are right" dump "$dir/$log.index" "$dir/$log.timeindex" "$dir/$log.txnindex"
expect 'entry offset=25 position=0' ; expect 'entry timestamp=1700000006000 offset=25' ; expect 'checked_with_log'
expect 'aborted version=0 producer_id=1 first_offset=2 last_offset=3 last_stable_offset=10'
bytes $log.index 0000001800000000
broken "an index entry with a wrong offset" 'entry 0 says offset 24, but the batch at position 0 ends with 25' "$dir/$log.index"
bytes $log.index 0000001900000007
broken "an index entry with a wrong position" 'position 7, where no batch' "$dir/$log.index"
bytes $log.index 000000190000000000
broken "an index cut short" 'position 8: 1 bytes are no whole entry' "$dir/$log.index"
bytes $log.timeindex 0000018bcfe57f7100000019
broken "a time index entry with a wrong time" 'says timestamp 1700000006001, but' "$dir/$log.timeindex"

head -c 5000 "$golden/java-none.log" >"$dir/$log.log"
broken "a batch cut short" 'position 0: a batch of 80587 bytes is cut short: the file has 5000 more' "$dir/$log.log"
cat "$golden/java-zstd.log" <(head -c 100 /dev/zero) >"$dir/$log.log"
broken "zeros at the end" 'position 361: zeros where a batch should begin; 100 bytes' "$dir/$log.log"
[ "$(grep -c '^  record ' "$dir/out")" = 26 ] || die "the good batch before was not shown"
cp "$golden/java-zstd.log" "$dir/$log.log"
printf 'x' | dd of="$dir/$log.log" bs=1 seek=300 conv=notrunc 2>"$dir/err"
broken "a flipped byte" 'position 0: the checksum of the batch is wrong' "$dir/$log.log"
printf '0\n2\norders 0 7\n' >"$dir/recovery-point-offset-checkpoint"
broken "a checkpoint with too few lines" '2 entries are promised, 1 are there' "$dir/recovery-point-offset-checkpoint"
printf '0\n1\norders zero 7\n' >"$dir/recovery-point-offset-checkpoint"
broken "a checkpoint with a wrong line" 'position 4: line 3 is no entry' "$dir/recovery-point-offset-checkpoint"
bytes $log.snapshot 0001000000000000
broken "a snapshot with a wrong checksum" 'position 2: the checksum is wrong' "$dir/$log.snapshot"
broken "no such file" 'No such file' "$dir/1.log"
broken "a file of another kind" 'no file of a broker' "$0"

if command -v python3 >/dev/null; then
	# Any byte may be anything: a status of 0 or 1, whole lines of JSON, no crash.
	cat >"$dir/flip.py" <<-'P'
		import random, struct, sys
		table = []
		for n in range(256):
		    for _ in range(8):
		        n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
		    table.append(n)
		def crc32c(data):
		    crc = 0xffffffff
		    for byte in data:
		        crc = crc >> 8 ^ table[(crc ^ byte) & 0xff]
		    return crc ^ 0xffffffff
		def seal(data):  # the checksums right again, so that what they cover is looked at
		    at = 0
		    while at + 61 <= len(data):
		        size = struct.unpack_from('>i', data, at + 8)[0] + 12
		        if size < 61 or at + size > len(data):
		            break
		        struct.pack_into('>I', data, at + 17, crc32c(data[at + 21:at + size]))
		        at += size
		out, seed, files = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
		r = random.Random(seed)
		for n in range(300):
		    data = bytearray(open(r.choice(files), 'rb').read())[:20000]
		    for _ in range(r.randint(1, 4)):
		        at = r.randrange(len(data)) if r.random() < .5 else r.randrange(min(len(data), 80))
		        data[at] = r.choice([0, 1, 0x7f, 0x80, 0xff, r.randrange(256)])
		    if r.random() < .2:
		        del data[r.randrange(len(data)):]
		    if r.random() < .8:
		        seal(data)
		    name = r.choice(['.log', '.log', '.log', '.index', '.timeindex', '.txnindex', '.snapshot', '-0000000001.checkpoint'])
		    open('%s/%020d%s' % (out, n, name), 'wb').write(data)
	P
	mkdir "$dir/flipped"
	seed=${SEED:-$RANDOM}
	python3 "$dir/flip.py" "$dir/flipped" $seed "$golden"/*.log "$golden"/*.checkpoint "$metadata"/*.log "$metadata"/*.checkpoint
	for decode in none metadata groups; do
		dump --records --decode $decode --format json "$dir"/flipped/* >"$dir/out" 2>"$dir/err"
		rc=$?
		[ $rc = 1 ] || { tail -n 5 "$dir/err"; die "flipped bytes: exit $rc (SEED=$seed)"; }
		python3 -c 'import json, sys
for line in sys.stdin: json.loads(line)' <"$dir/out" || die "flipped bytes: no JSON (SEED=$seed)"
	done
	echo "ok: 300 files with flipped bytes, $(wc -l <"$dir/out") lines of JSON"
fi

for c in java mvn; do
	command -v $c >/dev/null || { echo "ok; not compared with Kafka: $c is not installed"; exit 0; }
done
kafka_jars
for codec in none gzip snappy lz4 zstd; do
	cat "$golden/rdkafka-$codec.log" >"$dir/$log.log"
	check "Kafka's dump-log, $codec" kafka dump-log --deep-iteration --files "$dir/$log.log"
	sed -n -e 's/^baseOffset: \([0-9]*\) lastOffset: \([0-9]*\) count: \([0-9]*\) .* position: \([0-9]*\) CreateTime: \([0-9]*\) size: \([0-9]*\) magic: 2 compresscodec: \([a-z0-9]*\) crc: \([0-9]*\) isvalid: true.*/\1 \2 \3 \4 \5 \6 \7 \8/p' \
		-e 's/^| offset: \([0-9]*\) CreateTime: \([0-9]*\) keySize: \([-0-9]*\) valueSize: \([-0-9]*\) .*/\1 \2 \3 \4/p' "$dir/out" >"$dir/theirs"
	check "ours, $codec" dump --records --format json "$dir/$log.log"
	sed -n -e 's/^{"type":"batch","base_offset":\([0-9]*\),"last_offset":\([0-9]*\),"records":\([0-9]*\),"position":\([0-9]*\),"size":\([0-9]*\),"magic":2,"compression":"\([a-z0-9]*\)",.*"max_timestamp":\([0-9]*\),.*"crc":\([0-9]*\),"crc_ok":true}/\1 \2 \3 \4 \7 \5 \6 \8/p' \
		-e 's/^{"type":"record","offset":\([0-9]*\),"timestamp":\([0-9]*\),"key_size":\([-0-9]*\),"value_size":\([-0-9]*\),.*/\1 \2 \3 \4/p' "$dir/out" >"$dir/ours"
	[ "$(wc -l <"$dir/ours")" = 27 ] || die "$codec: not a batch and 26 records"
	cmp "$dir/theirs" "$dir/ours" || die "$codec: another reading than Kafka's"
	echo "ok: $codec is read as by Kafka"
done
