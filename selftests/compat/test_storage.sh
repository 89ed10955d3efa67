#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `sluice storage`: random-uuid, format, info.  Where java and mvn are, all of it is compared with
# Kafka's own kafka-storage: files byte for byte (ids, times and checksums aside), output, status.
. "$(dirname "$0")/lib.sh"
cluster=MkU3OEVBNTcwNTJENDM2Qg

# config NAME LOG_DIRS [key=value ...]: $dir/NAME.properties, with the directories under $dir/NAME
config() {
	local name=$1 dirs=$2
	shift 2
	properties "$@" | grep -v '^log.dirs=' >"$dir/$name.properties"
	echo "log.dirs=$(echo "$dirs" | sed "s#[^,]*#$dir/$name/&#g")" >>"$dir/$name.properties"
}
# refused NAME PATTERN command...: exit status 1, or 2 for a wrong command line, and the reason
refused() {
	local name=$1 pattern=$2 rc
	shift 2
	"$@" >"$dir/out" 2>"$dir/err"
	rc=$?
	[ $rc = 1 ] || [ $rc = 2 ] || die "$name: exit $rc"
	grep -Eq -- "$pattern" "$dir/err" || { cat "$dir/err"; die "$name: the reason has no /$pattern/"; }
	echo "ok: $name is refused"
}
sluice() { "$O/sluice" "$@"; }

check "random-uuid" sluice storage random-uuid
expect '^[A-Za-z0-9_][A-Za-z0-9_-]{21}$'
cp "$dir/out" "$dir/first"
check "another" sluice storage random-uuid
cmp -s "$dir/first" "$dir/out" && die "twice the same uuid"

config one a
if sluice storage info -c "$dir/one.properties" >"$dir/out"; then die "info of nothing: exit 0"; fi
expect "^  $dir/one/a does not exist$"
check "format" sluice storage format -t $cluster -c "$dir/one.properties" --standalone
expect "^Formatting dynamic metadata voter directory $dir/one/a with metadata.version 4.3-IV0\.$"
check "info" sluice storage info -c "$dir/one.properties"
expect "^Found metadata: \{cluster.id=$cluster, directory.id=.{22}, node.id=1, version=1\}$"
refused "formatting again" "Log directory $dir/one/a is already formatted" \
	sluice storage format -t $cluster -c "$dir/one.properties" --standalone
check "format --ignore-formatted" sluice storage format -t $cluster -c "$dir/one.properties" -s -g
expect '^All of the log directories are already formatted\.$'
refused "another cluster" "belongs to cluster $cluster, not other" \
	sluice storage format -t other -c "$dir/one.properties" -s -g
echo rubbish >"$dir/one/a/meta.properties"
if sluice storage info -c "$dir/one.properties" >"$dir/out"; then die "info of rubbish: exit 0"; fi
expect 'Error loading'
refused "rubbish" 'is not of version 1' sluice storage format -t $cluster -c "$dir/one.properties" -s -g

config two b,a
check "format two" sluice storage format -t $cluster -c "$dir/two.properties" --standalone
rm -r "$dir/two/a"
check "the missing one only" sluice storage format -t $cluster -c "$dir/two.properties" -s -g
expect "^Formatting data directory $dir/two/a " ; expect_not "Formatting .*$dir/two/b "
check "info of two" sluice storage info -c "$dir/two.properties"

config none a
refused "no quorum" 'you must specify one of the following' sluice storage format -t $cluster -c "$dir/none.properties"
refused "no cluster id" 'cluster-id' sluice storage format -c "$dir/none.properties" -s
refused "no config" 'config' sluice storage format -t $cluster -s
refused "an unknown release" "Unknown metadata.version '9.9'" sluice storage format -t $cluster -c "$dir/none.properties" -s -r 9.9
refused "an unknown feature" 'Unsupported feature: x\. Supported features are: eligible' sluice storage format -t $cluster -c "$dir/none.properties" -s -f x=1
refused "a level too high" 'No feature:group.version with feature level 9' sluice storage format -t $cluster -c "$dir/none.properties" -s -f group.version=9
refused "initial controllers" 'not supported yet' sluice storage format -t $cluster -c "$dir/none.properties" -I 1@h:1:x
refused "scram" 'not supported yet' sluice storage format -t $cluster -c "$dir/none.properties" -s -S x
[ ! -e "$dir/none" ] || die "a refused format made a directory"

for c in java mvn python3; do
	command -v $c >/dev/null || { echo "ok; not compared with Kafka: $c is not installed"; exit 0; }
