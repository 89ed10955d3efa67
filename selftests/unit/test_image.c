/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/checkpoint.h"
#include "core/image.h"
#include "core/meta_properties.h"
#include "core/metadata_record.h"
#include "core/metadata_replay.h"
#include "wire/metadata_records.h"

#define GOLDEN "selftests/unit/golden/kafka-metadata/"

static struct buf read_golden(const char *name)
{
	char path[200];
	struct buf b = { 0 };
	FILE *f;
	int c;

	snprintf(path, sizeof(path), GOLDEN "%s", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	while ((c = fgetc(f)) != EOF)
		buf_add(&b, &(uint8_t){ (uint8_t)c }, 1);
	fclose(f);
	return b;
}

/* Batches of the file up to one that begins at `end_offset`. */
static enum image_verdict replay_bytes(struct metadata_replay *r, struct span bytes,
                                       int64_t end_offset, struct image_apply_error *why)
{
	struct batch batch;

	while (bytes.size && !batch_parse(bytes, &batch)) {
		if (batch.base_offset >= end_offset)
			return IMAGE_APPLIED;
		assert_true(batch_crc_ok(&batch));
		if (metadata_replay_batch(r, &batch, why) != IMAGE_APPLIED)
			return IMAGE_BAD_RECORD;
		bytes.data += batch.size;
		bytes.size -= batch.size;
	}
	return IMAGE_APPLIED;
}

static struct span span_of(const struct buf *b)
{
	return (struct span){ b->data, b->size };
}

static void replay_log(struct metadata_replay *r, int64_t end_offset)
{
	struct buf log = read_golden("00000000000000000000.log");
	struct image_apply_error why = { "" };

	metadata_replay_init(r);
	assert_int_equal(replay_bytes(r, span_of(&log), end_offset, &why), IMAGE_APPLIED);
	assert_string_equal(why.text, "");
	buf_fini(&log);
}

static void replay_snapshot(struct metadata_replay *r, const char *name)
{
	struct buf file = read_golden(name);
	struct image_apply_error why = { "" };
	struct raft_snapshot_id id;

	metadata_replay_init(r);
	assert_true(raft_snapshot_parse(str_of(name), &id));
	metadata_replay_snapshot(r, id);
	assert_int_equal(replay_bytes(r, span_of(&file), INT64_MAX, &why), IMAGE_APPLIED);
	assert_int_equal(metadata_replay_snapshot_end(r, id, &why), IMAGE_APPLIED);
	assert_string_equal(why.text, "");
	buf_fini(&file);
}

/* All records of an image as text, one line each. */
static void add_line(void *arg, struct span value)
{
	struct metadata_frame frame;
	struct reader reader;
	struct arena arena;
	uint64_t body[64];

	assert_int_equal(metadata_frame_decode(value, &frame), 0);
	arena_init(&arena, SIZE_MAX);
	reader = reader_of(frame.body.data, frame.body.size);
	assert_int_equal(message_decode(metadata_record_message(frame.type), frame.version, &reader,
	                                &arena, body),
	                 0);
	buf_printf(arg, "%s v%d ", metadata_record_name(frame.type), frame.version);
	message_json(metadata_record_message(frame.type), frame.version, body, arg);
	buf_printf(arg, "\n");
	arena_fini(&arena);
}

static char *text_of(const struct image *image)
{
	struct buf text = { 0 };

	image_snapshot(image, add_line, &text);
	buf_add(&text, "", 1);
	return (char *)text.data;
}

static void assert_same_image(const struct image *a, const struct image *b)
{
	char *left = text_of(a);
	char *right = text_of(b);

	assert_string_equal(left, right);
	mem_free(left);
	mem_free(right);
}

static struct buf record_bytes(enum metadata_record_type type, int16_t version, const void *body)
{
	struct buf b = { 0 };

