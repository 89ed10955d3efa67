/* SPDX-License-Identifier: Apache-2.0 */
#include "broker_fixture.h"
#include "broker/metadata.h"
#include "broker/partitions.h"
#include "wire/alter_replica_log_dirs.h"
#include "wire/batch.h"
#include "wire/create_acls.h"
#include "wire/create_delegation_token.h"
#include "wire/delete_acls.h"
#include "wire/describe_acls.h"
#include "wire/describe_delegation_token.h"
#include "wire/describe_producers.h"
#include "wire/expire_delegation_token.h"
#include "wire/produce.h"
#include "wire/renew_delegation_token.h"

/* What a whole broker without an authorizer or a secret key answers; producers; log directories. */

static void acls_want_an_authorizer(void **state)
{
	struct describe_acls_request describe;
	struct create_acls_request_acl_creation creation[2];
	struct create_acls_request create = { creation, 2 };
	struct delete_acls_request_filter filter;
	struct delete_acls_request delete = { &filter, 1 };
	int fd = client_open(port);
	struct answer a;

	(void)state;
	describe_acls_request_init(&describe);
	describe.resource_type_filter = describe.operation = describe.permission_type = 1;
	for (int i = 0; i < 2; i++)
		creation[i] = (struct create_acls_request_acl_creation){
			2, STR("t"), 3, STR("User:a"), STR("*"), 3, 3
		};
	filter = (struct delete_acls_request_filter){ .resource_type_filter = 1,
		                                      .pattern_type_filter = 1,
		                                      .operation = 1,
		                                      .permission_type = 1 };
	for (int16_t v = 1; v <= 3; v++) {
		a = ask(fd, API_DESCRIBE_ACLS, v, &describe);
		assert_int_equal(((struct describe_acls_response *)a.body)->error_code,
		                 WIRE_SECURITY_DISABLED);
		answer_free(&a);
		a = ask(fd, API_CREATE_ACLS, v, &create);
		assert_int_equal(((struct create_acls_response *)a.body)->results_count, 2);
		assert_int_equal(((struct create_acls_response *)a.body)->results[1].error_code,
		                 WIRE_SECURITY_DISABLED);
		answer_free(&a);
		a = ask(fd, API_DELETE_ACLS, v, &delete);
		assert_int_equal(
			((struct delete_acls_response *)a.body)->filter_results[0].error_code,
			WIRE_SECURITY_DISABLED);
		answer_free(&a);
	}
	creation[1].operation = 0; /* UNKNOWN */
	send_request(fd, API_CREATE_ACLS, 3, 1, &create);
	assert_true(is_closed(fd));
	close(fd);
}

static void tokens_are_not_for_the_anonymous(void **state)
{
	struct create_delegation_token_request create;
	struct renew_delegation_token_request renew;
	struct expire_delegation_token_request expire;
	struct describe_delegation_token_request describe;
	const struct create_delegation_token_response *created;
	int fd = client_open(port);
	struct answer a;

	(void)state;
	create_delegation_token_request_init(&create);
	create.owner_principal_type = STR("User");
	create.owner_principal_name = STR("bob");
	a = ask(fd, API_CREATE_DELEGATION_TOKEN, 3, &create);
	created = a.body;
	assert_int_equal(created->error_code, WIRE_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED);
	assert_true(str_eq(created->principal_name, STR("bob")));
	assert_true(str_eq(created->token_requester_principal_name, STR("ANONYMOUS")));
	assert_int_equal(created->max_timestamp_ms, -1);
	answer_free(&a);
	renew_delegation_token_request_init(&renew);
	a = ask(fd, API_RENEW_DELEGATION_TOKEN, 2, &renew);
	assert_int_equal(((struct renew_delegation_token_response *)a.body)->error_code,
	                 WIRE_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED);
	answer_free(&a);
	expire_delegation_token_request_init(&expire);
	a = ask(fd, API_EXPIRE_DELEGATION_TOKEN, 2, &expire);
	assert_int_equal(((struct expire_delegation_token_response *)a.body)->expiry_timestamp_ms,
	                 -1);
	answer_free(&a);
	describe_delegation_token_request_init(&describe);
	a = ask(fd, API_DESCRIBE_DELEGATION_TOKEN, 3, &describe);
	assert_int_equal(((struct describe_delegation_token_response *)a.body)->error_code,
	                 WIRE_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED);
	answer_free(&a);
	close(fd);
}

