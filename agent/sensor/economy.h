/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What an event may cost: identical ones merge, a process that floods is sampled (account.h), bulk yields to what is rare when
 * the ring fills up, and every outcome is counted. Each event that is admitted here is seen once and ends in exactly one of
 * emitted, merged, sampled, lost.
 */
#ifndef HUSHWATCH_ECONOMY_H
#define HUSHWATCH_ECONOMY_H

#include "account.h"

#define EXCLUDED_COUNT 16
#define MERGE_SETS (1 << 13)
#define MERGE_WAYS 4
#define WAKE_BYTES (64 << 10)

/* Set before the programs are loaded. */
const volatile __u32 classes_watched = ~0u;
const volatile __u32 merge_ms = 2000;
const volatile __u64 ring_bytes = 8 << 20;
/* The group of processes, by its inode number, whose groups are ours: the slice that a service manager gave us. */
const volatile __u64 excluded_group;

/* Changed while they run. */
__u32 excluded[EXCLUDED_COUNT];
__u64 lost_events;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ROOM_COUNT);
	__type(key, __u32);
	__type(value, struct processor);
} processors SEC(".maps");

/* The last event that was emitted for a (process, object, operation). */
struct merge_slot {
	__u64 identity;
	__u32 at_ms;
	__u32 repeats;
};

/* Those of whom each has its place in one of these: 64 bytes, half a megabyte in all. */
struct merge_set {
	struct merge_slot ways[MERGE_WAYS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MERGE_SETS);
	__type(key, __u32);
	__type(value, struct merge_set);
} merge_sets SEC(".maps");

/* What the repeats of a slot amounted to, of events that have an amount. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MERGE_SETS * MERGE_WAYS);
	__type(key, __u32);
	__type(value, __u64);
} merged_amounts SEC(".maps");

struct event {
	struct task_struct *task;
	struct processor *processor;
	struct merge_slot *slot;
	__u64 identity;
	__u64 at_ns;
	__u64 waiting;		/* bytes in the ring */
	__u64 amount;		/* of what it tells, where events that merge add up */
	__u32 repeats;
	__u32 class;
	__u64 process;		/* name of who pays */
};

static __always_inline bool class_watched(__u32 class)
{
	return classes_watched & 1u << class;
}

static __always_inline bool is_excluded(__u32 pid)
{
#pragma unroll
	for (int i = 0; i < EXCLUDED_COUNT; i++)
		if (excluded[i] == pid)
			return true;
	return false;
}

/* One of ours, whose routine input and output is not news. */
static __always_inline bool is_ours(struct task_struct *task)
{
	struct kernfs_node *above;

	if (is_excluded(task->tgid))
		return true;
	if (!excluded_group)
		return false;
	above = node_above(task->cgroups->dfl_cgrp->kn);
	return above && GET(above, id) == excluded_group;
}

static __always_inline __u64 process_identity(struct task_struct *task, __u32 kind, __u32 error)
{
	return mix(process_name(task), error << 8 | kind);
}

static __always_inline void count_lost(struct class_counters *counters)
{
	counters->lost++;
	__sync_fetch_and_add(&lost_events, 1);
}

/* An event of a process that may not be the current one. */
static __always_inline bool event_begin_for(struct event *e, __u32 class, __u64 process, __u32 room)
{
	e->task = bpf_get_current_task_btf();
	e->processor = bpf_map_lookup_elem(&processors, &room);
	e->slot = 0;
	e->identity = 0;
	e->repeats = 0;
	e->amount = 0;
	e->class = class;
	e->process = process;
	if (e->processor)
		e->processor->room = room;
	return e->processor;
}

static __always_inline bool event_begin(struct event *e, __u32 class)
{
	return event_begin_for(e, class, process_name(bpf_get_current_task_btf()), ROOM_TASK);
}

/* It is below CLASS_COUNT, and the verifier of Linux 6.1 forgets that when it is kept on the stack; it wants to see a mask. */
static __always_inline __u32 class_seen(__u32 class)
{
	barrier_var(class);
	return class & 7;
}

#define COUNTERS(e) (&(e)->processor->classes[class_seen((e)->class)])

/* What merged into an event adds to its amount; what another event left behind does not. */
static __always_inline void add_merged(struct event *e, __u32 index, bool repeats, bool merges)
{
	__u64 *merged = e->amount ? bpf_map_lookup_elem(&merged_amounts, &index) : 0;

	if (!merged)
		return;
	if (!repeats)
		*merged = 0;
	else if (merges)
		__sync_fetch_and_add(merged, e->amount);
	else
		e->amount += __sync_lock_test_and_set(merged, 0);
}

/*
 * Which place of its set an event has, or takes: that of an identical one, else that of the one emitted longest ago. A function that
 * the verifier looks at once, not from wherever an event is admitted.
 */
