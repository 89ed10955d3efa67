/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

/*
 * check() states an invariant: if it is false, this program is wrong.  It is
 * on in release builds too, because a broker that stops is repairable and a
 * broker that writes a wrong record is not.  Bad input from a peer, a disk or
 * an operator is never a check(); it is an error that somebody must handle.
 */
#define check(expr)                                                                                \
	do {                                                                                       \
		if (__builtin_expect(!(expr), 0))                                                  \
			check_failed(#expr, __FILE__, __LINE__);                                   \
	} while (0)

/* Defined by the io implementation: says where, and ends the process. */
void check_failed(const char *expr, const char *file, int line) __attribute__((noreturn, cold));

#define must_check                      __attribute__((warn_unused_result))

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define array_count(a)                  (sizeof(a) / sizeof((a)[0]))

#endif