/* ---- producers ---- */

static void produce_as(int fd, const char *topic, int64_t producer_id, int32_t sequence)
{
	struct batch_options options = BATCH_PLAIN;
	struct batch_builder b;
	struct buf batch = { 0 };
	struct produce_request_partition_produce_data data = { .index = 1 };
	struct produce_request_topic_produce_data t = { .name = str_of(topic),
		                                        .partition_data = &data,
		                                        .partition_data_count = 1 };
	struct produce_request r;
	struct answer a;

	options.producer_id = producer_id;
	options.producer_epoch = 3;
	options.base_sequence = sequence;
	batch_begin(&b, &batch, &options);
	for (int i = 0; i < 2; i++)
		batch_add(&b, 1000 + i, (struct span){ 0 }, (struct span){ (uint8_t *)"v", 1 },
		          NULL, 0);
	assert_true(batch_end(&b) > 0);
	data.records = (struct records){ .data = batch.data, .size = (uint32_t)batch.size };
	produce_request_init(&r);
	r.acks = -1;
	r.timeout_ms = 10000;
	r.topic_data = &t;
	r.topic_data_count = 1;
	a = ask(fd, API_PRODUCE, 9, &r);
	assert_int_equal(
		((struct produce_response *)a.body)->responses[0].partition_responses[0].error_code,
		WIRE_NONE);
	answer_free(&a);
	buf_fini(&batch);
}

