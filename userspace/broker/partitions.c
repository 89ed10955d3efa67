/* SPDX-License-Identifier: Apache-2.0 */
/* The table of partitions, and how it follows the metadata image. */
#include "broker/partitions.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "broker/config_describe.h"
#include "broker/diag.h"
#include "broker/metrics.h"
#include "partitions_private.h"
#include "wire/errors.h"

/* ---- the table ---- */

static struct str id_key(const struct uuid *id)
{
	return (struct str){ (const char *)id->byte, sizeof(id->byte) };
}

static struct topic_parts *topic_at(const struct table *table, struct uuid id)
{
	struct object *object = pmap_find(&table->by_id, id_key(&id));

	return object ? container_of(object, struct topic_parts, object) : NULL;
}

static void free_topic(struct object *object)
{
	struct topic_parts *t = container_of(object, struct topic_parts, object);

	for (uint32_t i = 0; i < t->count; i++)
		partition_put(t->part[i]);
	object_put(&t->settings->object);
	object_put(&t->meter->object);
	mem_free(t);
}

/* As `old` is, with room for `count` partitions; holds references of its own. */
static struct topic_parts *topic_copy(const struct topic_parts *old, struct uuid id,
                                      struct topic_settings *settings, uint32_t count)
{
	struct topic_parts *t = mem_zalloc(sizeof(*t) + count * sizeof(t->part[0]));

	object_init(&t->object, free_topic);
	t->id = id;
	t->count = count;
	object_get(&settings->object);
	t->settings = settings;
	t->meter = old ? old->meter : topic_meter_new();
	if (old)
		object_get(&t->meter->object);
	for (uint32_t i = 0; old && i < old->count && i < count; i++)
		t->part[i] = old->part[i] ? partition_get(old->part[i]) : NULL;
	return t;
}

static void free_table(struct rcu_head *head)
{
	struct table *table = container_of(head, struct table, rcu);

	pmap_fini(&table->by_id);
	mem_free(table);
}

void table_each(const struct table *table, void (*each)(void *arg, struct partition *part),
                void *arg)
{
	struct pmap_iter it;

	pmap_each(it, &table->by_id)
	{
		const struct topic_parts *t =
			container_of(it.entry.value, struct topic_parts, object);

		for (uint32_t i = 0; i < t->count; i++)
			if (t->part[i])
				each(arg, t->part[i]);
	}
}

void partitions_each(const struct partitions *p, void (*each)(void *arg, struct partition *part),
                     void *arg)
{
	table_each(partitions_table(p), each, arg);
}

/* ---- lookups ---- */

struct partition *partitions_find(const struct partitions *p, struct uuid topic_id, int32_t index)
{
	const struct topic_parts *t = topic_at(partitions_table(p), topic_id);

	return t && index >= 0 && (uint32_t)index < t->count ? t->part[index] : NULL;
}

static int16_t find_in(const struct partitions *p, const struct image_topic *topic, int32_t index,
                       struct partition **ret)
{
	*ret = partitions_find(p, topic->id, index);
	if (*ret)
		return WIRE_NONE;
	return image_topic_partition(topic, index) ? WIRE_NOT_LEADER_OR_FOLLOWER
	                                           : WIRE_UNKNOWN_TOPIC_OR_PARTITION;
}

int16_t partitions_by_name(const struct partitions *p, const struct image *image, struct str topic,
                           int32_t index, struct partition **ret)
{
	const struct image_topic *t = image_topic_by_name(image, topic);

	*ret = NULL;
	return t ? find_in(p, t, index, ret) : WIRE_UNKNOWN_TOPIC_OR_PARTITION;
}

int16_t partitions_by_id(const struct partitions *p, const struct image *image,
                         struct uuid topic_id, int32_t index, struct partition **ret)
{
	const struct image_topic *t = image_topic_by_id(image, topic_id);

	*ret = NULL;
	return t ? find_in(p, t, index, ret) : WIRE_UNKNOWN_TOPIC_ID;
}

/* ---- settings ---- */

static struct topic_settings *settings_of(struct partitions *p, const struct image *image,
                                          struct str topic)
{
	struct topic_settings *settings = mem_zalloc(sizeof(*settings));
	struct arena arena;

	object_init(&settings->object, NULL);
	arena_init(&arena, SIZE_MAX);
	topic_config_build(p->config, config_layer_of(image, IMAGE_RESOURCE_TOPIC, topic, &arena),
	                   &settings->config);
	arena_fini(&arena);
	return settings;
}

/* ---- following the image ---- */

/* One change on its way from image to table. */
struct edit {
	struct partitions *p;
	const struct image *new;
	struct table *table;
	bool has_changed;
	const struct image_topic *topic; /* under way, and the new entry for it */
	struct topic_parts *parts;
	struct list noticed; /* struct assignment */
};

