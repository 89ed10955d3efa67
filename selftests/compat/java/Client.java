// SPDX-License-Identifier: Apache-2.0
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.AppInfoParser;

/** What clients.sh asks of every client, with the Java client that is on the classpath: any from 2.1 on. */
final class Client {
	static final int[] SIZES = {1, 100, 10_000, 1_000_000, 10_000_000};
	static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
	static final Duration WAIT = Duration.ofMillis(100);

	static String address, name;
	static Path dir;
	static int records;
	static AdminClient admin;

	static Properties properties(Object... pairs) {
		Properties all = new Properties();
		all.put("bootstrap.servers", address);
		for (int i = 0; i < pairs.length; i += 2)
			all.put(pairs[i], pairs[i + 1]);
		return all;
	}

	static KafkaProducer<byte[], byte[]> producer(Object... pairs) {
		Properties all = properties("acks", "all", "max.request.size", 12_000_000, "delivery.timeout.ms", 120_000);
		all.putAll(properties(pairs));
		return new KafkaProducer<>(all, new ByteArraySerializer(), new ByteArraySerializer());
	}

	static KafkaConsumer<byte[], byte[]> consumer(Object... pairs) {
		Properties all = properties("enable.auto.commit", "false", "max.partition.fetch.bytes", 12_000_000);
		all.putAll(properties(pairs));
		return new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
	}

	static void create(String topic, int partitions) throws Exception {
		NewTopic one = new NewTopic(topic, partitions, (short) 1);
		Map<String, String> configs = new HashMap<>();
		configs.put("max.message.bytes", "12000000");
		configs.put("retention.ms", "-1"); // the records of the step basic are old
		one.configs(configs);
		admin.createTopics(Collections.singleton(one)).all().get(60, TimeUnit.SECONDS);
		// Kafka may tell of a leader before it has the log, and then takes an idempotent producer's second batch
		// while it refuses the first.
		if ("kafka".equals(System.getenv("BROKER")))
			try (KafkaConsumer<byte[], byte[]> any = consumer()) {
				any.endOffsets(partitions(topic, partitions), Duration.ofSeconds(60));
			}
	}

	static List<TopicPartition> partitions(String topic, int count) {
		List<TopicPartition> all = new ArrayList<>();
		for (int p = 0; p < count; p++)
			all.add(new TopicPartition(topic, p));
		return all;
	}

	static boolean newerThan(int major, int minor) {
		String[] parts = AppInfoParser.getVersion().split("\\.");
		int is = Integer.parseInt(parts[0]) * 1000 + Integer.parseInt(parts[1]);
		return is >= major * 1000 + minor;
	}

	static void require(boolean holds, String format, Object... args) {
		if (!holds)
			throw new AssertionError(String.format(format, args));
	}

	static void await(Callable<Boolean> done, String what) throws Exception {
		for (long end = System.nanoTime() + 60_000_000_000L; !done.call(); Thread.sleep(10))
			require(System.nanoTime() < end, "waited 60 s in vain until %s", what);
	}

	static byte[] bytes(String text) {
		return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
	}

	static volatile Exception refused;

	/** For records that must not fail: what went wrong is told when the step ends. */
	static void sent(RecordMetadata at, Exception error) {
		if (error != null)
			refused = error;
	}

	// ---- basic ----

	/** A block that no codec finds repeated within its window; half of it is noise, which is all that stays. */
	static final byte[] NOISE = new byte[1 << 17];
	static {
		new Random(1).nextBytes(NOISE);
		for (int at = 0; at < NOISE.length; at++)
			if ((at & 1024) != 0)
				NOISE[at] = 0;
	}

	static byte[] value(int size, int seed) {
		byte[] value = new byte[size];
		for (int at = 0; at < size; at += NOISE.length)
			System.arraycopy(NOISE, 0, value, at, Math.min(NOISE.length, size - at));
		value[0] = (byte) seed;
		return value;
	}

