# SPDX-License-Identifier: Apache-2.0
# What the suites of others share.  Source it after `suite=NAME`.  Beside the script lie
#
#   NAME.allow     the tests that are run:    TEST [seconds it may take]
#   NAME.reasons   the tests that are not:    TEST why not
#
# and every test that the suite has for a broker is in one of them; TEST+PART names a part.  AGAINST=kafka runs
# the same against Apache Kafka 4.3.1: what fails there too is no bug of ours.
# ONLY='TEST ...' runs those alone.
#
#   suite_broker [key=value ...]   a broker with these settings, instead of the last one
#   suite_covers TEST...           fails for each test that no list has
#   suite_allowed                  the tests to run, one a line
#   suite_test TEST command...     runs it within its time; exit 77 skips, too
#   suite_end                      the verdict
. "$(dirname "${BASH_SOURCE[0]}")/../compat/lib.sh"
suites=$root/selftests/suites
against=${AGAINST:-sluiced}
passed=0 failed=0 skipped=0
logs=$O/logs/$suite
mkdir -p "$logs"

suite_lines() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$suites/$suite.$1"; }
suite_names() { suite_lines "$1" | awk '{ print $1 }'; }

suite_broker() {
	if [ "$against" = kafka ]; then
		[ -z "$kafka_pid" ] || kafka_stop
		kafka_start "$@"
	else
		[ -z "$broker_pid" ] || broker_stop
		broker_start "$@"
	fi
}

suite_covers() {
	local missing
	missing=$(printf '%s\n' "$@" | sort | comm -23 - <(cat <(suite_names allow) <(suite_names reasons) | sed 's/+.*//' | sort -u))
	[ -z "$missing" ] || die "neither allowed nor with a reason not to be: $missing"
}

suite_allowed() {
	if [ -n "${ONLY:-}" ]; then
		printf '%s\n' $ONLY
	else
		suite_names allow
	fi
}

suite_test() {
	local name=$1 seconds begin rc took log=$logs/${1//\//.}.log
	shift
	seconds=$(suite_lines allow | awk -v n="$name" '$1 == n { print $2 }')
	begin=$(date +%s)
	timeout -k 5 "${seconds:-120}" "$@" >"$log" 2>&1 </dev/null
	rc=$?
	took=$(($(date +%s) - begin))
	case $rc in
	0) passed=$((passed + 1)); printf '  PASS    %s (%d s)\n' "$name" "$took" ;;
	77) skipped=$((skipped + 1)); printf '  SKIP    %s: %s\n' "$name" "$(tail -n 1 "$log")" ;;
	*) failed=$((failed + 1)); printf '  FAIL    %s (exit %d, %d s)\n' "$name" "$rc" "$took"
	   tail -n 30 "$log" | sed 's/^/          /' ;;
	esac
	[ "$against" = kafka ] || kill -0 "$broker_pid" || die "sluiced ended during $name"
}

suite_end() {
	local name why
	while read -r name why; do
		[ -n "${ONLY:-}" ] && break
		skipped=$((skipped + 1))
		printf '  SKIP    %s: %s\n' "$name" "$why"
	done < <(suite_lines reasons)
	[ -z "$broker_pid" ] || broker_stop
	[ -z "$kafka_pid" ] || kafka_stop
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}
