/* SPDX-License-Identifier: Apache-2.0 */
#include "core/metadata_record.h"

#include <errno.h>

#include "base/varint.h"
#include "wire/metadata_records.h"

enum { FRAME_VERSION = 1 };

/* org.apache.kafka.server.common.MetadataVersion, by level from METADATA_VERSION_MIN on. */
static const char *const version_text[] = {
	"3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2",
	"3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0",
	"4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
};
_Static_assert(array_count(version_text) == METADATA_VERSION_LATEST - METADATA_VERSION_MIN + 1,
               "one text a level");

/* Bit i: the level changed what records can say (MetadataVersion.didMetadataChange). */
static const uint32_t version_changes_metadata =
	1u << 0 | 1u << 1 | 1u << 4 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 10 | 1u << 16 | 1u << 23;

const char *metadata_version_text(int16_t level)
{
	if (level < METADATA_VERSION_MIN || level > METADATA_VERSION_LATEST)
		return NULL;
	return version_text[level - METADATA_VERSION_MIN];
}

/* "4.3-IV0" is that level; "4.3", "4.3.1" are the highest of the release. */
int16_t metadata_version_parse(struct str text)
{
	uint32_t size = 0;
	int dots = 0;

	while (size < text.size && (text.data[size] != '.' || !dots++))
		size++;
	if (!size)
		return 0;
	text.size = size;
	for (int16_t level = METADATA_VERSION_LATEST; level >= METADATA_VERSION_MIN; level--) {
		struct str known = str_of(version_text[level - METADATA_VERSION_MIN]);
		struct str release = { known.data,
			               (uint32_t)(strchr(known.data, '-') - known.data) };

		if (str_eq(text, known) || str_eq(text, release))
			return level;
	}
	return 0;
}

bool metadata_version_loses(int16_t from, int16_t to)
{
	for (int16_t level = from; level > to; level--)
		if (version_changes_metadata >> (level - METADATA_VERSION_MIN) & 1)
			return true;
	return false;
}

int16_t metadata_record_version(enum metadata_record_type type, int16_t metadata_version)
{
	switch (type) {
	case METADATA_REGISTER_BROKER:
		if (metadata_version >= METADATA_VERSION_4_3_IV0)
			return 4;
		if (metadata_version >= METADATA_VERSION_3_7_IV2)
			return 3;
		return metadata_version >= METADATA_VERSION_3_4_IV0 ? 2 : 1;
	case METADATA_PARTITION:
	case METADATA_PARTITION_CHANGE:
		if (metadata_version >= METADATA_VERSION_4_0_IV1)
			return 2;
		return metadata_version >= METADATA_VERSION_3_7_IV2 ? 1 : 0;
	default:
		return 0;
	}
}

int metadata_frame_decode(struct span value, struct metadata_frame *ret)
{
	uint32_t field[3]; /* frame version, type, version */
	size_t pos = 0;

	if (!value.size)
		return -EBADMSG; /* null, too */
	for (size_t i = 0; i < array_count(field); i++) {
		size_t size = uvarint_decode(value.data + pos, value.size - pos, &field[i]);

		if (!size)
			return -EBADMSG;
		pos += size;
	}
	if (field[0] != FRAME_VERSION || field[1] > INT16_MAX || field[2] > INT16_MAX)
		return -EBADMSG;
	*ret = (struct metadata_frame){
		.type = (int16_t)field[1],
		.version = (int16_t)field[2],
		.body = { value.data + pos, value.size - pos },
	};
	return 0;
}

void metadata_frame_begin(struct buf *out, int16_t type, int16_t version)
{
	uint8_t head[15];
	size_t size;

	size = uvarint_encode(head, FRAME_VERSION);
	size += uvarint_encode(head + size, (uint32_t)type);
	size += uvarint_encode(head + size, (uint32_t)version);
	buf_add(out, head, size);
}

const struct message *metadata_record_message(int16_t type)
{
	for (size_t i = 0; i < metadata_records_message_count; i++)
		if (metadata_records_messages[i]->id == type)
			return metadata_records_messages[i];
	return NULL;
}

void metadata_record_encode(struct buf *out, enum metadata_record_type type, int16_t version,
                            const void *body)
{
	const struct message *m = metadata_record_message((int16_t)type);
	struct writer w = writer_of(out);

	check(m && version >= m->min && version <= m->max);

	metadata_frame_begin(out, (int16_t)type, version);
	message_encode(m, version, &w, body);
}

const char *metadata_record_name(int16_t type)
{
	static const char *const name[] = {
		[METADATA_REGISTER_BROKER] = "RegisterBrokerRecord",
		[METADATA_UNREGISTER_BROKER] = "UnregisterBrokerRecord",
		[METADATA_TOPIC] = "TopicRecord",
		[METADATA_PARTITION] = "PartitionRecord",
		[METADATA_CONFIG] = "ConfigRecord",
		[METADATA_PARTITION_CHANGE] = "PartitionChangeRecord",
		[METADATA_FENCE_BROKER] = "FenceBrokerRecord",
		[METADATA_UNFENCE_BROKER] = "UnfenceBrokerRecord",
		[METADATA_REMOVE_TOPIC] = "RemoveTopicRecord",
		[METADATA_DELEGATION_TOKEN] = "DelegationTokenRecord",
		[METADATA_USER_SCRAM_CREDENTIAL] = "UserScramCredentialRecord",
		[METADATA_FEATURE_LEVEL] = "FeatureLevelRecord",
		[METADATA_CLIENT_QUOTA] = "ClientQuotaRecord",
		[METADATA_PRODUCER_IDS] = "ProducerIdsRecord",
		[METADATA_BROKER_REGISTRATION_CHANGE] = "BrokerRegistrationChangeRecord",
		[METADATA_ACCESS_CONTROL_ENTRY] = "AccessControlEntryRecord",
		[METADATA_REMOVE_ACCESS_CONTROL_ENTRY] = "RemoveAccessControlEntryRecord",
		[METADATA_NO_OP] = "NoOpRecord",
		[METADATA_ZK_MIGRATION_STATE] = "ZkMigrationStateRecord",
		[METADATA_REMOVE_USER_SCRAM_CREDENTIAL] = "RemoveUserScramCredentialRecord",
		[METADATA_BEGIN_TRANSACTION] = "BeginTransactionRecord",
		[METADATA_END_TRANSACTION] = "EndTransactionRecord",
		[METADATA_ABORT_TRANSACTION] = "AbortTransactionRecord",
		[METADATA_REMOVE_DELEGATION_TOKEN] = "RemoveDelegationTokenRecord",
		[METADATA_REGISTER_CONTROLLER] = "RegisterControllerRecord",
		[METADATA_CLEAR_ELR] = "ClearElrRecord",
	};

	return type >= 0 && (size_t)type < array_count(name) ? name[type] : NULL;
}
