/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling the controller which log directory a replica is in, where the image says something else:
 * of a new partition on a broker with several directories it says nothing (Kafka:
 * AssignmentsManager).  Noticed while the image is followed; told on reactor 0, many at a time, one
 * request under way, again and again until it is so.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "broker/diag.h"
#include "broker/metadata.h"
#include "core/metadata_record.h"
#include "partitions_private.h"
#include "wire/api.h"
#include "wire/assign_replicas_to_dirs.h"
#include "wire/errors.h"

enum {
	ASSIGNMENTS_MAX = 2250, /* AssignReplicasToDirsRequest.MAX_ASSIGNMENTS_PER_REQUEST */
	BACKOFF_MS = 100,
	BACKOFF_MAX_MS = 10000,
};

struct assignment {
	struct list link;
	struct partition *part; /* a reference */
	bool is_told;
};

/* From the reactor that follows the image to reactor 0. */
struct assignments_mail {
	struct mail mail;
	struct partitions *p;
	struct list list;
};

typedef struct assign_replicas_to_dirs_request request;
typedef struct assign_replicas_to_dirs_request_directory_data request_dir;
typedef struct assign_replicas_to_dirs_request_topic_data request_topic;
typedef struct assign_replicas_to_dirs_request_partition_data request_partition;

static void assign_more(struct partitions *p);

/* ---- noticing ---- */

static bool is_wrong(const struct image *image, const struct image_partition *part,
                     const struct log_home *home, int32_t node_id)
{
	return image->metadata_version >= METADATA_VERSION_3_7_IV2 &&
	       !uuid_eq(image_partition_directory(part, node_id), home->id);
}

void partitions_assign_notice(struct partitions *p, struct list *noticed, const struct image *image,
                              const struct image_partition *at, struct partition *part)
{
	struct assignment *a;

	if (!p->options.metadata || !is_wrong(image, at, part->home, p->options.node_id))
		return;
	a = mem_zalloc(sizeof(*a));
	a->part = partition_get(part);
	list_push(noticed, &a->link);
}

static void move_all(struct list *to, struct list *from)
{
	struct list *node;

	while ((node = list_pop(from)))
		list_push(to, node);
}

static void on_noticed(struct mail *mail)
{
	struct assignments_mail *m = container_of(mail, struct assignments_mail, mail);
	struct partitions *p = m->p;

	move_all(&p->assign.ready, &m->list);
	mem_free(m);
	assign_more(p);
}

void partitions_assign_post(struct partitions *p, struct list *noticed)
{
	struct assignments_mail *m;

	if (list_is_empty(noticed))
		return;
	m = mem_zalloc(sizeof(*m));
	m->mail.run = on_noticed;
	m->p = p;
	list_init(&m->list);
	move_all(&m->list, noticed);
	reactor_post(0, &m->mail);
}

/* ---- a request ---- */

static void drop(struct assignment *a)
{
	partition_put(a->part);
	mem_free(a);
}

/* The topic may be gone meanwhile, the directory failed, or all of it said by somebody else. */
static bool is_due(const struct partitions *p, const struct image *image,
                   const struct partition *part)
{
	const struct image_topic *topic = image_topic_by_id(image, part->topic_id);
	const struct image_partition *at = topic ? image_topic_partition(topic, part->index) : NULL;

	return at && image_ids_has(at->replicas, p->options.node_id) &&
	       !atomic_load(&part->home->is_failed) &&
	       is_wrong(image, at, part->home, p->options.node_id);
}

/* By directory, topic and partition. */
static int order_of(const struct partition *a, const struct partition *b)
{
	int order = (a->home > b->home) - (a->home < b->home);

	if (!order)
		order = memcmp(&a->topic_id, &b->topic_id, sizeof(a->topic_id));
	return order ? order : (a->index > b->index) - (a->index < b->index);
}

static int assignment_order(const void *a, const void *b)
{
	return order_of((*(struct assignment *const *)a)->part,
	                (*(struct assignment *const *)b)->part);
}

/* What is due goes from the list into sent[], each partition once. */
static void take_ready(struct partitions *p)
{
	const struct image *image = metadata_image(p->options.metadata);
	struct assigning *s = &p->assign;
	uint32_t count = 0;
	uint32_t kept = 0;
	struct list *node;

	s->sent = mem_array(ASSIGNMENTS_MAX, sizeof(struct assignment *));
	while (count < ASSIGNMENTS_MAX && (node = list_pop(&s->ready))) {
		struct assignment *a = list_entry(node, struct assignment, link);

		a->is_told = false;
		if (is_due(p, image, a->part))
			s->sent[count++] = a;
		else
			drop(a);
	}
	qsort(s->sent, count, sizeof(struct assignment *), assignment_order);
	for (uint32_t i = 0; i < count; i++) {
		if (kept && !order_of(s->sent[kept - 1]->part, s->sent[i]->part))
			drop(s->sent[i]);
		else
			s->sent[kept++] = s->sent[i];
	}
	s->sent_count = kept;
}