	metadata_record_encode(&b, type, version, body);
	return b;
}

static enum image_verdict apply(struct image *image, int64_t offset, enum metadata_record_type type,
                                const void *body)
{
	struct buf b = record_bytes(type, metadata_record_version(type, 30), body);
	struct image_apply_error why;
	enum image_verdict verdict = image_apply(image, offset, span_of(&b), &why);

	buf_fini(&b);
	return verdict;
}

/*
 * Kafka 4.3.1 lost this credential when it read the log again after its restart: ScramDelta.apply()
 * drops a mechanism with its last user, here bob, also when the same delta adds another user to it.
 */
static void lose_what_kafka_lost(struct image *image)
{
	struct remove_user_scram_credential_record rec = { .name = STR("alice"), .mechanism = 1 };

	assert_int_equal(apply(image, image->offset, METADATA_REMOVE_USER_SCRAM_CREDENTIAL, &rec),
	                 IMAGE_APPLIED);
}

/* Kafka's own snapshot is the judge of our replay of Kafka's own log. */
static void follows_kafkas_log_to_kafkas_snapshots(void **state)
{
	static const struct {
		const char *name;
		int64_t end_offset;
	} snapshot[] = {
		{ "00000000000000000172-0000000003.checkpoint", 172 },
		{ "00000000000000000186-0000000003.checkpoint", 186 },
	};

	(void)state;
	for (size_t i = 0; i < array_count(snapshot); i++) {
		struct metadata_replay from_log;
		struct metadata_replay from_snapshot;

		replay_log(&from_log, snapshot[i].end_offset);
		replay_snapshot(&from_snapshot, snapshot[i].name);
		lose_what_kafka_lost(from_log.image);
		assert_same_image(from_log.image, from_snapshot.image);
		assert_int_equal(from_log.image->offset, snapshot[i].end_offset - 1);
		assert_int_equal(from_snapshot.image->offset, snapshot[i].end_offset - 1);
		assert_int_equal(from_snapshot.image->epoch, from_log.image->epoch);
		assert_int_equal(from_snapshot.image->append_ms, from_log.image->append_ms);
		assert_int_equal(from_log.quorum.kraft_version, 1);
		assert_int_equal(from_snapshot.quorum.kraft_version, 1);
		assert_int_equal(from_log.quorum.voter_count, 1);
		assert_int_equal(from_log.quorum.voters_offset, 2);
		assert_int_equal(from_snapshot.quorum.voters_offset, snapshot[i].end_offset - 1);
		assert_true(
			str_eq(from_snapshot.quorum.voter[0].endpoint[0].host, STR("127.0.0.1")));
		metadata_replay_fini(&from_log);
		metadata_replay_fini(&from_snapshot);
	}
}

static void knows_what_kafka_was_told(void **state)
{
	struct metadata_replay r;
	const struct image_topic *orders;
	const struct image_partition *p;
	struct image_apply_error why;

	(void)state;
	replay_log(&r, INT64_MAX);
	assert_null(image_unsupported(r.image, &why));
	assert_int_equal(r.image->metadata_version, 30);
	assert_int_equal(image_feature(r.image, STR("transaction.version")), 2);
	assert_int_equal(image_feature(r.image, STR("no.such.version")), 0);
	orders = image_topic_by_name(r.image, STR("orders"));
	assert_non_null(orders);
	assert_ptr_equal(orders, image_topic_by_id(r.image, orders->id));
	assert_int_equal(orders->partition_count, 5);
	assert_null(image_topic_by_name(r.image, STR("gone")));
	assert_null(image_topic_partition(orders, 5));
	/* Stopped cleanly at last: nobody leads, and the last leader is known. */
	p = image_topic_partition(orders, 3);
	assert_int_equal(p->leader, IMAGE_NO_LEADER);
	assert_int_equal(p->elr.count, 1);
	assert_int_equal(p->leader_epoch, 5);
	assert_true(image_broker(r.image, 1)->fenced);
	assert_true(str_eq(image_config_value(r.image, IMAGE_RESOURCE_TOPIC, STR("orders"),
	                                      STR("retention.ms")),
	                   STR("1000000")));
	assert_true(str_eq(image_config_value(r.image, IMAGE_RESOURCE_BROKER, STR(""),
	                                      STR("log.cleaner.threads")),
	                   STR("2")));
	assert_null(image_config(r.image, IMAGE_RESOURCE_TOPIC, STR("last")));
	assert_int_equal(r.image->quotas.count, 2);
	assert_int_equal(r.image->scram.count, 2);
	assert_int_equal(r.image->acls.count, 1);
	assert_int_equal(r.image->next_producer_id, 1000);
	metadata_replay_fini(&r);
}

static void apply_to(void *arg, struct span value)
{
	struct image_apply_error why = { "" };

	assert_int_equal(image_apply(arg, 1, value, &why), IMAGE_APPLIED);
}

static void snapshot_is_the_image(void **state)
{
	struct metadata_replay r;
	struct image *copy = image_new();

	(void)state;
	replay_log(&r, INT64_MAX);
	image_snapshot(r.image, apply_to, copy);
	assert_same_image(r.image, copy);
	image_put(copy);
	metadata_replay_fini(&r);
}

static const struct uuid topic_id = { { 7 } };

static void add_topic(struct image *image, const char *name, struct uuid id, int partitions)
{
	assert_int_equal(apply(image, 0, METADATA_TOPIC,
	                       &(struct topic_record){ .name = str_of(name), .topic_id = id }),
	                 IMAGE_APPLIED);
	for (int i = 0; i < partitions; i++) {
		struct partition_record rec;
		int32_t one = 1;

		partition_record_init(&rec);
		rec.partition_id = i;
		rec.topic_id = id;
		rec.replicas = &one;
		rec.replicas_count = 1;
		rec.isr = &one;
		rec.isr_count = 1;
		rec.leader = 1;
		rec.leader_epoch = 0;
		rec.partition_epoch = 0;
		rec.directories = &id;
		rec.directories_count = 1;
		assert_int_equal(apply(image, 0, METADATA_PARTITION, &rec), IMAGE_APPLIED);
	}
}

struct partition_count {
	int new;
	int changed;
	int gone;
};

static void count_partition(void *arg, const struct image_partition *old,
                            const struct image_partition *new)
{
	struct partition_count *count = arg;

	count->new += !old;
	count->gone += !new;
	count->changed += old && new;
}

static void count_topic(void *arg, const struct image_topic *old, const struct image_topic *new)
{
	image_diff_partitions(old, new, count_partition, arg);
}

static struct partition_count diff(const struct image *old, const struct image *new)
{
	struct partition_count count = { 0, 0, 0 };

