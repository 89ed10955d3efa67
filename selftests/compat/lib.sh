# SPDX-License-Identifier: Apache-2.0
# What the tests with real clients share.  Source it; everything is undone at exit.
#
#   broker_start [key=value ...]   sluiced on $dir/data, ready; $port, $broker_pid
#   broker_stop | broker_kill      SIGTERM and wait, exit status kept | SIGKILL and wait
#   kafka TOOL args...             a tool of Apache Kafka 4.3.1
#   kafka_start | kafka_stop | kafka_kill      Apache Kafka itself, on $dir/data and $port
#   check NAME command...          runs it; says NAME and what went wrong
#   need COMMAND...                skips the test (77) where one is missing
#   python PACKAGE==VERSION ...    $python: an interpreter with them
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/selftests/compat
O=${O:-build}
case $O in /*) ;; *) O=$root/$O ;; esac
cache=${SLUICE_TEST_CACHE:-$HOME/.cache/sluice-selftests}
dir=$(mktemp -d "${TMPDIR:-/tmp}/sluice-test.XXXXXX")
broker_pid= kafka_pid= client_pid=

finish() {
	local rc=$?
	[ -z "$client_pid" ] || kill "$client_pid" 2>/dev/null
	[ -z "$broker_pid" ] || kill -9 "$broker_pid" 2>/dev/null
	[ -z "$kafka_pid" ] || kill -9 "$kafka_pid" 2>/dev/null
	if [ $rc != 0 ] && [ $rc != 77 ]; then
		echo "--- the broker said:"
		tail -n 40 "$dir/sluiced.log" 2>/dev/null
	fi
	rm -rf "$dir"
	exit $rc
}
trap finish EXIT

die() { echo "FAILED: $*"; exit 1; }
skip() { echo "$*"; exit 77; }
need() {
	local c
	for c in "$@"; do command -v "$c" >/dev/null || skip "$c is not installed"; done
}

# A port that nobody listens on now, with its successor for the controller.
free_port() {
	local p
	for _ in $(seq 1 100); do
		p=$((20000 + RANDOM % 10000))
		(exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null && continue
		(exec 3<>"/dev/tcp/127.0.0.1/$((p + 1))") 2>/dev/null && continue
		echo $p
		return
	done
	die "no free port"
}
port=${SLUICE_TEST_PORT:-$(free_port)}

properties() {
	cat <<-P
		process.roles=broker,controller
		node.id=1
		controller.quorum.bootstrap.servers=127.0.0.1:$((port + 1))
		listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
		advertised.listeners=PLAINTEXT://127.0.0.1:$port
		controller.listener.names=CONTROLLER
		log.dirs=$dir/data
		offsets.topic.replication.factor=1
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
	P
	case "$*" in *sluice.metrics.listener=*) ;; *) echo "sluice.metrics.listener=" ;; esac
	for kv in "$@"; do echo "$kv"; done
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

broker_start() {
	properties "$@" >"$dir/server.properties"
	"$O/sluiced" "$dir/server.properties" >>"$dir/sluiced.log" 2>&1 </dev/null &
	broker_pid=$!
	for _ in $(seq 1 600); do
		kill -0 $broker_pid 2>/dev/null || { wait $broker_pid; die "sluiced ended with $? at start"; }
		answers && return 0
		sleep 0.02
	done
	die "sluiced did not answer in 12 s"
}

broker_end() {
	local pid=$broker_pid
	broker_pid=
	kill "-$1" $pid
	{
		for _ in $(seq 1 3000); do
			kill -0 $pid || break
			sleep 0.02
		done
	} 2>/dev/null
	if kill -0 $pid 2>/dev/null; then
		broker_pid=$pid
		grep -H . /proc/$pid/task/*/comm /proc/$pid/task/*/wchan
		die "sluiced did not end in 60 s"
	fi
	wait $pid 2>/dev/null
}
broker_stop() { broker_end TERM || die "sluiced ended with $? when stopped"; }
broker_kill() { broker_end KILL || true; }

# ---- Apache Kafka, from Maven Central, kept in the cache ----

kafka_jars() {
	[ -e "$cache/kafka/complete" ] && return
	need java mvn
	mkdir -p "$cache/kafka"
	mvn -q -B -f "$here/kafka.pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/kafka/libs" \
		>"$dir/mvn.log" 2>&1 || { tail -n 3 "$dir/mvn.log"; skip "Maven Central does not answer"; }
	touch "$cache/kafka/complete"
}

java_run() {
	java ${KAFKA_HEAP:--Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC} "-Dlevel=${LEVEL:-ERROR}" \
		"-Dlog4j2.configurationFile=$here/log4j2.xml" -cp "$cache/kafka/libs/*${EXTRA_CP:+:$EXTRA_CP}" "$@"
}

kafka() {
	local tool=$1 t=org.apache.kafka.tools
	shift
	case $tool in
	topics) java_run $t.TopicCommand --bootstrap-server 127.0.0.1:$port "$@" ;;
	configs) java_run kafka.admin.ConfigCommand --bootstrap-server 127.0.0.1:$port "$@" ;;
	console-producer) java_run $t.ConsoleProducer --bootstrap-server 127.0.0.1:$port "$@" ;;
	console-consumer) java_run $t.consumer.ConsoleConsumer --bootstrap-server 127.0.0.1:$port "$@" ;;
	producer-perf-test) java_run $t.ProducerPerformance --bootstrap-server 127.0.0.1:$port "$@" ;;
	get-offsets) java_run $t.GetOffsetShell --bootstrap-server 127.0.0.1:$port "$@" ;;
	delete-records) java_run $t.DeleteRecordsCommand --bootstrap-server 127.0.0.1:$port "$@" ;;
	log-dirs) java_run $t.LogDirsCommand --bootstrap-server 127.0.0.1:$port "$@" ;;
	metadata-quorum) java_run $t.MetadataQuorumCommand --bootstrap-server 127.0.0.1:$port "$@" ;;
	features) java_run $t.FeatureCommand --bootstrap-server 127.0.0.1:$port "$@" ;;
	broker-api-versions) java_run $t.BrokerApiVersionsCommand --bootstrap-server 127.0.0.1:$port "$@" ;;
	cluster) java_run $t.ClusterTool "$@" --bootstrap-server 127.0.0.1:$port ;;
	dump-log) java_run $t.DumpLogSegments "$@" ;;
	storage) java_run kafka.tools.StorageTool "$@" ;;
	*) die "no such tool: $tool" ;;
	esac
}

kafka_start() {
	kafka_jars
	properties "$@" >"$dir/kafka.properties"
	if [ ! -e "$dir/data/meta.properties" ]; then
		kafka storage format --standalone -t "$(kafka storage random-uuid)" -c "$dir/kafka.properties" >"$dir/format.log" 2>&1 ||
			{ cat "$dir/format.log"; die "kafka-storage format"; }
	fi
	: >"$dir/kafka.log"
	LEVEL=INFO KAFKA_HEAP="-Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1" java_run kafka.Kafka "$dir/kafka.properties" >"$dir/kafka.log" 2>&1 </dev/null &
	kafka_pid=$!
	for _ in $(seq 1 1200); do
		kill -0 $kafka_pid 2>/dev/null || { tail -n 40 "$dir/kafka.log"; die "Kafka did not start on this directory"; }
		grep -q 'Kafka Server started' "$dir/kafka.log" && answers && return 0
		sleep 0.05
	done
	tail -n 40 "$dir/kafka.log"
	die "Kafka was not ready in 60 s"
}
kafka_end() {
	# The JVM is a child of the subshell that bash made for the function.
	local pid
	pid=$(pgrep -P $kafka_pid java || echo $kafka_pid)
	kill "-$1" $pid
	wait $kafka_pid 2>/dev/null
	kafka_pid=
}
kafka_stop() { kafka_end TERM; }
kafka_kill() { kafka_end KILL; }

# ---- Python clients, each set of packages in an environment of its own ----

python_with() {
	need python3
	local env=$cache/python-$(echo "$*" | tr -c 'a-zA-Z0-9.\n' -)
	if [ ! -e "$env/complete" ]; then
		python3 -m venv "$env" >"$dir/pip.log" 2>&1 || skip "python3 -m venv does not work here"
		"$env/bin/pip" install -q "$@" >>"$dir/pip.log" 2>&1 || { tail -n 3 "$dir/pip.log"; skip "PyPI does not answer"; }
		touch "$env/complete"
	fi
	python=$env/bin/python
}

check() {
	local name=$1
	shift
	if "$@" >"$dir/out" 2>"$dir/err"; then
		echo "ok: $name"
	else
		echo "exit $? of: $*"
		tail -n 20 "$dir/out" "$dir/err"
		die "$name"
	fi
}
# The last output of check (or of capture) must match.
expect() { grep -Eq -- "$1" "$dir/out" || { cat "$dir/out" "$dir/err"; die "${2:-output} has no /$1/"; }; }
expect_not() { ! grep -Eq -- "$1" "$dir/out" || { cat "$dir/out"; die "${2:-output} has /$1/"; }; }
