/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_RCU_H
#define IO_RCU_H

#include <stdatomic.h>

/*
 * Published data is immutable and replaced whole.  A reactor may use what it loaded until its
 * turn ends and no longer: the end of a turn is its quiescent state, a sleeping reactor is
 * quiescent.  Workers hold counted references instead.
 */
struct rcu_head {
	struct rcu_head *next;
	void (*free)(struct rcu_head *self);
	unsigned long epoch; /* io's own */
};

#define rcu_publish(slot, value) atomic_store_explicit((slot), (value), memory_order_release)
#define rcu_load(slot)           atomic_load_explicit((slot), memory_order_acquire)

/* reactor: free(head) runs on this reactor once every reactor has been quiescent since now. */
void rcu_defer(struct rcu_head *head, void (*free)(struct rcu_head *self));

#endif
