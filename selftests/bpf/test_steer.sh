#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Steering: connections land on the reactor of the CPU their SYN came in on, with eBPF and without; the program decides
# (its map is changed under it), fails open, changes no byte of an answer, and leaves nothing behind.
# In namespaces of its own: another broker's pins and ports are not in sight.
. "$(dirname "$0")/../compat/lib.sh"
need unshare setpriv taskset bpftool cmp ss python3
[ "$(id -u)" = 0 ] || skip "eBPF wants root"
[ "$(nproc)" -ge 2 ] || skip "steering takes two CPUs"
if [ -z "${SLUICE_STEER_NS:-}" ]; then
	trap - EXIT
	rm -rf "$dir"
	unshare -nm true 2>/dev/null || skip "no namespaces may be made here"
	SLUICE_STEER_NS=1 exec unshare -nm "$0" "$@"
fi
ip link set lo up || skip "no loopback in a network namespace"
mount -t bpf bpf /sys/fs/bpf 2>/dev/null || skip "no BPF file system may be mounted here"
"$O/sluice" kernel >"$dir/probe"
grep -q 'name=steer state=available' "$dir/probe" || skip "$(cat "$dir/probe")"

pins=/sys/fs/bpf/sluice/1
cpus=($(taskset -pc $$ | sed 's/.*: //' | tr ',' '\n' | while IFS=- read -r a b; do seq "$a" "${b:-$a}"; done))
first=${cpus[0]} last=${cpus[${#cpus[@]} - 1]}

le32() { printf '%02x %02x %02x %02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }
# CPU HAS_REACTOR REACTOR: what the program is told about a CPU.
tell() { bpftool map update pinned $pins/steer_cpus key hex $(le32 "$1") value hex $(le32 "$2") $(le32 "$3"); }
# VERDICT: SYNs of the clients' port that got it.
verdict() { "$O/sluice" kernel | sed -n "s/^steer node=1 port=$port .*\b$1=\([0-9]*\).*/\1/p"; }
# CPU COUNT: connections from that CPU, held by a process of their own until `let_go`.
holders=()
hold() {
	taskset -c "$1" bash -c 'for i in $(seq "$2"); do exec {fd}<>"/dev/tcp/127.0.0.1/$1" || exit 1; done; echo; exec sleep 600' \
		- "$port" "$2" >"$dir/held" &
	holders+=($!)
	until [ -s "$dir/held" ]; do
		kill -0 "${holders[-1]}" 2>/dev/null || die "$2 connections from CPU $1"
		sleep 0.02
	done
	: >"$dir/held"
	sleep 0.2
}
let_go() {
	for p in "${holders[@]}"; do kill "$p"; wait "$p" 2>/dev/null; done
	holders=()
	sleep 0.2
}
# Connections that each reactor watches, in the order of reactors: established sockets in its epoll set.
watched() {
	local fd n f
	ss -tnHe state established "sport = :$port" | sed 's/.*ino:\([0-9]*\).*/socket:[\1]/' >"$dir/inodes"
	for fd in $(ls "/proc/$broker_pid/fd" | sort -n); do
		[ "$(readlink "/proc/$broker_pid/fd/$fd")" = 'anon_inode:[eventpoll]' ] || continue
		n=0
		for f in $(awk '/^tfd:/ { print $2 }' "/proc/$broker_pid/fdinfo/$fd"); do
			grep -qxF "$(readlink "/proc/$broker_pid/fd/$f")" "$dir/inodes" && n=$((n + 1))
		done
		echo -n "$n "
	done
}
# What NAME is, and what it must be.
is() { [ "$2" = "$3" ] || die "$1: $2 instead of $3"; echo "ok: $1: $2"; }
said() { grep -E "$1" "$dir/sluiced.log" >/dev/null || die "the log does not say: $1"; echo "ok: said: $1"; }
# ApiVersions 0 and Metadata 1 of no topic, as bytes.
answer() {
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	printf '\0\0\0\12\0\22\0\0\0\0\0\1\377\377\0\0\0\16\0\3\0\1\0\0\0\2\377\377\0\0\0\0' >&3
	timeout 2 cat <&3 >"$dir/answer.$1"
	exec 3>&-
	[ -s "$dir/answer.$1" ] || die "no answer"
}
n=${#cpus[@]}
# At the first and the last reactor so many, at those between none.
at_ends() { echo -n "$1 "; for _ in $(seq $((n - 2))); do echo -n "0 "; done; echo -n "$2 "; }
let_all_go() { for p in "${holders[@]}"; do kill "$p" 2>/dev/null; done; finish; }
trap let_all_go EXIT

echo "--- with eBPF"
broker_start
said "kernel: steer on: eBPF, pinned in $pins"
is "nobody was steered yet, but for the knock" "$(($(verdict local) <= 1))" 1
before=$(verdict local)
hold "$last" 10
is "all ten on the last CPU's reactor" "$(watched)" "$(at_ends 0 10)"
is "verdicts: local" "$(($(verdict local) - before))" 10
is "counted on the CPU of the SYN" "$(bpftool -j map dump pinned $pins/steer_counters | python3 -c "
import json, sys
print(sum(v['value']['local'] for e in json.load(sys.stdin) for v in e['formatted']['values'] if v['cpu'] == $last) >= 10)")" True
hold "$first" 10
is "ten on the first CPU's reactor, too" "$(watched)" "$(at_ends 10 10)"
let_go
hold "$last" 60
is "one CPU's clients do not fill one reactor" "$([ "$(watched | awk '{ print $NF }')" -lt 60 ] && echo true)" true
let_go
answer ebpf
capabilities=$(awk '/CapEff/ { print $2 }' "/proc/$broker_pid/status")
is "rights given up" $((0x$capabilities & 1 << 12 | 0x$capabilities & 1 << 39)) 0

echo "--- the program decides, and fails open"
before=$(verdict local)
tell "$last" 1 0
hold "$last" 10
is "the last CPU's connections follow the map to reactor 0" "$(watched)" "$(at_ends 10 0)"
is "verdicts: local" "$(($(verdict local) - before))" 10
let_go
tell "$last" 0 0
hold "$last" 10
is "a CPU of nobody: ten are served all the same" "$(watched | tr ' ' '\n' | awk '{ s += $1 } END { print s }')" 10
is "verdicts: elsewhere" "$(verdict elsewhere)" 10
let_go
tell "$last" 1 250
hold "$last" 10
is "a reactor that is not there: ten are served all the same" "$(watched | tr ' ' '\n' | awk '{ s += $1 } END { print s }')" 10
is "verdicts: failed" "$(verdict failed)" 10
let_go

echo "--- kill -9, start again, stop"
map_id() { bpftool -j map show pinned $pins/steer_counters | sed 's/.*"id":\([0-9]*\).*/\1/'; }
old=$(map_id)
broker_kill
is "pins of the dead" "$(ls $pins | tr '\n' ' ')" "steer steer_counters steer_cpus steer_listeners steer_socks "
broker_start
is "the pins are new" "$([ "$(map_id)" != "$old" ] && [ "$(verdict failed)" = 0 ] && echo true)" true
broker_stop
is "nothing left after SIGTERM" "$(ls -A /sys/fs/bpf | grep -v debug)" ""

echo "--- sluice.bpf=off"
: >"$dir/sluiced.log"
broker_start sluice.bpf=off
said "kernel: steer on: classic BPF; sluice.bpf=off"
is "no pins" "$(ls -A /sys/fs/bpf | grep -v debug)" ""
hold "$last" 10
is "classic BPF steers as well" "$(watched)" "$(at_ends 0 10)"
let_go
answer off
broker_stop
is "the same bytes as with eBPF" "$(cmp "$dir/answer.ebpf" "$dir/answer.off" && echo same)" same

echo "--- without rights"
mkdir "$dir/bare"
cat >"$dir/bare/sluiced" <<-S
	#!/bin/sh
	exec setpriv --inh-caps=-bpf,-net_admin,-sys_admin --bounding-set=-bpf,-net_admin,-sys_admin "$O/sluiced" "\$@"
S
chmod +x "$dir/bare/sluiced"
: >"$dir/sluiced.log"
O=$dir/bare broker_start
said "kernel: steer on: classic BPF; eBPF refused: Operation not permitted"
answer bare
broker_stop
is "the same bytes without rights" "$(cmp "$dir/answer.ebpf" "$dir/answer.bare" && echo same)" same

echo "--- negative control: reactors that are not pinned"
: >"$dir/sluiced.log"
broker_start sluice.reactors=$((n + 2))
said "kernel: steer off: reactors are not pinned"
hold "$last" 40
is "nobody was steered" "$(verdict local)" ""
is "more than one reactor got some" "$([ "$(watched | tr ' ' '\n' | grep -c '^[1-9]')" -gt 1 ] && echo true)" true
let_go
broker_stop

echo "--- two brokers of one node id: the later one's pins outlive the first"
broker_start
elder=$broker_pid old=$dir
mkdir "$dir/two"
dir=$dir/two port=$((port + 10)) broker_start
dir=$old
kill "$elder"
wait "$elder" || die "the first broker ended with $?"
is "pins of the second" "$(ls $pins | wc -l)" 5
broker_stop
is "nothing left" "$(ls -A /sys/fs/bpf | grep -v debug)" ""

echo "--- no BPF file system"
umount /sys/fs/bpf
: >"$dir/sluiced.log"
broker_start
said "kernel: steer on: eBPF, not pinned: no BPF file system"
broker_stop