static void producers_of_a_partition_are_told(void **state)
{
	int32_t index[] = { 0, 1, 2, 1 };
	struct describe_producers_request_topic_request topic[] = { { STR("p"), index, 4 },
		                                                    { STR("none"), index, 1 },
		                                                    { STR("a b"), index, 1 } };
	struct describe_producers_request r = { topic, 3 };
	const struct describe_producers_response *response;
	const struct describe_producers_response_partition_response *p;
	int fd = client_open(port);
	struct answer a;

	(void)state;
	topic_make(fd, "p", 2, NULL, 0);
	produce_as(fd, "p", 70, 0);
	produce_as(fd, "p", 71, 0);
	produce_as(fd, "p", 70, 2);
	a = ask(fd, API_DESCRIBE_PRODUCERS, 0, &r);
	response = a.body;
	assert_int_equal(response->topics_count, 3);
	assert_int_equal(response->topics[0].partitions_count, 4);
	assert_int_equal(response->topics[0].partitions[0].active_producers_count, 0);
	assert_int_equal(response->topics[0].partitions[2].error_code,
	                 WIRE_UNKNOWN_TOPIC_OR_PARTITION);
	for (int i = 1; i <= 3; i += 2) {
		p = &response->topics[0].partitions[i];
		assert_int_equal(p->partition_index, 1);
		assert_int_equal(p->active_producers_count, 2);
		for (int j = 0; j < 2; j++) {
			bool first = p->active_producers[j].producer_id == 70;

			assert_int_equal(p->active_producers[j].producer_epoch, 3);
			assert_int_equal(p->active_producers[j].last_sequence, first ? 3 : 1);
			assert_int_equal(p->active_producers[j].last_timestamp, 1001);
			assert_int_equal(p->active_producers[j].current_txn_start_offset, -1);
		}
	}
	assert_int_equal(response->topics[1].partitions[0].error_code,
	                 WIRE_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(response->topics[2].partitions[0].error_code,
	                 WIRE_INVALID_TOPIC_EXCEPTION);
	answer_free(&a);
	close(fd);
}

/* ---- log directories ---- */

/* The error of partition 0 of the topic, sent to this directory. */
static int16_t move(int fd, const char *path, const char *topic)
{
	int32_t index = 0;
	struct alter_replica_log_dirs_request_alter_replica_log_dir_topic t = { str_of(topic),
		                                                                &index, 1 };
	struct alter_replica_log_dirs_request_alter_replica_log_dir dir = { str_of(path), &t, 1 };
	struct alter_replica_log_dirs_request r = { &dir, 1 };
	const struct alter_replica_log_dirs_response *response;
	struct answer a = ask(fd, API_ALTER_REPLICA_LOG_DIRS, 2, &r);
	int16_t error;

	response = a.body;
	assert_int_equal(response->results_count, 1);
	assert_int_equal(response->results[0].partitions_count, 1);
	error = response->results[0].partitions[0].error_code;
	answer_free(&a);
	return error;
}

static void a_log_stays_in_its_directory(void **state)
{
	char long_name[216] = "", here[64], there[64];
	int fd = client_open(port);
	int16_t first, second;

	(void)state;
	snprintf(here, sizeof(here), "%s/data", broker_dir);
	snprintf(there, sizeof(there), "%s/more", broker_dir);
	topic_make(fd, "m", 1, NULL, 0);
	assert_int_equal(move(fd, "/nowhere", "m"), WIRE_LOG_DIR_NOT_FOUND);
	assert_int_equal(move(fd, here, "none"), WIRE_UNKNOWN_TOPIC_OR_PARTITION);
	first = move(fd, here, "m");
	second = move(fd, there, "m");
	assert_true((first == WIRE_NONE && second == WIRE_KAFKA_STORAGE_ERROR) ||
	            (second == WIRE_NONE && first == WIRE_KAFKA_STORAGE_ERROR));
	memset(long_name, 'x', 213); /* with -0.<uuid>-future 255 characters */
	assert_int_equal(move(fd, here, long_name), WIRE_UNKNOWN_TOPIC_OR_PARTITION);
	long_name[213] = 'x';
	assert_int_equal(move(fd, here, long_name), WIRE_INVALID_TOPIC_EXCEPTION);
	close(fd);
}

/* On reactor 0: do image and directories say the same of every partition of "d"? */
static struct mail look_mail;
static _Atomic(int) partitions_agreed;

static void look(struct mail *mail)
{
	const struct image *image = metadata_image(broker->metadata);
	const struct image_topic *topic = image_topic_by_name(image, STR("d"));
	int count = 0;

	(void)mail;
	for (uint32_t i = 0; topic && i < topic->partition_count; i++) {
		struct partition *part = partitions_find(broker->partitions, topic->id, (int32_t)i);
		int dir = part ? partitions_dir_of(broker->partitions, part) : -1;

		if (dir >= 0 && uuid_eq(partitions_dir_info(broker->partitions, (uint32_t)dir).id,
		                        image_partition_directory(topic->partition[i], 1)))
			count++;
	}
	atomic_store(&partitions_agreed, count);
}

static bool all_agree(int partitions)
{
	look_mail.run = look;
	atomic_store(&partitions_agreed, -1);
	reactor_post(0, &look_mail);
	assert_soon(atomic_load(&partitions_agreed) >= 0);
	return atomic_load(&partitions_agreed) == partitions;
}

static void the_controller_is_told_where_logs_are(void **state)
{
	enum { PARTITIONS = 40 };
	int fd = client_open(port);

	(void)state;
	topic_make(fd, "d", PARTITIONS, NULL, 0);
	assert_soon(all_agree(PARTITIONS));
	close(fd);
}

static int up(void **state)
{
	char more[100];

	(void)state;
	strcpy(broker_dir, "/tmp/sluice-broker-XXXXXX");
	assert_non_null(mkdtemp(broker_dir));
	snprintf(more, sizeof(more), "log.dirs=%s/data,%s/more\n", broker_dir, broker_dir);
	broker_up(2, more);
	return 0;
}

static int down(void **state)
{
	(void)state;
	broker_down();
	broker_forget();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acls_want_an_authorizer),
		cmocka_unit_test(tokens_are_not_for_the_anonymous),
		cmocka_unit_test(producers_of_a_partition_are_told),
		cmocka_unit_test(a_log_stays_in_its_directory),
		cmocka_unit_test(the_controller_is_told_where_logs_are),
	};

	return cmocka_run_group_tests(tests, up, down);
}
