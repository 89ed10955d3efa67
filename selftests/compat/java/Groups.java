// SPDX-License-Identifier: Apache-2.0
import java.util.*;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;

/** Consumer groups of the classic protocol. */
final class Groups {
	static String all() throws Exception {
		resume();
		turns("range", "org.apache.kafka.clients.consumer.RangeAssignor");
		String more = "";
		if (Client.newerThan(2, 4))
			turns("cooperative", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
		else
			turns("sticky", "org.apache.kafka.clients.consumer.StickyAssignor");
		if (Client.newerThan(2, 3)) {
			statics();
			more = ", static members";
		}
		pattern();
		reset();
		return "resumed, members come and go" + more + ", a pattern, offset reset";
	}

	static void fill(String topic, int partitions, int count) {
		try (Producer<byte[], byte[]> to = Client.producer("linger.ms", 5)) {
			for (int i = 0; i < count; i++)
				to.send(new ProducerRecord<>(topic, i % partitions, null, Client.bytes("" + i)), Client::sent);
		}
	}

	static Map<TopicPartition, Long> committed(String group) throws Exception {
		Map<TopicPartition, Long> all = new HashMap<>();
		Client.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((p, o) -> all.put(p, o.offset()));
		return all;
	}

	static long sum(Map<TopicPartition, Long> offsets) {
		return offsets.values().stream().mapToLong(n -> n).sum();
	}

	static ConsumerGroupDescription describe(String group) throws Exception {
		return Client.admin.describeConsumerGroups(Collections.singleton(group)).all().get().get(group);
	}

	static boolean listed(String group) throws Exception {
		return Client.admin.listConsumerGroups().all().get().stream().anyMatch(g -> g.groupId().equals(group));
	}

	/** What one member committed, the next goes on from; the admin sees the group in each of its states. */
	static void resume() throws Exception {
		String topic = Client.name + "-resume", group = Client.name + "-resume-group";
		Client.create(topic, 4);
		fill(topic, 4, 1000);
		Map<String, ConsumerRecord<byte[], byte[]>> first = new ConcurrentHashMap<>(), second = new ConcurrentHashMap<>();
		Member a = Member.of(group, topic, first);
		Client.await(() -> first.size() == 1000, "the first member has all records");
		Client.await(() -> describe(group).state().toString().equals("Stable"), "the group is stable");
		Client.require(describe(group).members().size() == 1, "not one member");
		Client.require(listed(group), "the group is not listed");
		a.leave();
		Client.require(sum(committed(group)) == 1000, "committed is %s", committed(group));
		Client.await(() -> describe(group).state().toString().equals("Empty"), "the group is empty");
		fill(topic, 4, 100);
		Member b = Member.of(group, topic, second);
		Client.await(() -> second.size() >= 100, "the second member has the new records");
		b.leave();
		Client.require(second.size() == 100, "the second member has %d records", second.size());
		Client.require(sum(committed(group)) == 1100, "committed is %s", committed(group));
		Client.admin.deleteConsumerGroups(Collections.singleton(group)).all().get();
		Client.require(!listed(group), "the group was deleted and is listed");
	}

	/** The members own all partitions, each of them some and none two of them. */
	static boolean shared(int partitions, Member... members) {
		Set<TopicPartition> all = new HashSet<>();
		int count = 0;
		for (Member m : members) {
			Set<TopicPartition> own = new HashSet<>(m.assigned);
			if (own.isEmpty())
				return false;
			count += own.size();
			all.addAll(own);
		}
		return count == partitions && all.size() == partitions;
	}

	static void turns(String how, String assignor) throws Exception {
		String topic = Client.name + "-turns-" + how, group = topic + "-group";
		Client.create(topic, 6);
		Map<String, ConsumerRecord<byte[], byte[]>> taken = new ConcurrentHashMap<>();
		int[] made = {0};
		boolean[] enough = {false};
		Thread feed = new Thread(() -> {
			try (Producer<byte[], byte[]> to = Client.producer("linger.ms", 2)) {
				for (; !enough[0]; made[0]++) {
					to.send(new ProducerRecord<>(topic, made[0] % 6, null, Client.bytes("" + made[0])), Client::sent);
					Thread.sleep(1);
				}
			} catch (InterruptedException e) {
				throw new IllegalStateException(e);
			}
		});
		feed.start();
		Object[] config = {"partition.assignment.strategy", assignor};
		Member a = Member.of(group, topic, taken, config);
		Client.await(() -> shared(6, a), "one member has all");
		Member b = Member.of(group, topic, taken, config);
		Client.await(() -> shared(6, a, b), "two members share");
		Member c = Member.of(group, topic, taken, config);
		Client.await(() -> shared(6, a, b, c), "three members share");
		b.leave();
		Client.await(() -> shared(6, a, c), "two are left and share");
		a.leave();
		Client.await(() -> shared(6, c), "the last has all");
		enough[0] = true;
		feed.join();
		Client.await(() -> taken.size() >= made[0], "every record is taken");
		c.leave();
		int twice = a.twice + b.twice + c.twice;
		Client.require(twice == 0, "%d records were taken twice, though all was committed when revoked", twice);
		Client.require(sum(committed(group)) == made[0], "committed is %s of %d", committed(group), made[0]);
	}

	/** A static member that comes back in time gets what it had, and nobody else notices. */
	static void statics() throws Exception {
		String topic = Client.name + "-static", group = topic + "-group";
		Client.create(topic, 4);
		Map<String, ConsumerRecord<byte[], byte[]>> taken = new ConcurrentHashMap<>();
		Member a = Member.of(group, topic, taken, "group.instance.id", "one", "session.timeout.ms", 20000);
		Member b = Member.of(group, topic, taken, "group.instance.id", "two", "session.timeout.ms", 20000);
		Client.await(() -> shared(4, a, b), "both static members have some");
		int rebalances = a.rebalances;
		Set<TopicPartition> had = new HashSet<>(b.assigned);
		b.leave();
		Member again = Member.of(group, topic, taken, "group.instance.id", "two", "session.timeout.ms", 20000);
		Client.await(() -> shared(4, a, again), "the second is back");
		Client.require(again.assigned.equals(had), "it had %s and has %s", had, again.assigned);
		Client.require(a.rebalances == rebalances, "the first noticed it");
		Member other = Member.of(group, topic, taken, "group.instance.id", "two", "session.timeout.ms", 20000);
		Client.await(() -> again.failed != null, "a second one of that name fences the first");
		Client.require(again.failed.getClass().getSimpleName().equals("FencedInstanceIdException"), "it failed with %s", again.failed);
		other.leave();
		a.leave();
	}

	/** Topics that match are found, those made later too. */
	static void pattern() throws Exception {
		String prefix = Client.name + "-pattern-";
		Client.create(prefix + "a", 1);
		Client.create(prefix + "b", 2);
		Map<String, ConsumerRecord<byte[], byte[]>> taken = new ConcurrentHashMap<>();
		Member one = Member.of(prefix + "group", Pattern.compile(prefix + "[a-z]"), taken);
		fill(prefix + "a", 1, 10);
		fill(prefix + "b", 2, 10);
		Client.await(() -> taken.size() == 20, "the records of two topics are taken");
		Client.create(prefix + "c", 1);
		fill(prefix + "c", 1, 10);
		Client.await(() -> taken.size() == 30, "the records of a topic made later are taken");
		one.leave();
	}

	/** Where one begins that has no committed offset, or one that is not there any more. */
	static void reset() throws Exception {
		String topic = Client.name + "-reset", group = topic + "-group-";
		TopicPartition part = new TopicPartition(topic, 0);
		Client.create(topic, 1);
		fill(topic, 1, 100);
		Client.admin.deleteRecords(Collections.singletonMap(part, RecordsToDelete.beforeOffset(30))).all().get();
		for (String how : new String[] {"earliest", "latest", "none", "gone"}) {
			try (KafkaConsumer<byte[], byte[]> from = Client.consumer("group.id", group + how, "auto.offset.reset",
					how.equals("gone") ? "earliest" : how)) {
				from.assign(Collections.singleton(part));
				if (how.equals("gone"))
					from.commitSync(Collections.singletonMap(part, new OffsetAndMetadata(10)));
				try {
					long at = from.position(part);
					if (how.equals("gone"))
						Client.require(at == 10, "committed was 10, the position is %d", at);
					else
						Client.require(at == (how.equals("earliest") ? 30 : 100), "%s: position %d", how, at);
				} catch (NoOffsetForPartitionException e) {
					Client.require(how.equals("none"), "%s: %s", how, e);
					continue;
				}
				Client.require(!how.equals("none"), "with none there is a position");
				if (how.equals("latest"))
					fill(topic, 1, 1);
				List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
				Client.await(() -> {
					from.poll(Client.WAIT).forEach(got::add);
					return !got.isEmpty();
				}, "there are records");
				long first = got.get(0).offset();
				Client.require(first == (how.equals("latest") ? 100 : 30), "%s: the first record is at %d", how, first);
			}
		}
	}
}
