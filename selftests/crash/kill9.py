# SPDX-License-Identifier: Apache-2.0
"""produce ADDRESS FILE: an idempotent producer until SIGTERM; one line "partition offset value" an ack.
verify ADDRESS FILE: each of these is there; no value is there twice; values of a partition only rise."""
import signal
import sys

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

mode, address, path = sys.argv[1:]
TOPIC, PARTITIONS = "kill9", 4


def produce():
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    admin = AdminClient({"bootstrap.servers": address})  # has to live until it was answered
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(30)
    producer = Producer({"bootstrap.servers": address, "acks": "all", "enable.idempotence": True, "linger.ms": 2,
                         "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 20, "message.timeout.ms": 60000})
    failed = []
    with open(path, "w") as acked:
        def done(error, message):
            if error:
                failed.append(str(error))
            else:
                acked.write(f"{message.partition()} {message.offset()} {message.value().decode()}\n")
        n = 0
        while running and not failed:
            try:
                producer.produce(TOPIC, str(n).encode(), partition=n % PARTITIONS, on_delivery=done)
                n += 1
            except BufferError:
                producer.poll(0.05)
            if n % 200 == 0:
                producer.poll(0.002)
        left = producer.flush(60)
    if failed or left:
        sys.exit(f"not delivered: {left} left, {failed[:3]}")
    print(f"{n} produced")


def verify():
    want = {}
    with open(path) as acked:
        for line in acked:
            partition, offset, value = line.split()
            want[int(partition), int(offset)] = value
    consumer = Consumer({"bootstrap.servers": address, "group.id": "none", "enable.auto.commit": False,
                         "enable.partition.eof": True, "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(TOPIC, p, 0) for p in range(PARTITIONS)])
    ended, seen, last, following = set(), set(), {}, {}
    wrong = []
    while len(ended) < PARTITIONS:
        message = consumer.poll(20)
        if message is None:
            sys.exit("no answer in 20 s")
        if message.error():
            ended.add(message.partition())
            continue
        p, offset, value = message.partition(), message.offset(), message.value().decode()
        expected = want.pop((p, offset), value)
        if expected != value:
            wrong.append(f"{p}@{offset}: acknowledged {expected}, read {value}")
        if value in seen:
            wrong.append(f"{p}@{offset}: {value} is there twice")
        if int(value) <= last.get(p, -1):
            wrong.append(f"{p}@{offset}: {value} after {last[p]}")
        if offset != following.get(p, 0):
            wrong.append(f"{p}@{offset}: expected offset {following.get(p, 0)}")
        seen.add(value)
        last[p], following[p] = int(value), offset + 1
    wrong += [f"{p}@{o}: acknowledged {v}, not there" for (p, o), v in list(want.items())[:10]]
    if wrong:
        sys.exit("\n".join(wrong[:20]))
    if len(seen) < 1000:
        sys.exit(f"only {len(seen)} records: that tests nothing")
    print(f"{len(seen)} records, every acknowledged one in its place")


produce() if mode == "produce" else verify()