	image_diff(old, new, &(struct image_changes){ .topic = count_topic, .arg = &count });
	return count;
}

/* What a reader holds does not change, and the difference names what did. */
static void versions_do_not_see_each_other(void **state)
{
	struct image *a = image_new();
	struct image *b;
	struct image *c;
	struct partition_change_record change;
	struct partition_count count;

	(void)state;
	add_topic(a, "t", topic_id, 3);
	b = image_edit(a);
	partition_change_record_init(&change);
	change.topic_id = topic_id;
	change.partition_id = 1;
	change.leader = -1;
	change.isr = WIRE_EMPTY;
	assert_int_equal(apply(b, 1, METADATA_PARTITION_CHANGE, &change), IMAGE_APPLIED);
	assert_int_equal(apply(b, 2, METADATA_PARTITION_CHANGE, &change), IMAGE_APPLIED);
	assert_int_equal(image_topic_by_name(a, STR("t"))->partition[1]->leader, 1);
	assert_int_equal(image_topic_by_id(a, topic_id)->partition[1]->leader, 1);
	assert_int_equal(image_topic_by_name(b, STR("t"))->partition[1]->leader, -1);
	assert_ptr_equal(image_topic_by_name(b, STR("t")), image_topic_by_id(b, topic_id));
	assert_int_equal(image_topic_by_name(b, STR("t"))->partition[1]->leader_epoch, 2);
	assert_ptr_equal(image_topic_by_name(a, STR("t"))->partition[0],
	                 image_topic_by_name(b, STR("t"))->partition[0]);
	count = diff(a, b);
	assert_int_equal(count.changed, 1);
	assert_int_equal(count.new + count.gone, 0);

	c = image_edit(b);
	assert_int_equal(apply(c, 3, METADATA_REMOVE_TOPIC,
	                       &(struct remove_topic_record){ .topic_id = topic_id }),
	                 IMAGE_APPLIED);
	assert_int_equal(diff(b, c).gone, 3);
	assert_int_equal(diff(c, b).new, 3);
	assert_int_equal(c->topics.count + c->topics_by_id.count, 0);
	image_put(b);
	image_put(c);
	assert_int_equal(image_topic_by_name(a, STR("t"))->partition_count, 3);
	image_put(a);
}

static void transactions_are_all_or_nothing(void **state)
{
	struct image *image = image_new();
	struct feature_level_record feature = { .name = STR("group.version"), .feature_level = 1 };

	(void)state;
	assert_int_equal(apply(image, 0, METADATA_BEGIN_TRANSACTION,
	                       &(struct begin_transaction_record){ .name = STR("x") }),
	                 IMAGE_APPLIED);
	assert_true(image_in_transaction(image));
	assert_int_equal(apply(image, 1, METADATA_BEGIN_TRANSACTION,
	                       &(struct begin_transaction_record){ .name = STR("x") }),
	                 IMAGE_BAD_RECORD);
	assert_int_equal(apply(image, 1, METADATA_FEATURE_LEVEL, &feature), IMAGE_APPLIED);
	add_topic(image, "t", topic_id, 2);
	assert_int_equal(apply(image, 2, METADATA_ABORT_TRANSACTION,
	                       &(struct abort_transaction_record){ .reason = { NULL, 0 } }),
	                 IMAGE_APPLIED);
	assert_false(image_in_transaction(image));
	assert_int_equal(image_feature(image, feature.name), 0);
	assert_null(image_topic_by_name(image, STR("t")));

	assert_int_equal(apply(image, 3, METADATA_BEGIN_TRANSACTION,
	                       &(struct begin_transaction_record){ .name = STR("x") }),
	                 IMAGE_APPLIED);
	assert_int_equal(apply(image, 4, METADATA_FEATURE_LEVEL, &feature), IMAGE_APPLIED);
	assert_int_equal(
		apply(image, 5, METADATA_END_TRANSACTION, &(struct end_transaction_record){ 0 }),
		IMAGE_APPLIED);
	assert_int_equal(image_feature(image, feature.name), 1);
	assert_int_equal(
		apply(image, 6, METADATA_END_TRANSACTION, &(struct end_transaction_record){ 0 }),
		IMAGE_BAD_RECORD);
	image_put(image);
}

static void refuses_levels_above_what_it_follows(void **state)
{
	struct image *image = image_new();
	struct image_apply_error why;

	(void)state;
	assert_null(image_unsupported(image, &why));
	assert_int_equal(apply(image, 0, METADATA_FEATURE_LEVEL,
	                       &(struct feature_level_record){ .name = STR("metadata.version"),
	                                                       .feature_level = 30 }),
	                 IMAGE_APPLIED);
	assert_null(image_unsupported(image, &why));
	assert_int_equal(apply(image, 0, METADATA_FEATURE_LEVEL,
	                       &(struct feature_level_record){ .name = STR("share.version"),
	                                                       .feature_level = 2 }),
	                 IMAGE_APPLIED);
	assert_string_equal(
		image_unsupported(image, &why),
		"feature share.version has level 2, above what this version follows (1)");
	image_put(image);

	image = image_new();
	assert_int_equal(apply(image, 0, METADATA_FEATURE_LEVEL,
	                       &(struct feature_level_record){ .name = STR("metadata.version"),
	                                                       .feature_level = 31 }),
	                 IMAGE_APPLIED);
	assert_non_null(image_unsupported(image, &why));
	image_put(image);
}

/* A record of Kafka's log with bytes missing, too many, or of a kind we do not know. */
static void stops_at_what_it_cannot_read(void **state)
{
	struct topic_record topic = { .name = STR("orders"), .topic_id = topic_id };
	struct buf b = record_bytes(METADATA_TOPIC, 0, &topic);
	static const uint8_t unknown_type[] = { 1, 29, 0, 0 };
	static const uint8_t unknown_version[] = { 1, 2, 1, 0 };
	static const uint8_t unknown_frame[] = { 2, 20, 0, 0 };
	struct image *image = image_new();
	struct image_apply_error why;

	(void)state;
	for (size_t size = 0; size < b.size; size++) {
		uint8_t *cut = mem_dup(b.data, size ? size : 1);

		assert_int_equal(image_apply(image, 0, (struct span){ cut, size }, &why),
		                 IMAGE_BAD_RECORD);
		mem_free(cut);
	}
	assert_int_equal(image_apply(image, 0, span_of(&b), &why), IMAGE_APPLIED);
	buf_add(&b, "", 1);
	assert_int_equal(image_apply(image, 0, span_of(&b), &why), IMAGE_BAD_RECORD);
	assert_int_equal(image_apply(image, 0, (struct span){ unknown_type, 4 }, &why),
	                 IMAGE_BAD_RECORD);
	assert_string_equal(why.text, "a record of type 29 is not known");
	assert_int_equal(image_apply(image, 0, (struct span){ unknown_version, 4 }, &why),
	                 IMAGE_BAD_RECORD);
	assert_int_equal(image_apply(image, 0, (struct span){ unknown_frame, 4 }, &why),
	                 IMAGE_BAD_RECORD);
	assert_int_equal(image->topics.count, 1);
	image_put(image);
	buf_fini(&b);
}

/* Times and checksums differ from run to run; everything else must not. */
static void forget_times(struct buf *file)
{
	struct span bytes = span_of(file);
	struct batch batch;

	while (bytes.size && !batch_parse(bytes, &batch)) {
		uint8_t *p = file->data + (bytes.data - file->data);

		memset(p + BATCH_MAGIC_END, 0, 4);
		memset(p + 27, 0, 16);
		bytes.data += batch.size;
		bytes.size -= batch.size;
	}
	assert_int_equal(bytes.size, 0);
}

static void assert_same_file(struct buf *ours, const char *name)
{
	struct buf kafkas = read_golden(name);

	forget_times(ours);
	forget_times(&kafkas);
	assert_int_equal(ours->size, kafkas.size);
	assert_memory_equal(ours->data, kafkas.data, kafkas.size);
	buf_fini(&kafkas);
	buf_fini(ours);
}

static void quorum_checkpoint_is_kafkas(void **state)
{
	static const char name[] = "00000000000000000000-0000000000.checkpoint";
	struct metadata_replay r;
	struct checkpoint c;
	struct buf ours = { 0 };

	(void)state;
	replay_snapshot(&r, name);
	assert_int_equal(r.image->offset, -1);
	assert_int_equal(r.quorum.voters_offset, -1);
	checkpoint_begin(&c, &ours,
	                 &(struct checkpoint_options){ .wall_ms = 5,
	                                               .last_contained_ms = r.last_contained_ms,
	                                               .quorum = &r.quorum });
	checkpoint_end(&c);
	assert_same_file(&ours, name);
	metadata_replay_fini(&r);
}

static void add_to_checkpoint(void *arg, struct span value)
{
	checkpoint_add(arg, value);
}

static void our_snapshots_are_read_back(void **state)
{
	struct metadata_replay r;
	struct metadata_replay back;
	struct raft_snapshot_id id;
	struct image_apply_error why;
	struct checkpoint c;
	struct buf ours = { 0 };

	(void)state;
	replay_log(&r, INT64_MAX);
	id = (struct raft_snapshot_id){ r.image->offset + 1, r.image->epoch };
	checkpoint_begin(&c, &ours,
	                 &(struct checkpoint_options){ .epoch = id.epoch,
	                                               .wall_ms = 5,
	                                               .last_contained_ms = r.image->append_ms,
	                                               .quorum = &r.quorum });
	image_snapshot(r.image, add_to_checkpoint, &c);
	checkpoint_end(&c);

	metadata_replay_init(&back);
	metadata_replay_snapshot(&back, id);
	assert_int_equal(replay_bytes(&back, span_of(&ours), INT64_MAX, &why), IMAGE_APPLIED);
	assert_int_equal(metadata_replay_snapshot_end(&back, id, &why), IMAGE_APPLIED);
	assert_same_image(r.image, back.image);
	assert_int_equal(back.image->append_ms, r.image->append_ms);
	/* Without its last batch, the footer, it does not count. */
	metadata_replay_snapshot(&back, id);
	assert_int_equal(
		replay_bytes(&back, (struct span){ ours.data, ours.size - 75 }, INT64_MAX, &why),
		IMAGE_APPLIED);
	assert_int_equal(metadata_replay_snapshot_end(&back, id, &why), IMAGE_BAD_RECORD);
	metadata_replay_fini(&back);
	metadata_replay_fini(&r);
	buf_fini(&ours);
}

static void meta_properties_are_kafkas(void **state)
{
	struct buf file = read_golden("meta.properties");
	struct str text = { (const char *)file.data, (uint32_t)file.size };
	struct meta_properties m;
	struct buf ours = { 0 };

	(void)state;
	assert_int_equal(meta_properties_decode(text, &m), 0);
	assert_int_equal(m.node_id, 1);
	assert_false(uuid_is_zero(m.directory_id));
	assert_int_equal(m.cluster_id.size, 22);
	/* Tue Nov 24 16:13:04 UTC 2026 and the like: only the date line may differ. */
	meta_properties_encode(&m, 1795535325000, &ours);
	assert_int_equal(ours.size, file.size);
	assert_memory_equal(ours.data, "#\n#Tue Nov 24 15:48:45 UTC 2026\n", 32);
	assert_memory_equal(ours.data + 32, file.data + 32, file.size - 32);
	assert_int_equal(meta_properties_decode(STR("version=1\nnode.id=1\n"), &m), -EBADMSG);
	assert_int_equal(meta_properties_decode(STR("version=2\nnode.id=1\ncluster.id=x\n"), &m),
	                 -EBADMSG);
	assert_int_equal(meta_properties_decode(STR(" version = 1\r\nnode.id:1\n"), &m), -EBADMSG);
	assert_int_equal(
		meta_properties_decode(STR(" cluster.id = x \r\nversion=1\nnode.id=1"), &m), 0);
	assert_true(str_eq(m.cluster_id, STR("x")));
	meta_properties_encode(&m, 951827696000, (ours.size = 0, &ours)); /* a leap day */
	assert_memory_equal(ours.data, "#\n#Tue Feb 29 12:34:56 UTC 2000\n", 32);
	buf_fini(&ours);
	buf_fini(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_kafkas_log_to_kafkas_snapshots),
		cmocka_unit_test(knows_what_kafka_was_told),
		cmocka_unit_test(snapshot_is_the_image),
		cmocka_unit_test(versions_do_not_see_each_other),
		cmocka_unit_test(transactions_are_all_or_nothing),
		cmocka_unit_test(refuses_levels_above_what_it_follows),
		cmocka_unit_test(stops_at_what_it_cannot_read),
		cmocka_unit_test(quorum_checkpoint_is_kafkas),
		cmocka_unit_test(our_snapshots_are_read_back),
		cmocka_unit_test(meta_properties_are_kafkas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
