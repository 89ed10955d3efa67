// SPDX-License-Identifier: Apache-2.0
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.*;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/** Producers, and a group that consumes, while the broker is killed and started. */
final class Load {
	static final int PARTS = 4;
	static final String GROUP = "-load-group";

	final Map<Boolean, Feed> feeds = new LinkedHashMap<>();
	volatile boolean drained;

	/** One producer with a topic of its own: for each partition what was acknowledged, by offset. */
	static final class Feed extends Thread {
		final String topic;
		final boolean idempotent;
		final List<Map<Long, Integer>> acked = new ArrayList<>();
		final int[] made = new int[PARTS];
		volatile Throwable failed;
		volatile boolean enough;
		volatile int acks;

		Feed(boolean idempotent) {
			this.topic = Client.name + "-load-" + (idempotent ? "idempotent" : "plain");
			this.idempotent = idempotent;
			for (int p = 0; p < PARTS; p++)
				acked.add(new ConcurrentHashMap<>());
		}

		private void done(int value, RecordMetadata at, Exception error) {
			if (error != null) {
				failed = error;
				return;
			}
			Integer other = acked.get(at.partition()).put(at.offset(), value);
			if (other != null)
				failed = new AssertionError(other + " and " + value + " were both acknowledged at " + at);
			acks++;
		}

		@Override
		public void run() {
			try (Producer<byte[], byte[]> to = Client.producer("enable.idempotence", "" + idempotent, "linger.ms", 2)) {
				for (int i = 0; !enough; i++) {
					int part = i % PARTS, value = made[part]++;
					to.send(new ProducerRecord<>(topic, part, null, Client.bytes("" + value)), (at, error) -> done(value, at, error));
					if (i % 20 == 19)
						Thread.sleep(5);
				}
				to.flush();
			} catch (Throwable t) {
				failed = t;
			}
		}
	}

	/** Consumes in a group of its own, commits; remembers what was committed for certain. */
	final class Tail extends Thread {
		final Map<TopicPartition, Long> committed = new HashMap<>(), positions = new HashMap<>();
		final Map<TopicPartition, BitSet> seen = new HashMap<>();
		volatile Throwable failed;

		private void commit(KafkaConsumer<byte[], byte[]> from) {
			Map<TopicPartition, OffsetAndMetadata> all = new HashMap<>();
			positions.forEach((p, n) -> all.put(p, new OffsetAndMetadata(n, "load")));
			try {
				from.commitSync(all);
				committed.putAll(positions);
			} catch (KafkaException e) {
				// The broker is away, or the group moves; what matters is what was acknowledged.
			}
		}

		@Override
		public void run() {
			try (KafkaConsumer<byte[], byte[]> from = Client.consumer("group.id", Client.name + GROUP, "auto.offset.reset",
					"earliest", "session.timeout.ms", 6000, "heartbeat.interval.ms", 500, "default.api.timeout.ms", 5000)) {
				List<String> topics = new ArrayList<>();
				feeds.values().forEach(f -> topics.add(f.topic));
				from.subscribe(topics);
				for (int round = 0; !drained || !complete(); round++) {
					for (ConsumerRecord<byte[], byte[]> r : from.poll(Client.WAIT)) {
						TopicPartition part = new TopicPartition(r.topic(), r.partition());
						seen.computeIfAbsent(part, p -> new BitSet()).set((int) r.offset());
						positions.put(part, r.offset() + 1);
					}
					if (round % 5 == 4)
						commit(from);
				}
				Client.await(() -> {
					commit(from);
					return committed.equals(positions);
				}, "the last offsets are committed");
			} catch (Throwable t) {
				failed = t;
			}
		}

		private boolean complete() {
			for (Feed feed : feeds.values())
				for (int p = 0; p < PARTS; p++)
					for (long offset : feed.acked.get(p).keySet())
						if (!seen.getOrDefault(new TopicPartition(feed.topic, p), new BitSet()).get((int) offset))
							return false;
			return true;
		}
	}

	private void check(Feed feed) throws Exception {
		List<TopicPartition> parts = Client.partitions(feed.topic, PARTS);
		try (KafkaConsumer<byte[], byte[]> from = Client.consumer()) {
			Map<TopicPartition, Long> ends = from.endOffsets(parts);
			Map<Integer, List<Integer>> got = new HashMap<>();
			from.assign(parts);
			from.seekToBeginning(parts);
			Client.await(() -> {
				for (ConsumerRecord<byte[], byte[]> r : from.poll(Client.WAIT)) {
					List<Integer> values = got.computeIfAbsent(r.partition(), p -> new ArrayList<>());
					Client.require(r.offset() == values.size(), "%s-%d: offset %d after %d records", r.topic(), r.partition(),
							r.offset(), values.size());
					values.add(Integer.valueOf(new String(r.value(), StandardCharsets.UTF_8)));
				}
				return parts.stream().allMatch(p -> from.position(p) >= ends.get(p));
			}, "all is read again");
			for (int p = 0; p < PARTS; p++) {
				List<Integer> values = got.getOrDefault(p, Collections.emptyList());
				for (Map.Entry<Long, Integer> e : feed.acked.get(p).entrySet())
					Client.require(e.getKey() < values.size() && values.get(e.getKey().intValue()).equals(e.getValue()),
							"%s-%d: %d was acknowledged at %d; it is not there", feed.topic, p, e.getValue(), e.getKey());
				for (int n = 0; feed.idempotent && n < values.size(); n++)
					Client.require(values.get(n) == n, "%s-%d: %d at offset %d", feed.topic, p, values.get(n), n);
			}
		}
	}

	String run() throws Exception {
		for (boolean idempotent : new boolean[] {true, false}) {
			Feed feed = new Feed(idempotent);
			Client.create(feed.topic, PARTS);
			feeds.put(idempotent, feed);
		}
		Tail tail = new Tail();
		tail.start();
		feeds.values().forEach(Thread::start);
		Client.await(() -> feeds.values().stream().allMatch(f -> f.acks > 1000), "the first records are acknowledged");
		Files.createFile(Client.dir.resolve("loading"));
		while (!Files.exists(Client.dir.resolve("enough")))
			Thread.sleep(20);
		int acks = 0;
		for (Feed feed : feeds.values()) {
			feed.enough = true;
			feed.join();
			if (feed.failed != null)
				throw new AssertionError(feed.topic, feed.failed);
			acks += feed.acks;
		}
		drained = true;
		tail.join();
		if (tail.failed != null)
			throw new AssertionError("the group", tail.failed);
		Files.createFile(Client.dir.resolve("flushed"));
		while (!Files.exists(Client.dir.resolve("again")))
			Thread.sleep(20);
		for (Feed feed : feeds.values())
			check(feed);
		Map<TopicPartition, Long> kept = new HashMap<>();
		Client.admin.listConsumerGroupOffsets(Client.name + GROUP).partitionsToOffsetAndMetadata().get()
				.forEach((p, o) -> kept.put(p, o.offset()));
		Client.require(kept.equals(tail.committed), "committed was %s, kept is %s", tail.committed, kept);
		return acks + " acknowledged, all there; so is what the group committed";
	}
}