static struct partition_change change_of(const struct edit *e, const struct image_partition *part)
{
	const struct partitions *p = e->p;

	return (struct partition_change){
		.leader = part->leader,
		.leader_epoch = part->leader_epoch,
		.partition_epoch = part->partition_epoch,
		.replica_count = part->replicas.count,
		.isr_count = part->isr.count,
		/* Of an earlier life the image says nothing about this one. */
		.is_leader = part->leader == p->options.node_id &&
		             atomic_load_explicit(&p->is_registered, memory_order_acquire),
	};
}

static struct found_log *take_found(struct partitions *p, struct str name, struct uuid topic_id)
{
	struct map_node *node = map_first(&p->found, hash_str(name));

	for (; node; node = map_next(node)) {
		struct found_log *f = container_of(node, struct found_log, node);

		/* Without its id (written before 2.8, or lost) the name must do. */
		if (!f->is_taken && str_eq(str_of(f->entry->name), name) &&
		    (uuid_is_zero(f->entry->topic_id) || uuid_eq(f->entry->topic_id, topic_id))) {
			f->is_taken = true;
			return f;
		}
	}
	return NULL;
}

static void make(struct edit *e, const struct image_partition *image)
{
	struct partitions *p = e->p;
	struct partition *part =
		partition_new(p, e->topic->id, e->topic->name, image->index, e->parts->settings);
	struct found_log *found =
		p->has_begun ? NULL : take_found(p, str_of(part->name), e->topic->id);

	part->home = found ? found->home
	                   : partitions_choose_home(
				     p, image_partition_directory(image, p->options.node_id));
	part->is_new = !found;
	part->meter = e->parts->meter;
	object_get(&part->meter->object);
	atomic_fetch_add_explicit(&part->home->log_count, 1, memory_order_relaxed);
	if (found)
		atomic_fetch_add(&part->home->unopened, 1);
	if (p->options.attach)
		p->options.attach(p->options.arg, part);
	e->parts->part[image->index] = part;
	atomic_fetch_add_explicit(&p->logs, 1, memory_order_relaxed);
	partitions_open_log(part);
}

static void remove_part(struct edit *e, struct partition *part)
{
	partition_die(part);
	atomic_fetch_add_explicit(&e->p->removals, 1, memory_order_release);
}

static void on_partition(void *arg, const struct image_partition *old,
                         const struct image_partition *new)
{
	struct edit *e = arg;
	int32_t index = new ? new->index : old->index;
	struct partition *part = (uint32_t)index < e->parts->count ? e->parts->part[index] : NULL;

	if (new &&image_ids_has(new->replicas, e->p->options.node_id)) {
		struct partition_change change = change_of(e, new);

		if (!part)
			make(e, new);
		part = e->parts->part[index];
		partition_change(part, &change);
		partitions_assign_notice(e->p, &e->noticed, e->new, new, part);
	} else if (part) {
		remove_part(e, part);
		e->parts->part[index] = NULL;
		partition_put(part);
	}
}

static void remove_topic(struct edit *e, struct uuid id)
{
	struct topic_parts *t = topic_at(e->table, id);

	for (uint32_t i = 0; t && i < t->count; i++)
		if (t->part[i])
			remove_part(e, t->part[i]);
	(void)pmap_remove(&e->table->by_id, id_key(&id));
	e->has_changed = true;
}

static uint32_t partitions_needed(const struct image_topic *t)
{
	return t->partition_count ? (uint32_t)t->partition[t->partition_count - 1]->index + 1 : 0;
}

static void on_topic(void *arg, const struct image_topic *old, const struct image_topic *new)
{
	struct edit *e = arg;
	struct topic_settings *settings;
	struct topic_parts *before;
	uint32_t count;

	if (!new) {
		remove_topic(e, old->id);
		return;
	}
	before = topic_at(e->table, new->id);
	count = partitions_needed(new);
	if (before && before->count > count)
		count = before->count;
	settings = before ? before->settings : settings_of(e->p, e->new, new->name);
	e->topic = new;
	e->parts = topic_copy(before, new->id, settings, count);
	image_diff_partitions(old, new, on_partition, e);
	pmap_put(&e->table->by_id, id_key(&new->id), &e->parts->object);
	if (!before)
		object_put(&settings->object);
	e->has_changed = true;
}

static void configure_topic(struct edit *e, const struct image_topic *topic)
{
	struct topic_parts *before = topic ? topic_at(e->table, topic->id) : NULL;
	struct topic_settings *settings;
	struct topic_parts *after;

	if (!before)
		return; /* a new topic is made with its configs */
	settings = settings_of(e->p, e->new, topic->name);
	after = topic_copy(before, topic->id, settings, before->count);
	for (uint32_t i = 0; i < after->count; i++)
		if (after->part[i])
			partition_configure(after->part[i], settings);
	pmap_put(&e->table->by_id, id_key(&topic->id), &after->object);
	object_put(&settings->object);
	e->has_changed = true;
}

