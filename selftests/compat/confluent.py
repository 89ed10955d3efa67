# SPDX-License-Identifier: Apache-2.0
"""confluent-kafka, which is librdkafka, through what clients.sh asks."""
import time

import confluent_kafka
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, OffsetSpec

from client import *

base = {"bootstrap.servers": address, "topic.metadata.refresh.interval.ms": 500}
admin = AdminClient(base)
refused = []


def one(futures):
    return next(iter(futures.values())).result(30)


def create(topic, partitions):
    one(admin.create_topics([NewTopic(topic, partitions, 1, config={"max.message.bytes": "12000000", "retention.ms": "-1"})]))


def listed(topic):
    return topic in admin.list_topics(timeout=30).topics


def producer(**config):
    return Producer({**base, "acks": "all", "message.max.bytes": 12000000, "enable.idempotence": True,
                     **{k.replace("_", "."): v for k, v in config.items()}})


def produce(to, *args, **kwargs):
    """Waits where the queue is full.  What becomes of the record is for on_delivery, or must be good."""
    kwargs.setdefault("on_delivery", lambda error, _: error and refused.append(error))
    while True:
        try:
            to.produce(*args, **kwargs)
            return to.poll(0)
        except BufferError:
            to.poll(0.05)


def flushed(to):
    require(to.flush(60) == 0, "not everything was delivered")
    require(not refused, "refused:", refused[:1])


def consumer(**config):
    return Consumer({**base, "group.id": name + "-none", "enable.auto.commit": False, "auto.offset.reset": "earliest",
                     "fetch.message.max.bytes": 12000000, **{k.replace("_", "."): v for k, v in config.items()}})


def taken(source, most=1000):
    for message in source.consume(most, 0.1):
        if message.error():
            raise KafkaException(message.error())
        yield message


def basic():
    topic = name + "-basic"
    create(topic, 2)
    wait(lambda: listed(topic), "the topic is listed")
    one(admin.create_partitions([NewPartitions(topic, 4)]))
    config = one(admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]))
    require(config["max.message.bytes"].value == "12000000", "the config is", config)

    headers = [("h", b"1"), ("h", b""), ("n", None)]
    sent = {}
    for codec in CODECS:
        to = producer(compression_type=codec, enable_idempotence=codec != "gzip")
        for partition, key, size, of, number in basic_records():
            if of == codec:
                produce(to, topic, value(size, number), key=key, partition=partition, timestamp=EPOCH + number * 1000,
                        headers=headers, on_delivery=lambda e, m, s=size, n=number: refused.append(e) if e else
                        sent.update({(m.partition(), m.offset()): (m.key(), s, n)}))
        flushed(to)
    source = consumer()
    parts = [TopicPartition(topic, p, 0) for p in range(4)]
    source.assign(parts)
    got = {}

    def read():
        for m in taken(source):
            got[m.partition(), m.offset()] = m
        return len(got) >= len(sent)
    wait(read, "all records are read")
    for at, (key, size, number) in sent.items():
        m = got[at]
        require(m.key() == key and m.value() == value(size, number), at, "has another key or value")
        require(m.timestamp() == (confluent_kafka.TIMESTAMP_CREATE_TIME, EPOCH + number * 1000), at, "has time", m.timestamp())
        require(m.headers() == headers, at, "has headers", m.headers())
    source.unassign()  # what else it asks would wait behind its fetches
    ends = [source.get_watermark_offsets(p, 30) for p in parts]
    require(sum(high for _, high in ends) == len(sent) and not any(low for low, _ in ends), "the ends are", ends)
    for (p, offset), (_, _, number) in sent.items():
        for before in 0, 1:
            at = source.offsets_for_times([TopicPartition(topic, p, EPOCH + number * 1000 - before)], 30)[0]
            require(at.offset == offset, "the record at", p, offset, "is found at", at)
    late = source.offsets_for_times([TopicPartition(topic, 0, EPOCH + len(sent) * 1000)], 30)[0]
    require(late.offset == confluent_kafka.OFFSET_END, "after the last record is", late)
    newest = one(admin.list_offsets({parts[0]: OffsetSpec.max_timestamp()}))
    require(newest.timestamp == EPOCH + (len(sent) - 1) * 1000, "the newest of partition 0 is", newest)
    one(admin.delete_records([TopicPartition(topic, 0, 3)]))
    require(source.get_watermark_offsets(parts[0], 30)[0] == 3, "records before 3 are there")
    source.close()
    one(admin.delete_topics([topic]))
    wait(lambda: not listed(topic), "the topic is gone")
    return f"{len(sent)} records, {len(CODECS)} codecs, idempotent and not, 1 B to 10 MB"


