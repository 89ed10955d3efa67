/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include <stdbool.h>

#include "base/str.h"

/*
 * Regular expressions as far as they are regular: what Java's and RE2's have in common.  Literals,
 * escapes (\d \w \s \D \W \S \t \n \r and punctuation), '.', classes, groups without names,
 * alternation, * + ? {n} {n,} {n,m} (a lazy '?' behind them changes nothing), ^ and $.  No back
 * references, look-around, flags or properties.  Bytes, not characters.
 *
 * Matching takes time in proportion to expression times text, whatever they are; both are bounded.
 */
enum { REGEX_TEXT_MAX = 4096 };

struct regex;

/* NULL: not such an expression, or too large a one. */
struct regex *regex_new(struct str pattern);
void regex_free(struct regex *r); /* NULL is fine */
/* The whole text; one that is longer than REGEX_TEXT_MAX never matches. */
bool regex_matches(const struct regex *r, struct str text);

#endif
