#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a service manager sees: ready when clients can connect, beats of the watchdog, the stop; lines
# with priorities where standard error is the journal; `make install` into an empty directory.
. "$(dirname "$0")/lib.sh"
need python3

cat >"$dir/manager.py" <<'P'
import os, signal, socket, subprocess, sys
path, port, log = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "wb")
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(path)
listener.settimeout(20)
stat = os.fstat(log.fileno())
env = dict(os.environ, NOTIFY_SOCKET=path, WATCHDOG_USEC="400000",
           JOURNAL_STREAM="%d:%d" % (stat.st_dev, stat.st_ino))
env.pop("WATCHDOG_PID", None)
broker = subprocess.Popen(sys.argv[4:], stderr=log, env=env)
try:
    beats, said = 0, ""
    def hear(what):
        global beats, said
        while True:
            text = listener.recv(4096).decode()
            said += text + "\n"
            beats += "WATCHDOG=1" in text.split("\n")
            if what in text.split("\n"):
                return
    hear("READY=1")
    socket.create_connection(("127.0.0.1", port)).close()
    while beats < 3:
        hear("WATCHDOG=1")
    broker.send_signal(signal.SIGTERM)
    hear("STOPPING=1")
    code = broker.wait(20)
    print(said)
    sys.exit(code)
finally:
    if broker.poll() is None:
        broker.kill()
P
properties >"$dir/server.properties"
check "ready, beats, stopping" python3 "$dir/manager.py" "$dir/notify" $port "$dir/journal" \
	"$O/sluiced" "$dir/server.properties"
expect '^STATUS=serving$'
check "lines for the journal" grep -Eq '^<6>broker: ready after [0-9]+ ms' "$dir/journal"
check "all of them" test "$(grep -vc '^<[0-7]>[a-z_]*: ' "$dir/journal")" = 0

check "install" make -C "$root" -s install O="$O" DESTDIR="$dir/root" PREFIX=/usr
for f in usr/bin/sluiced usr/bin/sluice usr/share/man/man8/sluiced.8 usr/share/man/man1/sluice.1 \
	usr/lib/systemd/system/sluiced.service usr/share/doc/sluice/operations.md etc/sluice/server.properties; do
	[ -s "$dir/root/$f" ] || die "$f is not installed"
done
check "the example is a good configuration" "$O/sluiced" --check-config "$dir/root/etc/sluice/server.properties"
expect_not 'error:'
echo '# mine' >>"$dir/root/etc/sluice/server.properties"
check "install again" make -C "$root" -s install O="$O" DESTDIR="$dir/root" PREFIX=/usr
check "what was changed is kept" grep -q '# mine' "$dir/root/etc/sluice/server.properties"
if command -v systemd-analyze >/dev/null; then
	sed "s|/usr/bin/|$dir/root/usr/bin/|" "$dir/root/usr/lib/systemd/system/sluiced.service" >"$dir/sluiced.service"
	check "the unit" systemd-analyze verify --man=no "$dir/sluiced.service"
	expect_not 'sluiced.service:[0-9]'
fi