def order():
    topic = name + "-order"
    create(topic, 8)
    to = producer(compression_type="lz4", linger_ms=5)
    for key, v in order_records():
        produce(to, topic, v, key=key)
    flushed(to)
    source = consumer()
    source.assign([TopicPartition(topic, p, 0) for p in range(8)])
    looks = Order()

    def read():
        for m in taken(source, 10000):
            looks.record(m.partition(), m.value())
        return looks.total >= records
    wait(read, "all records are read")
    ends = sum(source.get_watermark_offsets(TopicPartition(topic, p), 30)[1] for p in range(8))
    require(ends == records, ends, "records are there")
    source.close()
    return f"{records} records in order of {KEYS} keys"


class Member:
    """A member of a group, in a thread of its own: takes what it is given, commits when it is revoked and at the end."""
    def __init__(self, group, topics, records, **config):
        self.assigned, self.positions, self.records = set(), {}, records
        self.rebalances, self.twice, self.leaves = 0, 0, False
        self.source = consumer(**{"group_id": group, "session_timeout_ms": 6000, "heartbeat_interval_ms": 200, **config})
        self.source.subscribe(topics, on_assign=self.given, on_revoke=self.revoked)
        self.thread = Thread(self.work)
        self.thread.start()

    def given(self, _, parts):
        self.rebalances += 1
        self.assigned |= {(p.topic, p.partition) for p in parts}

    def revoked(self, _, parts):
        self.commit()
        for p in parts:
            self.assigned.discard((p.topic, p.partition))
            self.positions.pop((p.topic, p.partition), None)

    def commit(self):
        if self.positions:
            done = self.source.commit(offsets=[TopicPartition(*p, n) for p, n in self.positions.items()], asynchronous=False)
            require(not any(p.error for p in done), "commit:", done)

    def left(self):
        try:
            self.commit()
        except KafkaException as e:
            # While partitions move to and fro nothing can be committed outside the callback.
            require(e.args[0].code() == KafkaError.REBALANCE_IN_PROGRESS, "commit:", e)
            return False
        self.positions = {}
        return True

    def work(self):
        while not (self.leaves and self.left()):
            for m in taken(self.source):
                if self.records.setdefault((m.topic(), m.partition(), m.offset()), m) is not m:
                    self.twice += 1
                self.positions[m.topic(), m.partition()] = m.offset() + 1
        self.source.close()
        self.assigned = set()

    def leave(self):
        self.leaves = True
        self.thread.end()


def fill(topic, partitions, count):
    to = producer(linger_ms=5)
    for i in range(count):
        produce(to, topic, b"%d" % i, partition=i % partitions)
    flushed(to)


def committed(group):
    parts = one(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])).topic_partitions
    return {(p.topic, p.partition): p.offset for p in parts}


def described(group):
    return one(admin.describe_consumer_groups([group]))


def resume():
    topic, group = name + "-resume", name + "-resume-group"
    create(topic, 4)
    fill(topic, 4, 1000)
    first, second = {}, {}
    a = Member(group, [topic], first)
    wait(lambda: len(first) == 1000, "the first member has all records")
    wait(lambda: described(group).state == confluent_kafka.ConsumerGroupState.STABLE, "the group is stable")
    require(len(described(group).members) == 1, "not one member")
    listing = admin.list_consumer_groups(states={confluent_kafka.ConsumerGroupState.STABLE}).result(30)
    require(group in [g.group_id for g in listing.valid], "the group is not listed")
    a.leave()
    require(sum(committed(group).values()) == 1000, "committed is", committed(group))
    wait(lambda: described(group).state == confluent_kafka.ConsumerGroupState.EMPTY, "the group is empty")
    fill(topic, 4, 100)
    b = Member(group, [topic], second)
    wait(lambda: len(second) >= 100, "the second member has the new records")
    b.leave()
    require(len(second) == 100, "the second member has", len(second), "records")
    back = [TopicPartition(topic, 0, 7)]
    one(admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, back)]))
    require(committed(group)[topic, 0] == 7, "committed is", committed(group))
    one(admin.delete_consumer_groups([group]))
    require(group not in [g.group_id for g in admin.list_consumer_groups().result(30).valid], "the group was deleted")


