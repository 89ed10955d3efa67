/* SPDX-License-Identifier: Apache-2.0 */
#include "core/raft.h"

#include <errno.h>
#include <stdio.h>

/*
 * quorum-state, one line of JSON without a newline.  Version 1:
 *
 *	{"leaderId":1,"leaderEpoch":3,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA",
 *	 "data_version":1}
 *
 * Version 0, of a quorum whose voters are configured (kraft.version 0):
 *
 *	{"clusterId":"","leaderId":1,"leaderEpoch":3,"votedId":-1,"appliedOffset":0,
 *	 "currentVoters":[{"voterId":1}],"data_version":0}
 *
 * Kafka's store leaves the cluster id empty and the applied offset zero, so we do.
 */
void raft_election_encode(const struct raft *raft, struct buf *out)
{
	const struct raft_election *e = &raft->election;
	char directory[UUID_TEXT_SIZE + 1];

	if (raft->quorum.kraft_version >= 1) {
		uuid_format(e->voted_directory_id, directory);
		buf_printf(out,
		           "{\"leaderId\":%d,\"leaderEpoch\":%d,\"votedId\":%d,"
		           "\"votedDirectoryId\":\"%s\",\"data_version\":1}",
		           e->leader_id, e->epoch, e->voted_id, directory);
		return;
	}
	buf_printf(out,
	           "{\"clusterId\":\"\",\"leaderId\":%d,\"leaderEpoch\":%d,\"votedId\":%d,"
	           "\"appliedOffset\":0,\"currentVoters\":[",
	           e->leader_id, e->epoch, e->voted_id);
	for (uint32_t i = 0; i < raft->quorum.voter_count; i++)
		buf_printf(out, "%s{\"voterId\":%d}", i ? "," : "", raft->quorum.voter[i].id);
	buf_printf(out, "],\"data_version\":0}");
}

/* As much of JSON as the file needs: an object whose members may be anything. */
struct scan {
	const char *pos;
	const char *end;
	bool bad;
};

static char peek(struct scan *s)
{
	while (s->pos < s->end &&
	       (*s->pos == ' ' || *s->pos == '\t' || *s->pos == '\n' || *s->pos == '\r'))
		s->pos++;
	return s->pos < s->end ? *s->pos : '\0';
}

static bool take(struct scan *s, char c)
{
	if (peek(s) != c)
		return false;
	s->pos++;
	return true;
}

static void expect(struct scan *s, char c)
{
	if (!take(s, c))
		s->bad = true;
}

/* Escapes are kept as they are: none of our names and values has one. */
static struct str scan_string(struct scan *s)
{
	const char *start;

	expect(s, '"');
	start = s->pos;
	while (!s->bad && s->pos < s->end && *s->pos != '"')
		s->pos += *s->pos == '\\' && s->end - s->pos > 1 ? 2 : 1;
	if (s->bad || s->pos >= s->end) {
		s->bad = true;
		return (struct str){ NULL, 0 };
	}
	return (struct str){ start, (uint32_t)(s->pos++ - start) };
}

static int64_t scan_number(struct scan *s)
{
	bool negative = take(s, '-');
	int64_t value = 0;

	if (peek(s) < '0' || *s->pos > '9')
		s->bad = true;
	for (; !s->bad && s->pos < s->end && *s->pos >= '0' && *s->pos <= '9'; s->pos++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *s->pos - '0', &value))
			s->bad = true;
	return negative ? -value : value;
}

/* Passes over a value of any kind without recursion: brackets are only counted. */
static void skip_value(struct scan *s)
{
	int depth = 0;

	do {
		char c = peek(s);

		if (c == '"') {
			scan_string(s);
		} else if (c == '\0') {
			s->bad = true;
		} else {
			depth += (c == '{' || c == '[') - (c == '}' || c == ']');
			s->pos++;
		}
		c = s->bad ? '\0' : peek(s);
		if (!depth && (c == ',' || c == '}'))
			return;
	} while (!s->bad && depth >= 0);
	s->bad = true;
}

static void scan_i32(struct scan *s, int32_t *ret)
{
	int64_t value = scan_number(s);

	if (value < INT32_MIN || value > INT32_MAX)
		s->bad = true;
	else
		*ret = (int32_t)value;
}

static void scan_member(struct scan *s, struct raft_election *e, int32_t *version)
{
	struct str name = scan_string(s);

	expect(s, ':');
	if (s->bad)
		return;
	if (str_eq(name, STR("leaderId")))
		scan_i32(s, &e->leader_id);
	else if (str_eq(name, STR("leaderEpoch")))
		scan_i32(s, &e->epoch);
	else if (str_eq(name, STR("votedId")))
		scan_i32(s, &e->voted_id);
	else if (str_eq(name, STR("data_version")))
		scan_i32(s, version);
	else if (!str_eq(name, STR("votedDirectoryId")))
		skip_value(s);
	else if (!uuid_parse(scan_string(s), &e->voted_directory_id))
		s->bad = true;
}

int raft_election_decode(struct str text, struct raft_election *ret)
{
	struct scan s = { text.data, text.data + text.size, false };
	struct raft_election e = { -1, RAFT_NOBODY, RAFT_NOBODY, UUID_ZERO };
	int32_t version = -1;

	expect(&s, '{');
	do
		scan_member(&s, &e, &version);
	while (!s.bad && take(&s, ','));
	expect(&s, '}');
	if (s.bad || peek(&s) || version < 0 || version > 1 || e.epoch < 0)
		return -EBADMSG;
	*ret = e;
	return 0;
}

/* %020d-%010d.checkpoint (org.apache.kafka.snapshot.Snapshots). */
void raft_snapshot_name(struct raft_snapshot_id id, char name[RAFT_SNAPSHOT_NAME_SIZE])
{
	check(id.end_offset >= 0 && id.epoch >= 0);

	snprintf(name, RAFT_SNAPSHOT_NAME_SIZE, "%020lld-%010d.checkpoint",
	         (long long)id.end_offset, id.epoch);
}

static bool digits(const char *text, int count, int64_t *ret)
{
	int64_t value = 0;

	for (int i = 0; i < count; i++)
		if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, text[i] - '0', &value))
			return false;
	*ret = value;
	return true;
}

bool raft_snapshot_parse(struct str name, struct raft_snapshot_id *ret)
{
	int64_t end_offset;
	int64_t epoch;

	if (name.size != RAFT_SNAPSHOT_NAME_SIZE - 1 || name.data[20] != '-' ||
	    memcmp(name.data + 31, ".checkpoint", 11) != 0 || !digits(name.data, 20, &end_offset) ||
	    !digits(name.data + 21, 10, &epoch) || epoch > INT32_MAX)
		return false;
	*ret = (struct raft_snapshot_id){ end_offset, (int32_t)epoch };
	return true;
}

void raft_snapshot_count(struct raft_snapshot_policy *p, uint64_t bytes)
{
	p->bytes += bytes;
}

bool raft_snapshot_due(const struct raft_snapshot_policy *p, uint64_t mono_ms)
{
	return p->bytes && (p->bytes >= p->bytes_max ||
	                    (p->interval_ms && mono_ms - p->last_ms >= p->interval_ms));
}

void raft_snapshot_done(struct raft_snapshot_policy *p, uint64_t mono_ms)
{
	p->bytes = 0;
	p->last_ms = mono_ms;
}
