/* SPDX-License-Identifier: Apache-2.0 */
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/*
 * Gen BOOTSTRAP TOPIC PHASE: appends of every kind to partition 0, one request after the other, in
 * an order and with timestamps of its own choice; see make.sh.
 */
public class Gen {
	static String bootstrap, topic;
	static long clock;

	static KafkaProducer<byte[], byte[]> producer(String codec, String transactionalId) {
		Properties p = new Properties();
		p.put("bootstrap.servers", bootstrap);
		p.put("compression.type", codec);
		p.put("linger.ms", "20");
		if (transactionalId != null)
			p.put("transactional.id", transactionalId);
		return new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
	}

	/* One batch. */
	static void put(KafkaProducer<byte[], byte[]> producer, int records, int size) throws Exception {
		java.util.concurrent.Future<?> last = null;
		for (int i = 0; i < records; i++) {
			byte[] value = ("value " + clock + " ").repeat(1 + size / 12).getBytes();
			/* Not in order: the largest timestamp is not the last one's. */
			long timestamp = clock + (i * 7919 % 50);
			last = producer.send(new ProducerRecord<>(topic, 0, timestamp,
			                                          ("key" + i).getBytes(), value));
		}
		producer.flush();
		last.get();
		clock += 100;
	}

	public static void main(String[] args) throws Exception {
		bootstrap = args[0];
		topic = args[1];
		int phase = Integer.parseInt(args[2]);
		clock = System.currentTimeMillis() + phase * 100000L;
		String[] codecs = { "none", "gzip", "snappy", "lz4", "zstd" };
		for (int round = 0; round < 3; round++) {
			for (String codec : codecs)
				try (var p = producer(codec, null)) {
					put(p, 1 + round, 100);
					put(p, 3, 20 * round);
				}
			try (var t = producer("none", "t" + round % 2)) {
				t.initTransactions();
				t.beginTransaction();
				put(t, 2, 50);
				put(t, 1, 50);
				if (round == 1)
					t.commitTransaction();
				else
					t.abortTransaction();
				t.beginTransaction();
				put(t, 2, 10);
				t.commitTransaction();
			}
			clock += 20000; /* a new segment */
		}
	}
}