/* Sorted: a new directory or topic begins where it differs from the one before. */
static void fill_request(struct partitions *p, request *r)
{
	struct assigning *s = &p->assign;
	request_partition *partition = arena_array(&s->arena, s->sent_count, sizeof(*partition));
	request_topic *topic = arena_array(&s->arena, s->sent_count, sizeof(*topic));
	request_dir *dir = arena_array(&s->arena, p->home_count, sizeof(*dir));
	const struct partition *before = NULL;

	assign_replicas_to_dirs_request_init(r);
	r->broker_id = p->options.node_id;
	r->broker_epoch = metadata_broker_epoch(p->options.metadata);
	r->directories = dir;
	for (uint32_t i = 0; i < s->sent_count; i++) {
		const struct partition *part = s->sent[i]->part;
		bool new_dir = !before || before->home != part->home;

		if (new_dir) {
			dir = &r->directories[r->directories_count++];
			dir->id = part->home->id;
			dir->topics = topic;
		}
		if (new_dir || !uuid_eq(before->topic_id, part->topic_id)) {
			topic->topic_id = part->topic_id;
			topic->partitions = &partition[i];
			topic++;
			dir->topics_count++;
		}
		partition[i].partition_index = part->index;
		topic[-1].partitions_count++;
		before = part;
	}
}

/* ---- the answer ---- */

static struct assignment *find_sent(struct partitions *p, struct uuid dir, struct uuid topic,
                                    int32_t index)
{
	struct assigning *s = &p->assign;
	struct partition key = { .topic_id = topic, .index = index };
	struct assignment want = { .part = &key };
	struct assignment *at = &want;
	struct assignment **found;

	for (uint32_t i = 0; i < p->home_count; i++)
		if (uuid_eq(p->home[i].id, dir))
			key.home = &p->home[i];
	found = bsearch(&at, s->sent, s->sent_count, sizeof(struct assignment *), assignment_order);
	return found ? *found : NULL;
}

static void note_told(struct partitions *p, const struct assign_replicas_to_dirs_response *r)
{
	for (uint32_t i = 0; i < r->directories_count; i++) {
		const struct assign_replicas_to_dirs_response_directory_data *dir =
			&r->directories[i];

		for (uint32_t j = 0; j < dir->topics_count; j++)
			for (uint32_t k = 0; k < dir->topics[j].partitions_count; k++) {
				struct assignment *a =
					find_sent(p, dir->id, dir->topics[j].topic_id,
				                  dir->topics[j].partitions[k].partition_index);

				if (a)
					a->is_told = !dir->topics[j].partitions[k].error_code;
			}
	}
}

static void wait_longer(struct partitions *p)
{
	struct assigning *s = &p->assign;

	s->backoff_ms = s->backoff_ms ? s->backoff_ms * 2 : BACKOFF_MS;
	if (s->backoff_ms > BACKOFF_MAX_MS)
		s->backoff_ms = BACKOFF_MAX_MS;
	timer_arm(&s->timer, mono_ms() + s->backoff_ms);
}

static void on_answer(struct controller_call *call)
{
	struct assigning *s = container_of(call, struct assigning, call);
	struct partitions *p = container_of(s, struct partitions, assign);
	const struct assign_replicas_to_dirs_response *r = call->response;
	int16_t error = call->error ? call->error : r->error_code;
	uint32_t left = 0;

	if (!error)
		note_told(p, r);
	for (uint32_t i = 0; i < s->sent_count; i++) {
		if (s->sent[i]->is_told) {
			drop(s->sent[i]);
		} else {
			list_push(&s->ready, &s->sent[i]->link);
			left++;
		}
	}
	if (left && !p->is_stopping)
		diag_limited(&s->say_failed, DIAG_WARN, "log",
		             "the controller was not told where %u replicas are (%s); again soon",
		             left, error ? wire_error_name(error) : "each has an error");
	controller_call_fini(call);
	arena_fini(&s->arena);
	mem_free(s->sent);
	s->sent = NULL;
	s->sent_count = 0;
	s->under_way = false;
	if (left) {
		wait_longer(p);
		return;
	}
	s->backoff_ms = 0;
	assign_more(p);
}

static void assign_more(struct partitions *p)
{
	struct assigning *s = &p->assign;

	if (s->under_way || !s->is_begun || p->is_stopping || timer_is_armed(&s->timer) ||
	    list_is_empty(&s->ready))
		return;
	take_ready(p);
	if (!s->sent_count) {
		mem_free(s->sent);
		s->sent = NULL;
		return;
	}
	arena_init(&s->arena, SIZE_MAX);
	s->under_way = true;
	s->call = (struct controller_call){
		.api_key = API_ASSIGN_REPLICAS_TO_DIRS,
		.request = arena_alloc(&s->arena, sizeof(request)),
		.done = on_answer,
	};
	fill_request(p, (request *)(uintptr_t)s->call.request);
	controller_send(p->options.metadata, &s->call);
}

static void on_timer(struct timer *timer)
{
	struct assigning *s = container_of(timer, struct assigning, timer);

	assign_more(container_of(s, struct partitions, assign));
}

/* ---- life ---- */

void partitions_assign_init(struct partitions *p)
{
	list_init(&p->assign.ready);
	timer_init(&p->assign.timer, on_timer);
}

void partitions_assign_start(struct partitions *p)
{
	p->assign.is_begun = true;
	assign_more(p);
}

void partitions_assign_stop(struct partitions *p)
{
	timer_disarm(&p->assign.timer);
}

void partitions_assign_fini(struct partitions *p)
{
	struct assigning *s = &p->assign;
	struct list *node;

	for (uint32_t i = 0; i < s->sent_count; i++)
		drop(s->sent[i]);
	if (s->under_way) {
		controller_call_fini(&s->call);
		arena_fini(&s->arena);
	}
	mem_free(s->sent);
	s->sent = NULL;
	s->sent_count = 0;
	while (s->ready.next && (node = list_pop(&s->ready)))
		drop(list_entry(node, struct assignment, link));
}
