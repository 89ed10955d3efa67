/* SPDX-License-Identifier: Apache-2.0 */
#include "core/checkpoint.h"

enum { BATCH_RECORDS_MAX = 1024 };

static struct batch_options options_of(int64_t base_offset, int32_t epoch, bool control)
{
	struct batch_options o = BATCH_PLAIN;

	o.base_offset = base_offset;
	o.leader_epoch = epoch;
	o.attributes = control ? BATCH_CONTROL : 0;
	return o;
}

static void add_quorum(struct batch_builder *b, int64_t wall_ms, const struct raft_quorum *quorum)
{
	struct voters_endpoint endpoint[RAFT_VOTERS_MAX][RAFT_ENDPOINTS_MAX];
	struct voters_entry voter[RAFT_VOTERS_MAX];

	for (uint32_t i = 0; i < quorum->voter_count; i++) {
		const struct raft_voter *from = &quorum->voter[i];

		for (uint32_t j = 0; j < from->endpoint_count; j++)
			endpoint[i][j] = (struct voters_endpoint){
				from->endpoint[j].listener,
				from->endpoint[j].host,
				from->endpoint[j].port,
			};
		voter[i] = (struct voters_entry){
			.id = from->id,
			.endpoint = endpoint[i],
			.endpoint_count = from->endpoint_count,
			.kraft_version_min = (int16_t)from->kraft_version_min,
			.kraft_version_max = (int16_t)from->kraft_version_max,
		};
		memcpy(voter[i].directory_id, from->directory_id.byte,
		       sizeof(voter[i].directory_id));
	}
	batch_add_kraft_version(b, wall_ms, (int16_t)quorum->kraft_version);
	batch_add_voters(b, wall_ms, voter, quorum->voter_count);
}

static void begin_batch(struct checkpoint *c, bool control)
{
	struct batch_options o = options_of(c->next_offset, c->options.epoch, control);

	batch_begin(&c->batch, c->out, &o);
}

static void end_batch(struct checkpoint *c)
{
	c->next_offset += c->batch.record_count;
	(void)batch_end(&c->batch); /* never empty here */
}

static void end_data_batch(struct checkpoint *c)
{
	if (!c->batch_records)
		return;
	end_batch(c);
	c->batch_records = 0;
}

void checkpoint_begin(struct checkpoint *c, struct buf *out, const struct checkpoint_options *o)
{
	*c = (struct checkpoint){ .out = out, .options = *o };
	begin_batch(c, true);
	batch_add_snapshot_header(&c->batch, o->wall_ms, o->last_contained_ms);
	if (o->quorum && o->quorum->kraft_version >= 1)
		add_quorum(&c->batch, o->wall_ms, o->quorum);
	end_batch(c);
}

void checkpoint_add(struct checkpoint *c, struct span value)
{
	if (c->batch_records == BATCH_RECORDS_MAX)
		end_data_batch(c);
	if (!c->batch_records)
		begin_batch(c, false);
	batch_add(&c->batch, c->options.wall_ms, (struct span){ NULL, 0 }, value, NULL, 0);
	c->batch_records++;
}

void checkpoint_end(struct checkpoint *c)
{
	end_data_batch(c);
	begin_batch(c, true);
	batch_add_snapshot_footer(&c->batch, c->options.wall_ms);
	end_batch(c);
}

void metadata_batch_encode(struct buf *out, int64_t base_offset, int32_t epoch, int64_t wall_ms,
                           const struct span *value, size_t count)
{
	struct batch_options o = options_of(base_offset, epoch, false);
	struct batch_builder b;

	batch_begin(&b, out, &o);
	for (size_t i = 0; i < count; i++)
		batch_add(&b, wall_ms, (struct span){ NULL, 0 }, value[i], NULL, 0);
	(void)batch_end(&b); /* the size is in the buffer */
}

uint32_t metadata_leader_batch_encode(struct buf *out, const struct raft *raft,
                                      const struct raft_want *want, int64_t wall_ms)
{
	struct batch_options o = options_of(want->offset, want->election.epoch, true);
	struct quorum_voter voter[RAFT_VOTERS_MAX];
	struct batch_builder b;

	for (uint32_t i = 0; i < raft->quorum.voter_count; i++) {
		voter[i].id = raft->quorum.voter[i].id;
		memcpy(voter[i].directory_id, raft->quorum.voter[i].directory_id.byte,
		       sizeof(voter[i].directory_id));
	}
	batch_begin(&b, out, &o);
	batch_add_leader_change(&b, wall_ms, 0, want->election.leader_id, voter,
	                        raft->quorum.voter_count, voter, raft->quorum.voter_count);
	if (want->voters)
		add_quorum(&b, wall_ms, &raft->quorum);
	(void)batch_end(&b);
	return want->voters ? 3 : 1;
}
