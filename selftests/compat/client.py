# SPDX-License-Identifier: Apache-2.0
"""What the programs of the Python clients share: see clients.sh."""
import os
import random
import sys
import threading
import time

CODECS = "none", "gzip", "snappy", "lz4", "zstd"
SIZES = 1, 100, 10_000, 1_000_000, 10_000_000
EPOCH = 1_700_000_000_000
KEYS = 1000
PARTS = 4  # of a topic under load

address, name, directory, records = sys.argv[1:5]
records = int(records)
steps = sys.argv[5:]
# No codec finds it repeated within its window; half of it is noise, which is all that stays.
NOISE = b"".join(random.Random(n).randbytes(1024) + bytes(1024) for n in range(64))


def value(size, seed):
    """None for -1."""
    if size <= 0:
        return None if size < 0 else b""
    return (bytes([seed & 255]) + NOISE * (size // len(NOISE) + 1))[:size]


def require(holds, *what):
    if not holds:
        raise AssertionError(" ".join(str(w) for w in what))


def wait(done, what, seconds=60):
    """done may do a part of the work each time."""
    end = time.monotonic() + seconds
    while not done():
        require(time.monotonic() < end, "waited", seconds, "s in vain until", what)
        time.sleep(0.005)


def basic_records():
    """(partition, key, size, codec, number): what is sent at the step basic, the number also says its time."""
    number = 0
    for codec in CODECS:
        for n, size in enumerate(SIZES):
            yield n % 4, f"{codec}-{n}".encode(), size, codec, number
            number += 1
        for key, size in (None, 10), (b"k", -1), (b"", 0):
            yield 0, key, size, codec, number
            number += 1


def order_records():
    """(key, value): each key's values are numbered."""
    following = [0] * KEYS
    for i in range(records):
        key = i * 7919 % KEYS
        yield b"key-%d" % key, b"%d:%d:some more of it" % (key, following[key])
        following[key] += 1


class Order:
    """Looks at what order_records gave, as it is read."""
    def __init__(self):
        self.seen, self.home, self.total = [0] * KEYS, [None] * KEYS, 0

    def record(self, partition, value):
        key, n = (int(x) for x in value.split(b":")[:2])
        require(n == self.seen[key], "key", key, "has", n, "after", self.seen[key], "records")
        require(self.home[key] in (None, partition), "key", key, "is in two partitions")
        self.home[key] = partition
        self.seen[key] += 1
        self.total += 1


class Feed:
    """What a producer under load has had acknowledged: for each partition the numbers, by offset."""
    def __init__(self, idempotent):
        self.idempotent = idempotent
        self.topic = f"{name}-load-" + ("idempotent" if idempotent else "plain")
        self.made, self.acked, self.acks = [0] * PARTS, [{} for _ in range(PARTS)], 0
        self.failed = None

    def next(self, partition):
        self.made[partition] += 1
        return b"%d" % (self.made[partition] - 1)

    def done(self, partition, offset, value):
        other = self.acked[partition].setdefault(offset, int(value))
        if other != int(value):
            self.failed = f"{other} and {value} were both acknowledged at {partition}, {offset}"
        self.acks += 1

    def check(self, got):
        """got: for each partition [(offset, value)] as it was read from the beginning to the end."""
        require(not self.failed, self.topic, self.failed)
        for p in range(PARTS):
            for n, (offset, _) in enumerate(got[p]):
                require(offset == n, self.topic, p, "has offset", offset, "after", n, "records")
            for offset, number in self.acked[p].items():
                require(offset < len(got[p]) and int(got[p][offset][1]) == number,
                        self.topic, p, ":", number, "was acknowledged at", offset, "and is not there")
            if self.idempotent:
                for n, (_, v) in enumerate(got[p]):
                    require(int(v) == n, self.topic, p, ":", v, "at offset", n)


def made(what):
    open(os.path.join(directory, what), "x").close()


def there(what):
    return os.path.exists(os.path.join(directory, what))


class Thread(threading.Thread):
    """One whose exception is raised again by end()."""
    def __init__(self, run, *args):
        super().__init__(daemon=True)
        self.call, self.args, self.failed = run, args, None

    def run(self):
        try:
            self.call(*self.args)
        except BaseException as e:
            self.failed = e

    def end(self):
        self.join()
        if self.failed:
            raise self.failed


def shared(count, *members):
    """The members own all partitions, each of them some and none two of them."""
    own = [set(m.assigned) for m in members]
    return all(own) and sum(len(o) for o in own) == count == len(set().union(*own))


def run(**does):
    for step in steps:
        began = time.monotonic()
        said = does[step]()
        print(f"{step}: {said} ({time.monotonic() - began:.1f} s)", flush=True)
