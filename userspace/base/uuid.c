/* SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"

#include "base/bytes.h"

static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool uuid_is_reserved(struct uuid u)
{
	return !load_be64(u.byte) && load_be64(u.byte + 8) < 100;
}

/* 16 bytes are 21 digits of six bits and one of two. */
void uuid_format(struct uuid u, char *text)
{
	uint32_t bits = 0;
	int have = 0;

	for (int i = 0; i < 16; i++) {
		bits = (bits << 8) | u.byte[i];
		for (have += 8; have >= 6; have -= 6)
			*text++ = digit[(bits >> (have - 6)) & 63];
	}
	*text++ = digit[(bits << (6 - have)) & 63];
	*text = '\0';
}

static int digit_value(char c)
{
	const char *at = c ? strchr(digit, c) : NULL;

	return at ? (int)(at - digit) : -1;
}

bool uuid_parse(struct str text, struct uuid *ret)
{
	struct uuid u;
	uint32_t bits = 0;
	int have = 0;
	int count = 0;

	if (text.size != UUID_TEXT_SIZE)
		return false;
	for (uint32_t i = 0; i < text.size; i++) {
		int value = digit_value(text.data[i]);

		if (value < 0)
			return false;
		bits = (bits << 6) | (uint32_t)value;
		have += 6;
		if (have >= 8 && count < 16) {
			u.byte[count++] = (uint8_t)(bits >> (have - 8));
			have -= 8;
		}
	}
	*ret = u;
	return true;
}
