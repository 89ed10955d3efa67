#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of fuzzers beside itself: corpus/FUZZER/*.  Run after a format changes."""
import pathlib
import struct

here = pathlib.Path(__file__).resolve().parent
metadata = here.parent.parent / "unit" / "golden" / "kafka-metadata"


def seed(fuzzer, name, data):
    directory = here / fuzzer
    directory.mkdir(exist_ok=True)
    (directory / name).write_bytes(data)


def log(name, mode, point, start, files):
    data = bytes([mode, point & 255, start & 255])
    for which, content in files:
        data += bytes([which]) + struct.pack(">H", len(content)) + content
    seed("fuzz_log", name, data)


MEND = 0x80


def zigzag(value):
    value = (value << 1) ^ (value >> 63)
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def batch(offset, epoch, producer, attributes, records):
    body = b""
    for i, (key, value) in enumerate(records):
        record = b"\0" + zigzag(i) + zigzag(i)
        for part in (key, value):
            record += zigzag(-1) if part is None else zigzag(len(part)) + part
        record += zigzag(0)
        body += zigzag(len(record)) + record
    count = len(records)
    tail = struct.pack(">hiqqqhii", attributes, count - 1, 1000, 1000 + count - 1, *producer, count)
    return struct.pack(">qiibI", offset, 9 + len(tail) + len(body), epoch, 2, 0) + tail + body


def plain(offset, epoch=1, sequence=None, attributes=0):
    producer = (-1, -1, -1) if sequence is None else (7, 0, sequence)
    return batch(offset, epoch, producer, attributes, [(None, b"one"), (b"k", b"two"), (None, b"")])


MEND = 0x80
count = 3
first = plain(0, 1, 0)
second = plain(3, 2, 3)
index = struct.pack(">ii", 2 * count - 1, len(first))
times = struct.pack(">qi", 1002, count - 1)
log("one", 0, 0, 0, [(MEND | 0, first + second)])
log("indexed", 0, 0, 0, [(MEND | 0, first + second), (1, index), (2, times)])
log("killed", 1, 0, 0, [(MEND | 0, first + second[:-3]), (1, index), (2, times)])
log("powerless", 2, 0, 0, [(MEND | 0, first + second + bytes(40))])
log("two-segments", 2, 0, 0, [(MEND | 0, plain(0)), (MEND | 4, plain(5)),
                              (13, b"0\n1\n1 0\n"), (14, b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ")])
log("swap", 0, 0, 0, [(MEND | 0, plain(0)), (MEND | 16, plain(5)), (17, b"x")])
marker = batch(3, 1, (7, 0, -1), 0x30, [(b"\0\0\0\0", b"\0\0\0\0\0\3")])
aborted = plain(0, 1, 0, 0x10) + marker
log("aborted", 1, 0, 0, [(MEND | 0, aborted)])
log("aborted-clean", 0, 0, 0, [(MEND | 0, aborted),
                               (3, struct.pack(">hqqqq", 0, 7, 0, 3, 4))])
log("checkpoints", 1, 0, 0, [(22, b"0\n1\nt 0 3\n"), (23, b"0\n1\nt 0 1\n"),
                             (24, b'{"version":0,"brokerEpoch":7}'), (15, b"2\n")])

entry = struct.pack(">qhiqiqiq", 7, 0, 5, 9, 2, 1000, -1, -1)
seed("fuzz_state", "snapshot", b"\0" + struct.pack(">hIi", 1, 0, 2) + entry + entry[:7] + b"\1" + entry[8:])
seed("fuzz_state", "epochs", b"\1" + b"0\n2\n1 0\n4 17\n")
seed("fuzz_state", "properties", b"\2" + (metadata / "meta.properties").read_bytes())
seed("fuzz_state", "election", b"\3" + (metadata / "quorum-state").read_bytes())
seed("fuzz_state", "name", b"\4" + b"00000000000000000042-0000000001.checkpoint")
seed("fuzz_state", "directory", b"\4" + b"a.b-3.0123456789abcdef0123456789abcdef-delete")


def values(data):
    """The record values of a metadata file."""
    out = b""

    def varint(at):
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return (value >> 1) ^ -(value & 1), at

    while data:
        size = 12 + struct.unpack(">i", data[8:12])[0]
        control = struct.unpack(">h", data[21:23])[0] & 0x20
        at, left = 61, struct.unpack(">i", data[57:61])[0]
        while left and not control:
            length, at = varint(at)
            end = at + length
            at += 1
            for _ in range(2):
                _, at = varint(at)
            key, at = varint(at)
            at += max(key, 0)
            value, at = varint(at)
            out += struct.pack(">H", value) + data[at:at + value]
            at, left = end, left - 1
        data = data[size:]
    return out


for file in sorted(metadata.iterdir()):
    if file.suffix in (".checkpoint", ".log"):
        seed("fuzz_metadata", "file-" + file.name, b"\1" + file.read_bytes())
        if values(file.read_bytes()):
            seed("fuzz_metadata", "values-" + file.name, b"\0" + values(file.read_bytes()))