	static final class Sent {
		int partition, size, seed;
		long offset, timestamp;
		byte[] key;

		byte[] value() {
			return size < 0 ? null : size == 0 ? new byte[0] : Client.value(size, seed);
		}
	}

	static final long EPOCH = 1_700_000_000_000L;

	static Sent send(Producer<byte[], byte[]> to, List<Sent> sent, int partition, String key, int size) throws Exception {
		Sent one = new Sent();
		one.partition = partition;
		one.size = size;
		one.seed = sent.size();
		one.timestamp = EPOCH + sent.size() * 1000L;
		one.key = bytes(key);
		ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(name + "-basic", partition, one.timestamp, one.key, one.value());
		record.headers().add("h", bytes("1")).add("h", new byte[0]).add("n", null);
		one.offset = to.send(record).get(60, TimeUnit.SECONDS).offset();
		sent.add(one);
		return one;
	}

	static void checkRecord(ConsumerRecord<byte[], byte[]> got, Sent want) {
		String where = got.topic() + "-" + got.partition() + " at " + got.offset();
		require(Arrays.equals(got.key(), want.key), "%s has another key", where);
		require(Arrays.equals(got.value(), want.value()), "%s has another value", where);
		require(got.timestamp() == want.timestamp, "%s has time %d, not %d", where, got.timestamp(), want.timestamp);
		List<String> headers = new ArrayList<>();
		for (Header h : got.headers())
			headers.add(h.key() + "=" + (h.value() == null ? "null" : new String(h.value(), StandardCharsets.UTF_8)));
		require(headers.equals(Arrays.asList("h=1", "h=", "n=null")), "%s has headers %s", where, headers);
	}

	static String basic() throws Exception {
		String topic = name + "-basic";
		create(topic, 2);
		require(admin.listTopics().names().get().contains(topic), "the topic is not listed");
		admin.createPartitions(Collections.singletonMap(topic, NewPartitions.increaseTo(4))).all().get();
		ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
		Config config = admin.describeConfigs(Collections.singleton(resource)).all().get().get(resource);
		require(config.get("max.message.bytes").value().equals("12000000"), "the config is %s", config);

		List<Sent> sent = new ArrayList<>();
		for (int codec = 0; codec < 2 * CODECS.length; codec++) {
			try (Producer<byte[], byte[]> to = producer("compression.type", CODECS[codec / 2], "enable.idempotence",
					codec % 2 == 0 ? "true" : "false")) {
				for (int n = codec % 2 == 0 ? 0 : 2; n < (codec % 2 == 0 ? SIZES.length : 3); n++)
					send(to, sent, n % 4, CODECS[codec / 2] + n, SIZES[n]);
				send(to, sent, 0, null, 10);
				send(to, sent, 0, "k", -1);
				send(to, sent, 0, "", 0);
			}
		}
		List<TopicPartition> parts = partitions(topic, 4);
		try (KafkaConsumer<byte[], byte[]> from = consumer()) {
			require(from.partitionsFor(topic).size() == 4, "not four partitions");
			from.assign(parts);
			from.seekToBeginning(parts);
			Map<String, ConsumerRecord<byte[], byte[]>> got = new HashMap<>();
			await(() -> {
				from.poll(WAIT).forEach(r -> got.put(r.partition() + "/" + r.offset(), r));
				return got.size() >= sent.size();
			}, "all records are read");
			for (Sent one : sent)
				checkRecord(got.get(one.partition + "/" + one.offset), one);
			lookups(from, parts, sent);
			TopicPartition first = parts.get(0);
			admin.deleteRecords(Collections.singletonMap(first, RecordsToDelete.beforeOffset(3))).all().get();
			require(from.beginningOffsets(parts).get(first) == 3, "records before 3 are there");
		}
		admin.deleteTopics(Collections.singleton(topic)).all().get();
		await(() -> !admin.listTopics().names().get().contains(topic), "the topic is gone");
		return sent.size() + " records, " + CODECS.length + " codecs, idempotent and not, 1 B to 10 MB";
	}

