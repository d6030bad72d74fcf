/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Who floods pays for it, nobody else. An account has a purse for each class and one for what is rare; an event is paid for with
 * time, and a purse may be overdrawn by one burst.
 *
 * The fuller the ring, the dearer the event: a few floods settle at a price at which what they emit together is what the agent
 * takes, long before the ring is full, and whoever emits little does not notice.
 *
 * Forking makes no money. A child spends from its parent's account; a program that it starts is given an account of its own,
 * with the same debts, and founding one has its price too: the programs of a process that is deep in debt stay with it.
 */
#ifndef HUSHWATCH_ACCOUNT_H
#define HUSHWATCH_ACCOUNT_H

#include "record.h"

#define ACCOUNT_COUNT (1 << 13)
#define PROCESS_COUNT (1 << 14)
#define PURSE_RARE CLASS_COUNT
#define PURSE_FOUNDING (CLASS_COUNT + 1)
#define PURSE_COUNT (CLASS_COUNT + 2)
#define CHEAP_EIGHTHS 3		/* of the ring: until then an event costs one interval */
#define FOUNDING_SHARE 64	/* of a burst */

/* Set before the programs are loaded. */
const volatile __u64 rate_interval_ns = 20000;
const volatile __u64 rate_burst_ns = 1000000000;
const volatile __u64 merge_seed = 1;

/* When each purse will have been paid for. */
struct account {
	__u64 paid[PURSE_COUNT];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ACCOUNT_COUNT);
	__type(key, __u64);
	__type(value, struct account);
} accounts SEC(".maps");

/* The account of a process, where it is not the one that bears its own name. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PROCESS_COUNT);
	__type(key, __u64);
	__type(value, __u64);
} sponsors SEC(".maps");

static __always_inline __u64 mix(__u64 a, __u64 b)
{
	a = (a ^ b) * 0x9e3779b97f4a7c15;
	return a ^ a >> 29;
}

static __always_inline __u64 name_of(__u32 pid, __u64 start_ns)
{
	return mix(mix(merge_seed, pid), start_ns);
}

static __always_inline __u64 process_name(struct task_struct *task)
{
	return name_of(task->tgid, task->group_leader->start_boottime);
}

static __always_inline __u64 account_of(__u64 name)
{
	__u64 *sponsor = bpf_map_lookup_elem(&sponsors, &name);

	return sponsor ? *sponsor : name;
}

static __always_inline __u64 account_name(struct task_struct *task)
{
	return account_of(process_name(task));
}

static __always_inline __u64 price(__u32 eighths)
{
	return eighths < CHEAP_EIGHTHS ? rate_interval_ns : rate_interval_ns << (2 * (eighths - CHEAP_EIGHTHS + 1) & 15);
}

static __always_inline __u64 later(__u64 a, __u64 b)
{
	return (__s64)(a - b) > 0 ? a : b;
}

/* False where the purse is overdrawn. */
static __always_inline bool pays(__u64 process, __u32 purse, __u64 now, __u32 eighths)
{
	__u64 name = account_of(process);
	struct account *account = bpf_map_lookup_elem(&accounts, &name);
	struct account fresh = {};

	if (!account) {
		fresh.paid[purse] = now + price(eighths);
		bpf_map_update_elem(&accounts, &name, &fresh, BPF_ANY);
		return true;
	}
	if ((__s64)(account->paid[purse] - now) > (__s64)rate_burst_ns)
		return false;
	account->paid[purse] = later(account->paid[purse], now) + price(eighths);
	return true;
}

static __always_inline void account_shared(struct task_struct *parent, struct task_struct *child)
{
	__u64 name = process_name(child), sponsor = account_name(parent);

	bpf_map_update_elem(&sponsors, &name, &sponsor, BPF_ANY);
}

static __always_inline bool deep_in_debt(struct account *account, __u64 now)
{
#pragma unroll
	for (int purse = 0; purse < PURSE_COUNT; purse++)
		if ((__s64)(account->paid[purse] - now) > (__s64)(rate_burst_ns / 2))
			return true;
	return false;
}

/* A program begins. */
static __always_inline void account_founded(struct task_struct *task, __u64 now)
{
	__u64 own = process_name(task), name = account_name(task);
	struct account *account = bpf_map_lookup_elem(&accounts, &name);

	if (own == name || (account && deep_in_debt(account, now)))
		return;
	if (account) {
		account->paid[PURSE_FOUNDING] = later(account->paid[PURSE_FOUNDING], now) + rate_burst_ns / FOUNDING_SHARE;
		bpf_map_update_elem(&accounts, &own, account, BPF_ANY);
	}
	bpf_map_delete_elem(&sponsors, &own);
}

#endif
