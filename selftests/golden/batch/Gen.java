/* SPDX-License-Identifier: Apache-2.0 */
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/* One batch with every shape of record, by Kafka's own client; see make.sh. */
public class Gen {
	static byte[] bytes(String s) {
		return s == null ? null : s.getBytes();
	}

	public static void main(String[] args) throws Exception {
		Properties p = new Properties();
		p.put("bootstrap.servers", args[0]);
		p.put("compression.type", args[2]);
		p.put("linger.ms", "2000");
		p.put("batch.size", "200000");
		p.put("enable.idempotence", args[3]);
		try (var producer = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer())) {
			String[][] rows = { { "key", "value" }, { null, "no key" }, { "no value", null },
			                    { null, null }, { "", "" } };
			for (int i = 0; i < 25; i++) {
				String[] row = rows[i % 5];
				List<Header> headers = i % 3 != 1 ? List.of() :
					List.of(new RecordHeader("h" + i, bytes("header value")),
					        new RecordHeader("", null), new RecordHeader("empty", bytes("")));
				producer.send(new ProducerRecord<>(args[1], 0, 1700000000000L + i * 1000 % 7000,
				                                   bytes(row[0]), bytes(row[1]), headers));
			}
			producer.send(new ProducerRecord<>(args[1], 0, 1700000000000L, bytes("long"),
			                                   bytes("0123456789abcdef".repeat(5000)), List.of()));
		}
	}
}