static void on_config(void *arg, const struct image_config *old, const struct image_config *new)
{
	struct edit *e = arg;
	const struct image_config *c = new ? new : old;

	if (c->resource_type == IMAGE_RESOURCE_TOPIC)
		configure_topic(e, image_topic_by_name(e->new, c->resource_name));
}

static void begin_edit(struct edit *e, struct partitions *p, const struct image *new)
{
	const struct table *old = partitions_table(p);

	*e = (struct edit){ .p = p, .new = new, .table = mem_zalloc(sizeof(*e->table)) };
	e->table->by_id = pmap_share(&old->by_id);
	list_init(&e->noticed);
}

static void end_edit(struct edit *e)
{
	struct partitions *p = e->p;
	struct table *old = atomic_load_explicit(&p->table, memory_order_relaxed);

	partitions_assign_post(p, &e->noticed);
	if (!e->has_changed) {
		free_table(&e->table->rcu);
		return;
	}
	rcu_publish(&p->table, e->table);
	rcu_defer(&old->rcu, free_table);
}

void partitions_changed(struct partitions *p, const struct image *old, const struct image *new)
{
	struct edit e;
	const struct image_changes changes = { .topic = on_topic, .config = on_config, .arg = &e };

	begin_edit(&e, p, new);
	image_diff(old, new, &changes);
	end_edit(&e);
	if (!p->has_begun) {
		p->has_begun = true;
		reactor_post(0, &p->begun_mail);
	}
}

void partitions_configure(struct partitions *p, const struct config *config,
                          const struct image *image)
{
	struct pmap_iter it;
	struct edit e;

	config_put(p->config);
	p->config = config_get(config);
	begin_edit(&e, p, image);
	pmap_each(it, &image->topics)
		configure_topic(&e, image_value_of(struct image_topic, it.entry));
	end_edit(&e);
}

/* ---- life ---- */

static int open_home(struct partitions *p, struct log_home *home, const struct partitions_dir *d)
{
	int err;

	*home = (struct log_home){ .dir = d->dir, .id = d->id, .recovery = d->recovery };
	home->index = (uint32_t)(home - p->home);
	list_init(&home->removals);
	/* A hint that cannot be read is an empty one: more is looked at. */
	err = log_offsets_read(home->dir, RECOVERY_POINT_CHECKPOINT, &home->recovery_points);
	if (err == -EBADMSG)
		diag_warn("log", "%s/%s is damaged: every log is checked from its start",
		          dir_path(home->dir), RECOVERY_POINT_CHECKPOINT);
	if (!err || err == -EBADMSG)
		err = log_offsets_read(home->dir, LOG_START_CHECKPOINT, &home->log_starts);
	if (err == -EBADMSG) {
		diag_warn("log", "%s/%s is damaged", dir_path(home->dir), LOG_START_CHECKPOINT);
		err = 0;
	}
	if (!err)
		err = log_dir_list(home->dir, &p->arena, &home->entry, &home->entry_count);
	return err;
}

static void note_found(struct partitions *p, struct log_home *home)
{
	for (size_t i = 0; i < home->entry_count; i++) {
		const struct log_dir_entry *entry = &home->entry[i];
		struct found_log *f;

		if (entry->kind != LOG_DIR_LOG || !strcmp(entry->name, "__cluster_metadata-0"))
			continue;
		f = arena_zalloc(&p->arena, sizeof(*f));
		f->home = home;
		f->entry = entry;
		map_insert(&p->found, &f->node, hash_str(str_of(entry->name)));
	}
}

void partitions_free(struct partitions *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->home_count; i++) {
		struct list *node;

		log_offsets_fini(&p->home[i].recovery_points);
		log_offsets_fini(&p->home[i].log_starts);
		while (p->home[i].removals.next && (node = list_pop(&p->home[i].removals))) {
			struct removal *r = list_entry(node, struct removal, link);

			mem_free(r->name);
			mem_free(r);
		}
	}
	map_fini(&p->found);
	arena_fini(&p->arena);
	config_put(p->config);
	mem_free(p->home);
	mem_free(p);
}

int partitions_open(const struct partitions_options *options, struct partitions **ret)
{
	struct partitions *p = mem_zalloc(sizeof(*p));
	int err = 0;

	p->options = *options;
	p->config = config_get(options->config);
	p->home = mem_array(options->dir_count, sizeof(*p->home));
	arena_init(&p->arena, SIZE_MAX);
	list_init(&p->opening);
	p->begun_mail.run = partitions_begun;
	partitions_upkeep_init(p);
	partitions_assign_init(p);
	for (uint32_t i = 0; i < options->dir_count && !err; i++) {
		err = open_home(p, &p->home[i], &options->dir[i]);
		p->home_count++;
		if (!err)
			note_found(p, &p->home[i]);
	}
	if (err) {
		partitions_free(p);
		return err;
	}
	atomic_init(&p->table, mem_zalloc(sizeof(struct table)));
	*ret = p;
	return 0;
}