def turns(how):
    topic = f"{name}-turns-{how}"
    group = topic + "-group"
    create(topic, 6)
    records, made, enough = {}, 0, False

    def work():
        nonlocal made
        to = producer(linger_ms=2)
        while not enough:
            produce(to, topic, b"%d" % made, partition=made % 6)
            made += 1
            time.sleep(0.001)
        flushed(to)
    feed = Thread(work)
    feed.start()
    config = {"partition_assignment_strategy": how}
    a = Member(group, [topic], records, **config)
    wait(lambda: shared(6, a), "one member has all")
    b = Member(group, [topic], records, **config)
    wait(lambda: shared(6, a, b), "two members share")
    c = Member(group, [topic], records, **config)
    wait(lambda: shared(6, a, b, c), "three members share")
    b.leave()
    wait(lambda: shared(6, a, c), "two are left and share")
    a.leave()
    wait(lambda: shared(6, c), "the last has all")
    enough = True
    feed.end()
    wait(lambda: len(records) >= made, "every record is taken")
    c.leave()
    twice = a.twice + b.twice + c.twice
    require(twice == 0, twice, "records were taken twice, though all was committed when revoked")
    require(sum(committed(group).values()) == made, "committed is", committed(group), "of", made)


def statics():
    topic = name + "-static"
    group = topic + "-group"
    create(topic, 4)
    first = Member(group, [topic], {}, group_instance_id="one", session_timeout_ms=20000)
    second = Member(group, [topic], {}, group_instance_id="two", session_timeout_ms=20000)
    wait(lambda: shared(4, first, second), "both static members have some")
    rebalances, had = first.rebalances, set(second.assigned)
    second.leave()
    again = Member(group, [topic], {}, group_instance_id="two", session_timeout_ms=20000)
    wait(lambda: shared(4, first, again), "the second is back")
    require(again.assigned == had, "it had", had, "and has", again.assigned)
    require(first.rebalances == rebalances, "the first noticed it")
    other = Member(group, [topic], {}, group_instance_id="two", session_timeout_ms=20000)
    wait(lambda: again.thread.failed, "a second one of that name fences the first")
    require(again.thread.failed.args[0].code() == KafkaError._FATAL, "it failed with", again.thread.failed)
    other.leave()
    first.leave()


def pattern():
    prefix = name + "-pattern-"
    create(prefix + "a", 1)
    create(prefix + "b", 2)
    records = {}
    member = Member(prefix + "group", [f"^{prefix}[a-z]$"], records)
    fill(prefix + "a", 1, 10)
    fill(prefix + "b", 2, 10)
    wait(lambda: len(records) == 20, "the records of two topics are taken")
    create(prefix + "c", 1)
    fill(prefix + "c", 1, 10)
    wait(lambda: len(records) == 30, "the records of a topic made later are taken")
    member.leave()


def reset():
    topic = name + "-reset"
    create(topic, 1)
    fill(topic, 1, 100)
    one(admin.delete_records([TopicPartition(topic, 0, 30)]))
    for how, first in ("earliest", 30), ("latest", 100), ("error", None), ("gone", 30):
        source = consumer(group_id=f"{topic}-group-{how}", auto_offset_reset="earliest" if how == "gone" else how)
        if how == "gone":
            source.commit(offsets=[TopicPartition(topic, 0, 10)], asynchronous=False)
        source.assign([TopicPartition(topic, 0)])
        got = []

        def read():
            try:
                got.extend(m.offset() for m in taken(source))
            except KafkaException as e:
                require(how == "error" and e.args[0].code() == KafkaError._AUTO_OFFSET_RESET, how, "failed with", e)
                got.append(None)
            if how == "latest" and not got and source.position([TopicPartition(topic, 0)])[0].offset < 0:
                produce(idle, topic, b"later", partition=0)
            return got
        idle = producer(linger_ms=0)
        if how == "latest":
            # Where it begins is found out while it polls; it takes what comes after that.
            end = source.get_watermark_offsets(TopicPartition(topic, 0), 30)[1]
            wait(read, "there are records")
            require(got[0] >= end, "latest began at", got[0])
        else:
            wait(read, "there are records")
            require(got[0] == first, how, "began at", got[0])
        flushed(idle)
        source.close()


