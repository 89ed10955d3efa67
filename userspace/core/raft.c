/* SPDX-License-Identifier: Apache-2.0 */
#include "core/raft.h"

static void want(struct raft_out *out, struct raft_want want)
{
	check(out->count < RAFT_WANTS_MAX);

	out->want[out->count++] = want;
}

static bool endpoint_eq(const struct raft_endpoint *a, const struct raft_endpoint *b)
{
	return a->port == b->port && str_eq(a->listener, b->listener) && str_eq(a->host, b->host);
}

static bool voter_eq(const struct raft_voter *a, const struct raft_voter *b)
{
	if (a->id != b->id || !uuid_eq(a->directory_id, b->directory_id) ||
	    a->kraft_version_min != b->kraft_version_min ||
	    a->kraft_version_max != b->kraft_version_max || a->endpoint_count != b->endpoint_count)
		return false;
	for (uint32_t i = 0; i < a->endpoint_count; i++)
		if (!endpoint_eq(&a->endpoint[i], &b->endpoint[i]))
			return false;
	return true;
}

/* This node's entry in the quorum; NULL when it is an observer. */
static struct raft_voter *self_in_quorum(struct raft *raft)
{
	for (uint32_t i = 0; i < raft->quorum.voter_count; i++) {
		struct raft_voter *voter = &raft->quorum.voter[i];

		if (voter->id == raft->self.id &&
		    (uuid_is_zero(voter->directory_id) ||
		     uuid_eq(voter->directory_id, raft->self.directory_id)))
			return voter;
	}
	return NULL;
}

void raft_init(struct raft *raft, const struct raft_voter *self, const struct raft_quorum *quorum)
{
	*raft = (struct raft){
		.self = *self,
		.quorum = *quorum,
		.role = RAFT_UNATTACHED,
		.election = { .leader_id = RAFT_NOBODY, .voted_id = RAFT_NOBODY },
		.epoch_start_offset = -1,
		.high_watermark = -1,
	};
}

/*
 * What the files say, as QuorumState.initialize() reads it.  Whoever led an epoch before it stopped
 * must not lead the same one again: records that did not reach the disk would get a second meaning.
 */
static void restore(struct raft *raft, const struct raft_event *event)
{
	if (event->election)
		raft->election = *event->election;
	if (raft->election.epoch < event->end.epoch)
		raft->election = (struct raft_election){
			.epoch = event->end.epoch,
			.leader_id = RAFT_NOBODY,
			.voted_id = RAFT_NOBODY,
		};
	raft->log_end_offset = event->end.offset;
	raft->durable_end_offset = event->end.offset;
	if (raft->election.leader_id == raft->self.id)
		raft->role = RAFT_RESIGNED;
	else if (raft->election.voted_id == raft->self.id)
		raft->role = RAFT_CANDIDATE;
}

/* KIP-853: a leader tells the log about the voters if the log never knew or its own entry is old.
 */
static bool update_voters(struct raft *raft, struct raft_voter *mine)
{
	if (raft->quorum.kraft_version < 1)
		return false;
	if (raft->quorum.voters_offset >= 0 && voter_eq(mine, &raft->self))
		return false;
	*mine = raft->self;
	return true;
}

/*
 * The only voter's own vote is the majority, so candidate and leader are one step and one write:
 * after a crash between the two nobody could have heard of either.
 */
static void elect_self(struct raft *raft, struct raft_out *out)
{
	raft->election = (struct raft_election){
		.epoch = raft->election.epoch + 1,
		.leader_id = raft->self.id,
		.voted_id = RAFT_NOBODY,
	};
	raft->election_stored = false;
	raft->role = RAFT_CANDIDATE;
	want(out, (struct raft_want){ .type = RAFT_STORE, .election = raft->election });
}

static void start(struct raft *raft, const struct raft_event *event, struct raft_out *out)
{
	struct raft_voter *mine = self_in_quorum(raft);

	restore(raft, event);
	if (!mine || raft->quorum.voter_count != 1) {
		want(out,
		     (struct raft_want){
			     .type = RAFT_REFUSE,
			     .reason = mine ? "the metadata quorum has other voters too"
		                            : "this node and directory are not the voter of the "
		                              "metadata quorum",
		     });
		return;
	}
	raft->voters_due = update_voters(raft, mine);
	elect_self(raft, out);
}

static void stored(struct raft *raft, struct raft_out *out)
{
	if (raft->role != RAFT_CANDIDATE || raft->election_stored)
		return;
	raft->election_stored = true;
	raft->role = RAFT_LEADER;
	raft->epoch_start_offset = raft->log_end_offset;
	want(out, (struct raft_want){ .type = RAFT_APPEND_LEADER,
	                              .election = raft->election,
	                              .offset = raft->log_end_offset,
	                              .voters = raft->voters_due });
	want(out, (struct raft_want){ .type = RAFT_LEAD, .election = raft->election });
}

static void appended(struct raft *raft, const struct raft_event *event)
{
	check(event->end.offset >= raft->log_end_offset);

	raft->log_end_offset = event->end.offset;
	if (raft->voters_due && raft->log_end_offset > raft->epoch_start_offset) {
		raft->voters_due = false;
		raft->quorum.voters_offset = raft->epoch_start_offset + 2;
	}
}

/*
 * The leader's own durable end is the majority's.  Nothing of earlier epochs counts as committed
 * before the LeaderChange record of this one does (Raft, figure 8).
 */
static void synced(struct raft *raft, const struct raft_event *event, struct raft_out *out)
{
	if (event->end.offset > raft->durable_end_offset)
		raft->durable_end_offset = event->end.offset;
	if (raft->role != RAFT_LEADER || raft->durable_end_offset <= raft->epoch_start_offset ||
	    raft->durable_end_offset <= raft->high_watermark)
		return;
	raft->high_watermark = raft->durable_end_offset;
	raft->last_caught_up_ms = (uint64_t)event->wall_ms;
	want(out, (struct raft_want){ .type = RAFT_COMMITTED, .offset = raft->high_watermark });
}

static void failed(struct raft *raft, struct raft_out *out)
{
	bool led = raft->role == RAFT_LEADER;

	raft->role = RAFT_RESIGNED;
	if (led)
		want(out, (struct raft_want){ .type = RAFT_STEP_DOWN, .election = raft->election });
}

void raft_step(struct raft *raft, const struct raft_event *event, struct raft_out *out)
{
	out->count = 0;
	switch (event->type) {
	case RAFT_START:
		start(raft, event, out);
		return;
	case RAFT_STORED:
		stored(raft, out);
		return;
	case RAFT_APPENDED:
		appended(raft, event);
		return;
	case RAFT_SYNCED:
		synced(raft, event, out);
		return;
	case RAFT_FAILED:
		failed(raft, out);
		return;
	}
}
