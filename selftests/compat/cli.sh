# SPDX-License-Identifier: Apache-2.0
# What the tests of `sluice` share, beside lib.sh.  Source it.
#
#   status N NAME PATTERN command...     must end with N and say PATTERN on standard error
#   count N                              so many lines of output
#   with_both ONLY [key=value ...]       runs all() with both brokers; ONLY: sluiced or kafka
#   background command...                runs it meanwhile; $bg_pid, $dir/bg.out, $dir/bg.err
#   until_true command...                waits until it succeeds
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
bg_pids=
leave() {
	local rc=$?
	[ -z "$bg_pids" ] || kill -9 $bg_pids 2>/dev/null
	(exit $rc)
	finish
}
trap leave EXIT
export SLUICE_BOOTSTRAP=127.0.0.1:$port
sluice() { timeout 60 "$O/sluice" "$@"; }
# status N NAME PATTERN command...: this exit status, and standard error says so
status() {
	local want=$1 name=$2 pattern=$3 rc
	shift 3
	"$@" >"$dir/out" 2>"$dir/err"
	rc=$?
	[ $rc = $want ] || { cat "$dir/out" "$dir/err"; die "$name: exit $rc, not $want"; }
	[ -z "$pattern" ] || grep -Eq -- "$pattern" "$dir/err" || { cat "$dir/err"; die "$name: standard error has no /$pattern/"; }
	echo "ok: $name"
}
count() { [ "$(wc -l <"$dir/out")" = "$1" ] || die "$(wc -l <"$dir/out") lines, not $1"; }

background() {
	"$@" >"$dir/bg.out" 2>"$dir/bg.err" &
	bg_pid=$!
	bg_pids="$bg_pids $bg_pid"
}
until_true() {
	local i
	for i in $(seq 1 300); do "$@" && return; sleep 0.05; done
	cat "$dir"/bg.out "$dir"/bg.err 2>/dev/null
	die "did not come true: $*"
}

# Both: where java and mvn are.
with_both() {
	local c only=$1
	shift
	if [ "$only" != kafka ]; then
		broker_start "$@"
		all
		broker_stop
		echo "ok: all of it with sluiced"
	fi
	[ "$only" != sluiced ] || exit 0
	for c in java mvn; do
		command -v $c >/dev/null || { echo "ok; not tried with Apache Kafka: $c is not installed"; exit 0; }
	done
	rm -rf "$dir/data"
	kafka_start "$@"
	all
	kafka_stop
	echo "ok: all of it with Apache Kafka"
}