def groups():
    resume()
    turns("range")
    turns("cooperative-sticky")
    statics()
    pattern()
    reset()
    return "resumed, members come and go, static members, a pattern, offset reset"


def feed_work(feed, enough):
    to = producer(enable_idempotence=feed.idempotent, linger_ms=2, delivery_timeout_ms=120000)

    def done(error, m):
        if error:
            feed.failed = error
        else:
            feed.done(m.partition(), m.offset(), m.value())
    n = 0
    while not enough():
        produce(to, feed.topic, feed.next(n % PARTS), partition=n % PARTS, on_delivery=done)
        n += 1
        if n % 20 == 0:
            time.sleep(0.005)
    require(to.flush(120) == 0, "not everything was delivered")


class Tail:
    """A group that consumes under load and commits; what it knows to be committed has to stay."""
    def __init__(self, feeds):
        self.feeds, self.seen, self.positions, self.committed = feeds, set(), {}, {}
        self.drained = False
        self.thread = Thread(self.work)

    def complete(self):
        return all((f.topic, p, o) in self.seen for f in self.feeds for p in range(PARTS) for o in f.acked[p])

    def commit(self, source):
        try:
            done = source.commit(offsets=[TopicPartition(*p, n) for p, n in self.positions.items()], asynchronous=False)
            self.committed.update({(p.topic, p.partition): p.offset for p in done if not p.error})
        except KafkaException:
            pass  # the broker is away or the group moves: what counts is what was acknowledged
        return self.committed == self.positions

    def work(self):
        source = consumer(group_id=name + "-load-group", session_timeout_ms=6000, heartbeat_interval_ms=500)
        source.subscribe([f.topic for f in self.feeds])
        rounds = 0
        while not (self.drained and self.complete()):
            for m in source.consume(1000, 0.1):
                if not m.error():
                    self.seen.add((m.topic(), m.partition(), m.offset()))
                    self.positions[m.topic(), m.partition()] = m.offset() + 1
            rounds += 1
            if rounds % 5 == 0 and self.positions:
                self.commit(source)
        wait(lambda: self.commit(source), "the last offsets are committed")
        source.close()


def read_all(topic):
    source = consumer()
    parts = [TopicPartition(topic, p, 0) for p in range(PARTS)]
    ends = [source.get_watermark_offsets(p, 60)[1] for p in parts]
    source.assign(parts)
    got = [[] for _ in parts]

    def read():
        for m in taken(source, 10000):
            got[m.partition()].append((m.offset(), m.value()))
        return all(len(g) >= e for g, e in zip(got, ends))
    wait(read, "all is read again")
    source.close()
    return got


def load():
    feeds = [Feed(True), Feed(False)]
    for feed in feeds:
        create(feed.topic, PARTS)
    tail = Tail(feeds)
    tail.thread.start()
    enough = False
    threads = [Thread(feed_work, feed, lambda: enough) for feed in feeds]
    for thread in threads:
        thread.start()
    wait(lambda: all(f.acks > 1000 for f in feeds), "the first records are acknowledged")
    made("loading")
    wait(lambda: there("enough"), "it is enough", 300)
    enough = True
    for thread in threads:
        thread.end()
    require(not any(f.failed for f in feeds), *[f.failed for f in feeds])
    tail.drained = True
    tail.thread.end()
    made("flushed")
    wait(lambda: there("again"), "the broker is there again")
    for feed in feeds:
        feed.check(read_all(feed.topic))
    require(committed(name + "-load-group") == tail.committed, "committed was", tail.committed,
            "kept is", committed(name + "-load-group"))
    return f"{sum(f.acks for f in feeds)} acknowledged, all there; so is what the group committed"


run(basic=basic, order=order, groups=groups, load=load)
