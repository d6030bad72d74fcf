/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The kernel's own copies of the paths that a call names. It copies a path before it looks at it, and frees the copy within
 * the call; what is freed is what it used, whatever stands in the caller's memory by then.
 *
 *	on_name_freed (on-name.h) keeps a copy -> the handler of the call takes it (call.h) -> names_forgotten
 *
 * A place holds the names of one thread, from the first that is freed to the end of its call. Where the place of a thread is
 * taken by another, or a name is one of the few thousand bytes that the kernel keeps elsewhere, there is no copy, and the
 * path is told as the caller said it.
 */
#ifndef HUSHWATCH_NAMES_H
#define HUSHWATCH_NAMES_H

#include "record.h"

#define KEPT_PLACES 128
#define SHARER_WORDS 256

struct kept_name {
	__u32 length;		/* with the byte that ends it; 0: none */
	char text[TEXT_BYTES];
};

struct kept_names {
	__u32 thread;
	struct kept_name names[2];	/* `path` and `path2` of struct call */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KEPT_PLACES);
	__type(key, __u32);
	__type(value, struct kept_names);
} kept_names SEC(".maps");

/* Processes that have had descriptors or the working directory in common with another process. */
__u64 sharers[SHARER_WORDS];

static __always_inline struct kept_names *place_of_thread(struct task_struct *task)
{
	__u32 index = task->pid & (KEPT_PLACES - 1);

	return bpf_map_lookup_elem(&kept_names, &index);
}

/* What was kept for the call that this thread is in, or nothing. */
static __always_inline struct kept_names *names_kept(struct task_struct *task)
{
	struct kept_names *kept = place_of_thread(task);

	return kept && kept->thread == (__u32)task->pid ? kept : 0;
}

/* At the end of every call that may have names kept; the next one must find none but its own. */
static __always_inline void names_forgotten(struct kept_names *kept)
{
	if (kept)
		kept->thread = 0;
}

static __always_inline __u64 *sharer_word(__u32 process)
{
	__u32 index = process >> 6;

	barrier_var(index);
	return &sharers[index & (SHARER_WORDS - 1)];
}

/* Threads are not meant: the kernel remembers of a process that it had some. */
static __always_inline void note_sharing(struct task_struct *forker, struct task_struct *child)
{
	if (child->flags & PF_KTHREAD || (child->files != forker->files && child->fs != forker->fs))
		return;
	__sync_fetch_and_or(sharer_word(forker->tgid), 1ull << (forker->tgid & 63));
	__sync_fetch_and_or(sharer_word(child->tgid), 1ull << (child->tgid & 63));
}

/*
 * Nobody but the caller can have put another directory where a relative name starts from while the call ran, not even a thread
 * that has ended since. `sharers_now`: of its table of descriptors, or of its working directory.
 */
static __always_inline bool is_alone(struct task_struct *task, int sharers_now)
{
	struct signal_struct *signal = task->signal;

	return sharers_now == 1 && signal->nr_threads == 1 && !signal->sum_sched_runtime &&
	       !(*sharer_word(task->tgid) >> (task->tgid & 63) & 1);
}

#endif