__noinline __u32 merge_way(__u64 identity)
{
	__u32 index = identity >> 51, oldest_ms, oldest = 0;
	struct merge_set *set = bpf_map_lookup_elem(&merge_sets, &index);

	if (!set)
		return 0;
	oldest_ms = set->ways[0].at_ms;
#pragma unroll
	for (int way = 0; way < MERGE_WAYS; way++) {
		if (set->ways[way].identity == identity)
			return way;
		if ((__s32)(set->ways[way].at_ms - oldest_ms) < 0) {
			oldest_ms = set->ways[way].at_ms;
			oldest = way;
		}
	}
	return oldest;
}

/* It is being repeated: within the window after an identical one. */
static __always_inline bool is_repeat(struct event *e)
{
	__u32 index = e->identity >> 51, way;
	struct merge_slot *slot;
	struct merge_set *set;
	bool repeats, merges;

	if (!e->identity || !merge_ms)
		return false;
	set = bpf_map_lookup_elem(&merge_sets, &index);
	if (!set)
		return false;
	way = merge_way(e->identity) & (MERGE_WAYS - 1);
	slot = &set->ways[way];
	index = index * MERGE_WAYS + way;
	e->slot = slot;
	repeats = slot->identity == e->identity;
	merges = repeats && (__u32)(e->at_ns / 1000000) - slot->at_ms < merge_ms;
	add_merged(e, index, repeats, merges);
	if (merges)
		__sync_fetch_and_add(&slot->repeats, 1);
	else if (repeats)
		e->repeats = slot->repeats;
	return merges;
}

/* Of the ring, in eighths: how far events of a class, and those that are rare, may fill it. */
static __always_inline __u32 ceiling(__u32 class, bool common)
{
	if (!common)
		return 8;
	return class <= CLASS_NETWORK ? 6 : 7;
}

/*
 * The event is seen. False: it ends here, merged, sampled or lost. `identity` 0 is an event like no other. What is not
 * `common` has a purse and room in the ring of its own: no flood of the same process, or class, stands in its way.
 */
static __always_inline bool admit(struct event *e, __u64 identity, bool common)
{
	struct class_counters *counters = COUNTERS(e);
	__u32 eighths;

	counters->seen++;
	e->at_ns = bpf_ktime_get_boot_ns();
	e->identity = identity;
	if (is_repeat(e)) {
		counters->merged++;
		return false;
	}
	e->waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
	eighths = e->waiting * 8 / ring_bytes;
	if (!pays(e->process, common ? e->class : PURSE_RARE, e->at_ns, eighths)) {
		counters->sampled++;
		return false;
	}
	if (eighths >= ceiling(e->class, common)) {
		count_lost(counters);
		return false;
	}
	return true;
}

static __always_inline void fill_actor(struct frame_actor *actor, struct task_struct *task, __u32 error, __u32 repeats)
{
	const struct cred *cred = task->cred;

	actor->start_ns = task->group_leader->start_boottime;
	actor->pid = task->tgid;
	actor->tid = task->pid;
	actor->uid = cred->euid.val;
	actor->gid = cred->egid.val;
	actor->error = error;
	actor->repeats = repeats;
}

/* Puts a fixed part in front of what the record holds. */
#define PUSH_FIXED(r, type) ({ (r)->at -= sizeof(type); (type *)AT(r); })

/* An admitted event whose record could not be built. */
static __always_inline void give_up(struct event *e)
{
	count_lost(COUNTERS(e));
}

static __always_inline void emit(struct event *e, struct record *r, __u32 kind)
{
	struct frame_head *head = (void *)AT(r);
	__u32 size = FRAME_MAX - r->at;
	__u64 flags = BPF_RB_NO_WAKEUP;

	head->size = size;
	head->version = FRAME_VERSION;
	head->kind = kind;
	head->at_ns = e->at_ns;
	head->lost = lost_events;
	/* Whoever fills the buffer past the mark rings once; the reader empties it whole, and looks by itself every 50 ms. */
	if (e->waiting < WAKE_BYTES && e->waiting + size >= WAKE_BYTES)
		flags = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(&ring, head, size & (FRAME_MAX - 1), flags)) {
		record_end(e->processor);
		count_lost(COUNTERS(e));
		return;
	}
	record_end(e->processor);
	COUNTERS(e)->emitted++;
	if (!e->slot)
		return;
	if (e->slot->identity == e->identity) {
		__sync_fetch_and_add(&e->slot->repeats, -e->repeats);
	} else {
		e->slot->identity = e->identity;
		e->slot->repeats = 0;
	}
	e->slot->at_ms = e->at_ns / 1000000;
}

#endif
