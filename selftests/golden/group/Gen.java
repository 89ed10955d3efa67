/* SPDX-License-Identifier: Apache-2.0 */
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/*
 * All that a group coordinator without the newer protocols' details has to read and write, done to a
 * real broker: Gen BOOTSTRAP.  See make.sh.
 */
public class Gen {
	static String bootstrap;

	static KafkaConsumer<byte[], byte[]> consumer(String group, String... more)
	{
		Properties p = new Properties();

		p.put("bootstrap.servers", bootstrap);
		p.put("group.id", group);
		p.put("enable.auto.commit", "false");
		for (int i = 0; i < more.length; i += 2)
			p.put(more[i], more[i + 1]);
		return new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
	}

	/* Polls all until each has something assigned. */
	static void settle(List<KafkaConsumer<byte[], byte[]>> consumers)
	{
		boolean all;

		do {
			all = true;
			for (KafkaConsumer<byte[], byte[]> c : consumers) {
				c.poll(Duration.ofMillis(50));
				all &= !c.assignment().isEmpty();
			}
		} while (!all);
	}

	static void commit(KafkaConsumer<byte[], byte[]> c, long offset, String metadata)
	{
		Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();

		for (TopicPartition p : c.assignment())
			offsets.put(p, new OffsetAndMetadata(offset + p.partition(), Optional.of(3), metadata));
		c.commitSync(offsets);
	}

	static KafkaProducer<byte[], byte[]> producer(String id)
	{
		Properties p = new Properties();

		p.put("bootstrap.servers", bootstrap);
		p.put("transactional.id", id);
		KafkaProducer<byte[], byte[]> producer =
			new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
		producer.initTransactions();
		producer.beginTransaction();
		return producer;
	}

	static void text(DataOutputStream out, String s) throws Exception
	{
		out.writeShort(s.length());
		out.write(s.getBytes(StandardCharsets.UTF_8));
	}

	/* OffsetCommit version 2 says how long to keep it, which no client does any more. */
	static void commitWithRetention() throws Exception
	{
		ByteArrayOutputStream bytes = new ByteArrayOutputStream();
		DataOutputStream out = new DataOutputStream(bytes);

		out.writeShort(8);
		out.writeShort(2);
		out.writeInt(1);
		text(out, "gen");
		text(out, "expiring");
		out.writeInt(-1);
		text(out, "");
		out.writeLong(3600000);
		out.writeInt(1);
		text(out, "t");
		out.writeInt(1);
		out.writeInt(2);
		out.writeLong(77);
		text(out, "soon gone");
		String[] at = bootstrap.split(":");
		try (Socket s = new Socket(at[0], Integer.parseInt(at[1]))) {
			DataOutputStream to = new DataOutputStream(s.getOutputStream());
			to.writeInt(bytes.size());
			to.write(bytes.toByteArray());
			to.flush();
			DataInputStream from = new DataInputStream(s.getInputStream());
			byte[] answer = new byte[from.readInt()];
			from.readFully(answer);
			if (answer[answer.length - 1] != 0 || answer[answer.length - 2] != 0)
				throw new Exception("OffsetCommit was refused");
		}
	}

	@SuppressWarnings("removal")
	static void transactions() throws Exception
	{
		TopicPartition u = new TopicPartition("u", 0);
		ConsumerGroupMetadata group = new ConsumerGroupMetadata("transactional");
		KafkaProducer<byte[], byte[]> producer = producer("committed");

		producer.sendOffsetsToTransaction(Map.of(u, new OffsetAndMetadata(10, "kept")), group);
		producer.commitTransaction();
		producer.close();
		producer = producer("aborted");
		producer.sendOffsetsToTransaction(Map.of(u, new OffsetAndMetadata(20, "dropped")), group);
		producer.abortTransaction();
		producer.close();
		producer = producer("open");
		producer.sendOffsetsToTransaction(Map.of(u, new OffsetAndMetadata(30, "open")), group);
		/* It stays open. */
	}

	public static void main(String[] args) throws Exception
	{
		bootstrap = args[0];
		Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
		admin.createTopics(List.of(new NewTopic("t", 3, (short)1), new NewTopic("u", 1, (short)1)))
			.all().get();
		TopicPartition t0 = new TopicPartition("t", 0), t1 = new TopicPartition("t", 1);

		admin.alterConsumerGroupOffsets("simple", Map.of(
			t0, new OffsetAndMetadata(5, Optional.of(1), "h\u00e9 \ud83d\ude00"),
			t1, new OffsetAndMetadata(7))).all().get();
		commitWithRetention();

		KafkaConsumer<byte[], byte[]> one = consumer("one", "client.id", "lonely");
		one.subscribe(Set.of("t", "u"));
		settle(List.of(one));
		commit(one, 100, "");
		commit(one, 200, "again");
		one.close();

		KafkaConsumer<byte[], byte[]> fixed = consumer("static", "group.instance.id", "inst-1",
			"session.timeout.ms", "20000", "max.poll.interval.ms", "123456",
			"partition.assignment.strategy",
			"org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
		fixed.subscribe(Set.of("u"));
		settle(List.of(fixed));
		commit(fixed, 1000, "static");
		fixed.close();

		List<KafkaConsumer<byte[], byte[]>> three = new ArrayList<>();
		for (int i = 0; i < 3; i++) {
			three.add(consumer("three", "client.id", "c" + i));
			three.get(i).subscribe(Set.of("t"));
		}
		settle(three);
		for (KafkaConsumer<byte[], byte[]> c : three)
			commit(c, 10, "");

		KafkaConsumer<byte[], byte[]> modern = consumer("modern", "group.protocol", "consumer");
		modern.subscribe(Set.of("u"));
		settle(List.of(modern));
		commit(modern, 4000, "848");

		transactions();
		admin.deleteConsumerGroupOffsets("simple", Set.of(t1)).all().get();
		admin.deleteConsumerGroups(List.of("one")).all().get();
		/* Whoever is still a member stays one: nothing is closed. */
		Runtime.getRuntime().halt(0);
	}
}
