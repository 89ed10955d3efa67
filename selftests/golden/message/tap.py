# SPDX-License-Identifier: Apache-2.0
"""tap.py PORT BROKER_PORT OUT COMMAND...: runs the command with a proxy on PORT in front of the broker, and
keeps the longest exchange of each API and version (the last of equals): its key and version (two bytes each),
then request and response as they went over the wire, each behind its size (four bytes)."""
import socket
import struct
import subprocess
import sys
import threading

port, broker_port, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
kept, lock = {}, threading.Lock()


def frame(s):
    data = b""
    size = 4
    while len(data) < size:
        piece = s.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
        if len(data) == 4 and size == 4:
            size += struct.unpack(">i", data)[0]
    return data[4:]


def connection(client):
    broker = socket.create_connection(("127.0.0.1", broker_port))
    asked = []

    def requests():
        try:
            while True:
                request = frame(client)
                asked.append(request)
                broker.sendall(struct.pack(">i", len(request)) + request)
        except (EOFError, OSError):
            broker.close()

    threading.Thread(target=requests, daemon=True).start()
    try:
        while True:
            response = frame(broker)
            request = asked.pop(0)
            with lock:
                old = kept.setdefault(struct.unpack(">hh", request[:4]), (b"", b""))
                if len(request) + len(response) >= len(old[0]) + len(old[1]):
                    kept[struct.unpack(">hh", request[:4])] = (request, response)
            client.sendall(struct.pack(">i", len(response)) + response)
    except (EOFError, OSError):
        client.close()


def accept(server):
    while True:
        threading.Thread(target=connection, args=(server.accept()[0],), daemon=True).start()


threading.Thread(target=accept, args=(socket.create_server(("127.0.0.1", port)),), daemon=True).start()
subprocess.run(sys.argv[4:], check=True)
with lock, open(out, "wb") as f:
    for (key, version), (request, response) in sorted(kept.items()):
        print(key, version, len(request), len(response))
        f.write(struct.pack(">hhI", key, version, len(request)) + request)
        f.write(struct.pack(">I", len(response)) + response)
