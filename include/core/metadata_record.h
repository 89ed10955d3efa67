/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_METADATA_RECORD_H
#define CORE_METADATA_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/str.h"

/*
 * The value of a record in the metadata log (Kafka: AbstractApiMessageSerde):
 *
 *	uvarint frame version, always 1
 *	uvarint api key of the record's type
 *	uvarint version
 *	message body
 *
 * The record's key is null.
 */
enum metadata_record_type {
	METADATA_REGISTER_BROKER = 0,
	METADATA_UNREGISTER_BROKER = 1,
	METADATA_TOPIC = 2,
	METADATA_PARTITION = 3,
	METADATA_CONFIG = 4,
	METADATA_PARTITION_CHANGE = 5,
	METADATA_FENCE_BROKER = 7,
	METADATA_UNFENCE_BROKER = 8,
	METADATA_REMOVE_TOPIC = 9,
	METADATA_DELEGATION_TOKEN = 10,
	METADATA_USER_SCRAM_CREDENTIAL = 11,
	METADATA_FEATURE_LEVEL = 12,
	METADATA_CLIENT_QUOTA = 14,
	METADATA_PRODUCER_IDS = 15,
	METADATA_BROKER_REGISTRATION_CHANGE = 17,
	METADATA_ACCESS_CONTROL_ENTRY = 18,
	METADATA_REMOVE_ACCESS_CONTROL_ENTRY = 19,
	METADATA_NO_OP = 20,
	METADATA_ZK_MIGRATION_STATE = 21,
	METADATA_REMOVE_USER_SCRAM_CREDENTIAL = 22,
	METADATA_BEGIN_TRANSACTION = 23,
	METADATA_END_TRANSACTION = 24,
	METADATA_ABORT_TRANSACTION = 25,
	METADATA_REMOVE_DELEGATION_TOKEN = 26,
	METADATA_REGISTER_CONTROLLER = 27,
	METADATA_CLEAR_ELR = 28,
};

/* Levels of the feature metadata.version (Kafka: MetadataVersion). */
enum metadata_version {
	METADATA_VERSION_3_3_IV3 = 7, /* the oldest that 4.x knows */
	METADATA_VERSION_3_4_IV0 = 8,
	METADATA_VERSION_3_5_IV2 = 11,
	METADATA_VERSION_3_6_IV0 = 12,
	METADATA_VERSION_3_6_IV1 = 13,
	METADATA_VERSION_3_6_IV2 = 14,
	METADATA_VERSION_3_7_IV0 = 15,
	METADATA_VERSION_3_7_IV2 = 17,
	METADATA_VERSION_4_0_IV1 = 23,
	METADATA_VERSION_4_3_IV0 = 30,
	METADATA_VERSION_MIN = METADATA_VERSION_3_3_IV3,
	METADATA_VERSION_LATEST = METADATA_VERSION_4_3_IV0,
};

/* "4.3-IV0" for 30; NULL when unknown. */
const char *metadata_version_text(int16_t level);
/* The level that a release ("4.3", "4.3-IV0") stands for; 0 when unknown. */
int16_t metadata_version_parse(struct str text);

/* Could metadata be lost by going down from one level to another? */
bool metadata_version_loses(int16_t from, int16_t to);

/* The version that records of this type are written in at a metadata.version. */
int16_t metadata_record_version(enum metadata_record_type type, int16_t metadata_version);

struct metadata_frame {
	int16_t type; /* not yet known to be one of enum metadata_record_type */
	int16_t version;
	struct span body;
};

/* 0 or -EBADMSG. */
int metadata_frame_decode(struct span value, struct metadata_frame *ret) must_check;
/* Writes frame, key and version; the caller's encoder appends the body. */
void metadata_frame_begin(struct buf *out, int16_t type, int16_t version);

/* Frame and body of a record, appended; `body` is the struct of the generated codec. */
void metadata_record_encode(struct buf *out, enum metadata_record_type type, int16_t version,
                            const void *body);
struct message;
const struct message *metadata_record_message(int16_t type); /* NULL: unknown */

/* A snapshot or log in text, for golden tests and dumps: "TopicRecord v0". NULL when unknown. */
const char *metadata_record_name(int16_t type);

#endif
