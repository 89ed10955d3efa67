// SPDX-License-Identifier: Apache-2.0
import java.util.*;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;

/** A member of a group, in a thread of its own: takes what it is given, commits it when it is revoked and at the end. */
final class Member extends Thread implements ConsumerRebalanceListener {
	final KafkaConsumer<byte[], byte[]> from;
	final Set<TopicPartition> assigned = ConcurrentHashMap.newKeySet();
	/** Records by "topic-partition/offset", of all members of a group. */
	final Map<String, ConsumerRecord<byte[], byte[]>> taken;
	final Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
	volatile int rebalances, twice;
	volatile Throwable failed;
	volatile boolean leave;
	private boolean committed; /* the last of it */

	private Member(Map<String, ConsumerRecord<byte[], byte[]>> taken, Object... config) {
		this.taken = taken;
		from = Client.consumer(config);
	}

	static Member of(String group, Object what, Map<String, ConsumerRecord<byte[], byte[]>> taken, Object... config) {
		List<Object> all = new ArrayList<>(Arrays.asList("group.id", group, "auto.offset.reset", "earliest", "session.timeout.ms",
				6000, "heartbeat.interval.ms", 200, "metadata.max.age.ms", 500));
		all.addAll(Arrays.asList(config));
		Member one = new Member(taken, all.toArray());
		if (what instanceof Pattern)
			one.from.subscribe((Pattern) what, one);
		else
			one.from.subscribe(Collections.singleton((String) what), one);
		one.start();
		return one;
	}

	@Override
	public void onPartitionsAssigned(Collection<TopicPartition> parts) {
		rebalances++;
		assigned.addAll(parts);
	}

	@Override
	public void onPartitionsRevoked(Collection<TopicPartition> parts) {
		if (!committed)
			from.commitSync(positions);
		positions.keySet().removeAll(parts);
		assigned.removeAll(parts);
	}

	/** While partitions move to and fro nothing can be committed outside the callback. */
	private boolean commit() {
		try {
			from.commitSync(positions);
			return true;
		} catch (RebalanceInProgressException e) {
			return false;
		}
	}

	@Override
	public void run() {
		try {
			while (!committed) {
				for (ConsumerRecord<byte[], byte[]> r : from.poll(Client.WAIT)) {
					TopicPartition part = new TopicPartition(r.topic(), r.partition());
					if (taken.put(part + "/" + r.offset(), r) != null)
						twice++;
					positions.put(part, new OffsetAndMetadata(r.offset() + 1, "so far"));
				}
				committed = leave && commit();
			}
		} catch (Throwable t) {
			failed = t;
		}
		from.close();
		assigned.clear();
	}

	void leave() throws Exception {
		leave = true;
		join();
		if (failed != null)
			throw new AssertionError("a member", failed);
	}
}
