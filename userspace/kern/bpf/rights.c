/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kern_private.h"

/* By number: Debian 12's headers have them all, older ones lack the last two. */
enum { NET_ADMIN = 12, PERFMON = 38, BPF = 39, WORDS = 2 };

enum { EFFECTIVE = 1, PERMITTED = 2, INHERITABLE = 4 };

static int lower(const struct __user_cap_data_struct *old, int sets)
{
	static const int given_up[] = { NET_ADMIN, PERFMON, BPF };
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[WORDS] = { old[0], old[1] };

	for (size_t i = 0; i < sizeof(given_up) / sizeof(given_up[0]); i++) {
		struct __user_cap_data_struct *word = &data[given_up[i] / 32];
		__u32 bit = 1u << given_up[i] % 32;

		word->effective &= sets & EFFECTIVE ? ~bit : ~0u;
		word->permitted &= sets & PERMITTED ? ~bit : ~0u;
		word->inheritable &= sets & INHERITABLE ? ~bit : ~0u;
	}
	return (int)syscall(SYS_capset, &head, data);
}

void rights_drop(bool (*works)(void *arg), void *arg)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct old[WORDS];

	if (syscall(SYS_capget, &head, old) || lower(old, EFFECTIVE))
		return;
	if (works(arg))
		(void)lower(old, EFFECTIVE | PERMITTED | INHERITABLE);
	else
		(void)lower(old, 0);
}