	static void lookups(KafkaConsumer<byte[], byte[]> from, List<TopicPartition> parts, List<Sent> sent) {
		Map<TopicPartition, Long> ends = from.endOffsets(parts), begins = from.beginningOffsets(parts);
		require(ends.values().stream().mapToLong(n -> n).sum() == sent.size(), "the ends are %s", ends);
		require(begins.values().stream().allMatch(n -> n == 0), "the beginnings are %s", begins);
		for (Sent one : sent) {
			TopicPartition part = parts.get(one.partition);
			for (long before = 0; before < 2; before++) {
				OffsetAndTimestamp at = from.offsetsForTimes(Collections.singletonMap(part, one.timestamp - before)).get(part);
				require(at != null && at.offset() == one.offset && at.timestamp() == one.timestamp,
						"the record at %d of %s is found at %s", one.offset, part, at);
			}
		}
		Map<TopicPartition, Long> late = new HashMap<>();
		parts.forEach(p -> late.put(p, EPOCH + sent.size() * 1000L));
		from.offsetsForTimes(late).values().forEach(at -> require(at == null, "after the last record is %s", at));
	}

	// ---- order ----

	static final int KEYS = 1000;

	static String order() throws Exception {
		String topic = name + "-order";
		create(topic, 8);
		int[] next = new int[KEYS];
		try (Producer<byte[], byte[]> to = producer("compression.type", "lz4", "linger.ms", 5, "enable.idempotence", "true")) {
			for (int i = 0; i < records; i++) {
				int key = (int) (i * 7919L % KEYS);
				to.send(new ProducerRecord<>(topic, bytes("key-" + key), bytes(key + ":" + next[key]++ + ":some more of it")), Client::sent);
			}
		}
		int[] seen = new int[KEYS], home = new int[KEYS];
		int[] total = {0};
		try (KafkaConsumer<byte[], byte[]> from = consumer()) {
			List<TopicPartition> parts = partitions(topic, 8);
			from.assign(parts);
			from.seekToBeginning(parts);
			await(() -> {
				for (ConsumerRecord<byte[], byte[]> r : from.poll(WAIT)) {
					String[] text = new String(r.value(), StandardCharsets.UTF_8).split(":");
					int key = Integer.parseInt(text[0]), n = Integer.parseInt(text[1]);
					require(n == seen[key]++, "key %d: %d after %d records", key, n, seen[key] - 1);
					require(n == 0 || home[key] == r.partition(), "key %d is in two partitions", key);
					home[key] = r.partition();
					total[0]++;
				}
				return total[0] >= records;
			}, "all records are read");
			long ends = from.endOffsets(parts).values().stream().mapToLong(n -> n).sum();
			require(ends == records, "%d records are there", ends);
		}
		return records + " records in order of " + KEYS + " keys";
	}

	static void all(String[] args) throws Exception {
		address = args[0];
		name = args[1];
		dir = Paths.get(args[2]);
		records = Integer.parseInt(args[3]);
		admin = AdminClient.create(properties());
		List<String> steps = Arrays.asList(args).subList(4, args.length);
		for (String step : steps) {
			long began = System.nanoTime();
			String said = step.equals("basic") ? basic() : step.equals("order") ? order()
					: step.equals("groups") ? Groups.all() : new Load().run();
			if (refused != null)
				throw refused;
			System.out.printf("%s: %s (%.1f s)%n", step, said, (System.nanoTime() - began) / 1e9);
		}
		admin.close();
	}

	public static void main(String[] args) {
		try {
			all(args);
		} catch (Throwable t) {
			t.printStackTrace();
			if (refused != null)
				refused.printStackTrace();
			System.exit(1);
		}
	}
}