/* ---- the end ---- */

struct closing {
	struct partitions *p;
	bool clean;
	int *err; /* one a home */
	struct log_point *point;
	size_t count, capacity;
	uint32_t home;
	struct partition **part;
	size_t part_count, part_capacity;
	struct partition **limited; /* whose logs log_is_limited() */
	size_t limited_count, limited_capacity;
};

static void collect(void *arg, struct partition *part)
{
	struct closing *c = arg;

	c->part = mem_grow(c->part, c->part_count, &c->part_capacity, sizeof(struct partition *));
	c->part[c->part_count++] = part;
}

static void close_one(struct closing *c, struct partition *part)
{
	int err;

	if (!part->log && part->is_new)
		return; /* the stop came before there was anything of it */
	c->point = mem_grow(c->point, c->count, &c->capacity, sizeof(*c->point));
	c->point[c->count++] = partitions_point(part, part->log);
	if (!part->log) {
		/* It was not opened: what an unclean stop left is still to be looked at. */
		if (!c->err[c->home])
			c->err[c->home] = -EAGAIN;
		return;
	}
	if (log_is_limited(part->log)) {
		c->limited = mem_grow(c->limited, c->limited_count, &c->limited_capacity,
		                      sizeof(struct partition *));
		c->limited[c->limited_count++] = part;
	}
	err = log_close(part->log, c->clean && !c->err[c->home]);
	part->log = NULL;
	partition_put(part); /* its log's own pin */
	if (err && !c->err[c->home]) {
		diag_error("log", "%s/%s: %s", dir_path(c->p->home[c->home].dir), part->name,
		           strerror(-err));
		c->err[c->home] = err;
	}
}

static void close_home(struct closing *c)
{
	struct log_home *home = &c->p->home[c->home];

	c->count = 0;
	c->limited_count = 0;
	c->err[c->home] = atomic_load(&home->is_failed) ? -EIO : 0;
	for (size_t i = 0; i < c->part_count; i++)
		if (c->part[i]->home == home)
			close_one(c, c->part[i]);
	/* A recovery point is the truth from the moment it can be read. */
	if (c->clean && !c->err[c->home])
		c->err[c->home] = dir_syncfs(home->dir);
	if (c->err[c->home])
		log_dir_doubt(home->dir);
	if (c->clean && !c->err[c->home])
		c->err[c->home] = log_dir_checkpoint(home->dir, c->point, c->count);
	for (size_t i = 0; i < c->limited_count && c->clean && !c->err[c->home]; i++)
		c->err[c->home] = log_unlimit(home->dir, c->limited[i]->name);
}

void partitions_close(struct partitions *p, bool clean, int *ret_err)
{
	struct table *table = atomic_load(&p->table);
	struct closing c = { .p = p, .clean = clean };

	p->is_closed = true;
	partitions_assign_fini(p);
	c.err = mem_array(p->home_count, sizeof(*c.err));
	table_each(table, collect, &c);
	for (c.home = 0; c.home < p->home_count; c.home++)
		close_home(&c);
	if (ret_err)
		memcpy(ret_err, c.err, p->home_count * sizeof(*c.err));
	free_table(&table->rcu);
	mem_free(c.err);
	mem_free(c.point);
	mem_free(c.part);
	mem_free(c.limited);
}

/* ---- what is told ---- */

uint64_t partitions_removals(const struct partitions *p)
{
	return atomic_load_explicit(&p->removals, memory_order_acquire);
}

struct partitions_progress partitions_progress(const struct partitions *p)
{
	return (struct partitions_progress){
		.logs = atomic_load_explicit(&p->logs, memory_order_relaxed),
		.opened = atomic_load_explicit(&p->opened, memory_order_relaxed),
		.failed = atomic_load_explicit(&p->failed, memory_order_relaxed),
		.truncated_bytes = atomic_load_explicit(&p->truncated, memory_order_relaxed),
		.indexes_rebuilt = atomic_load_explicit(&p->rebuilt, memory_order_relaxed),
	};
}

uint32_t partitions_dir_count(const struct partitions *p)
{
	return p->home_count;
}

struct partitions_dir_info partitions_dir_info(const struct partitions *p, uint32_t i)
{
	const struct log_home *home = &p->home[i];

	return (struct partitions_dir_info){ dir_path(home->dir), home->id,
		                             atomic_load(&home->is_failed), home->dir };
}

int partitions_dir_of(const struct partitions *p, const struct partition *part)
{
	return part->home ? (int)(part->home - p->home) : -1;
}
