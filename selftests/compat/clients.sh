# SPDX-License-Identifier: Apache-2.0
# What every client is put through; source it after lib.sh.
#
#   client_run NAME command...     one client through all of it, on a broker with an empty directory
#
# The command is a program that uses the client, in the client's language, called as
#
#   command... ADDRESS NAME DIR RECORDS STEP...
#
# It names its topics and groups NAME-..., does the steps in turn, says one line for each and exits 0 if all is
# as it should be.  The steps:
#
#   basic    Topics: created, listed, given more partitions, deleted; records cut off the front.  Every codec that the
#            client has, 1 B to 10 MB, headers, null and empty keys and values, times; all is read back as it was
#            written.  Offsets by time, the first and the last.
#   order    RECORDS records with 1,000 keys are read in order of each key.
#   groups   Join, commit, go on from what was committed; members that come and go while records are produced;
#            static members; subscription by pattern; offset reset.  What a client does not have it leaves out.
#   load     Records are produced with acks=all, and consumed by a group that commits.  The program makes DIR/loading
#            when the first were acknowledged.  Then the broker is killed and stopped and started again, and
#            DIR/enough made: the program ends its load, makes DIR/flushed; the broker is killed once more; with
#            DIR/again the program looks: everything that was acknowledged is there, in its place, and what the group
#            committed is.  Of an idempotent producer nothing is there twice.
#
# STEPS="..." does some of them only.  FULL=1 takes 1,000,000 records and more kills.  BROKER=kafka runs it against
# Apache Kafka 4.3.1: what fails there is a mistake of the test.
[ "${FULL:-0}" = 0 ] && records=100000 kills="kill stop kill" || records=1000000 kills="kill stop kill kill stop kill kill"
limit=$((records / 1000 + 300))
BROKER=${BROKER:-broker}

client_broker() {
	"${BROKER}_start" group.initial.rebalance.delay.ms=0 group.min.session.timeout.ms=1000 offsets.topic.num.partitions=4
}

# Waits until the file is there; the client's end is the end of the test.
client_made() {
	until [ -e "$1" ]; do
		kill -0 $client_pid 2>/dev/null || client_failed "ended before $(basename "$1") was there"
		sleep 0.05
	done
}
client_failed() {
	tail -n 40 "$dir/client.log"
	die "$client_name $*"
}

client_run() {
	client_name=$1
	shift
	local steps=${STEPS:-basic order groups load} how work=$dir/$client_name
	rm -rf "$dir/data" "$work"
	mkdir "$work"
	client_broker
	timeout $limit "$@" 127.0.0.1:$port "$client_name" "$work" $records $steps >"$dir/client.log" 2>&1 </dev/null &
	client_pid=$!
	case $steps in *load*) client_trouble "$work" ;; esac
	wait $client_pid || client_failed "exit $?"
	client_pid=
	sed -n "s/^[a-z]*: .* s)$/ok: $client_name: &/p" "$dir/client.log"
	"${BROKER}_stop"
}

# What a broker goes through while a client is at the step load.
client_trouble() {
	client_made "$1/loading"
	for how in $kills; do
		"${BROKER}_$how"
		client_broker
		sleep 0.7
	done
	touch "$1/enough"
	client_made "$1/flushed"
	"${BROKER}_kill"
	client_broker
	touch "$1/again"
}