done
kafka_jars

# Ids, times of this test and checksums become zero.
cat >"$dir/mask.py" <<'P'
import base64, re, struct, sys
began, ended = int(sys.argv[1]), int(sys.argv[2])
data = bytearray(open(sys.argv[3], 'rb').read())
if sys.argv[3].endswith('.properties'):
    data = re.sub(rb'(?m)^#.*UTC.*$|directory.id=.*$', b'', data)
else:
    at = 0
    while at < len(data):
        size = struct.unpack_from('>i', data, at + 8)[0] + 12
        data[at + 17:at + 21] = bytes(4)
        at += size
    for i in range(len(data) - 7):
        if began <= struct.unpack_from('>q', data, i)[0] <= ended:
            data[i:i + 8] = bytes(8)
    for text in sys.argv[4:]:
        data = data.replace(base64.urlsafe_b64decode(text + '=='), bytes(16))
sys.stdout.buffer.write(data)
P
masked() { # file: of the run that $began and $ended enclose
	python3 "$dir/mask.py" $began $ended "$1" $(sed -n 's/^directory.id=//p' "$(dirname "${1/__cluster_metadata-0\//}")/meta.properties")
}

# same NAME LOG_DIRS "key=value ..." options...: both format, each its own directories
same() {
	local name=$1 dirs=$2 more=$3 file began ended ours theirs
	shift 3
	config "$name" "$dirs" $more
	began=$(($(date +%s) * 1000))
	kafka storage format -t $cluster -c "$dir/$name.properties" "$@" >"$dir/theirs.out" 2>"$dir/theirs.err"
	theirs=$?
	rm -rf "$dir/theirs"
	[ ! -e "$dir/$name" ] || mv "$dir/$name" "$dir/theirs"
	sluice storage format -t $cluster -c "$dir/$name.properties" "$@" >"$dir/ours.out" 2>"$dir/ours.err"
	ours=$?
	ended=$((($(date +%s) + 1) * 1000))
	[ $ours = $theirs ] || { cat "$dir/theirs.err" "$dir/ours.err"; die "$name: exit $ours, Kafka's is $theirs"; }
	# Kafka formats the directories of a set in no certain order.
	cmp <(sort "$dir/theirs.out") <(sort "$dir/ours.out") || die "$name: another output than Kafka's"
	if [ $theirs != 0 ]; then
		# "Exception in thread ... Exception: " stands before some of Kafka's reasons.
		grep -v '^[[:space:]]*at ' "$dir/theirs.err" | sed 's/^Exception in thread [^:]*: //' | head -n 1 >"$dir/reason"
		grep -qF -- "$(cat "$dir/reason")" "$dir/ours.err" || { cat "$dir/reason" "$dir/ours.err"; die "$name: another reason than Kafka's"; }
		echo "ok: $name is refused as by Kafka"
		return
	fi
	cmp <(cd "$dir/theirs" && find . | sort) <(cd "$dir/$name" && find . | sort) || die "$name: other files than Kafka's"
	for file in $(cd "$dir/$name" && find . -type f); do
		cmp <(masked "$dir/theirs/$file") <(masked "$dir/$name/$file") || die "$name: $file differs from Kafka's"
	done
	kafka storage info -c "$dir/$name.properties" >"$dir/theirs.out" 2>"$dir/theirs.err" || die "$name: Kafka finds a problem"
	sluice storage info -c "$dir/$name.properties" >"$dir/ours.out" || die "$name: info"
	cmp "$dir/theirs.out" "$dir/ours.out" || die "$name: info says something else than Kafka's"
	echo "ok: $name is as from Kafka, $(cd "$dir/$name" && find . -type f | wc -l) files"
}
static=controller.quorum.voters=1@127.0.0.1:$((port + 1))

same standalone a "" --standalone
same three-directories c,a,b "" --standalone
same static-voters a $static
same no-initial-controllers a "" --no-initial-controllers
same old-release a "" --standalone --release-version 3.9
same features a "" --standalone --feature group.version=0 --feature transaction.version=1
same metadata-version a "" --standalone --feature metadata.version=25
same static-standalone a $static --standalone
same undecided a ""
same unknown-feature a "" --standalone --feature foo=1
same dependency a "" --standalone -r 3.5 -f eligible.leader.replicas.version=1
same two-releases a "" --standalone -r 4.0 -f metadata.version=25
same kraft-version-0 a "" --standalone -f kraft.version=0
same kraft-version-1 a $static -f kraft.version=1
same unknown-release a "" --standalone -r 1.0
