/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Names freed: the moment at which the kernel's copy of a path is still whole and nobody can change it any more (names.h).
 * The tracepoint is that of everything that the kernel frees from a cache, so whoever is not a name leaves after one comparison.
 */
#ifndef HUSHWATCH_ON_NAME_H
#define HUSHWATCH_ON_NAME_H

#include "call.h"

#define SEARCHES 1000000
#define NAMES_CACHE 0x61635f73656d616eull	/* "names_ca" */
#define NAMES_CACHE_END 0x656863u		/* "che" */

/* The cache that names come from, once one was seen; and how many others were looked at before. */
__u64 names_cache;
__u64 caches_searched;

static __always_inline bool is_names_cache(struct kmem_cache *cache)
{
	const char *name;

	if (names_cache)
		return (__u64)cache == names_cache;
	if (caches_searched > SEARCHES)
		return false;
	caches_searched++;
	name = GET(cache, name);
	if (load64(name) != NAMES_CACHE || (__u32)load64(name + 8) != NAMES_CACHE_END)
		return false;
	*(struct kmem_cache *volatile *)&names_cache = cache;
	return true;
}

/* Within the call, not in what a thread does for its rings on the way out; an audited one frees its names on the way out. */
static __always_inline bool is_within_call(struct task_struct *task, struct pt_regs *regs)
{
	if (task->flags & (PF_KTHREAD | PF_IO_WORKER))
		return false;
	return call_has_no_result(regs) || (bpf_core_field_exists(task->audit_context) && task->audit_context);
}

/*
 * Which of the call's two paths it is. A name that the kernel made itself was said by nobody; the only one that matters is
 * what a bind mount shows, which the caller gives as text. Two paths at one address cannot be told apart.
 */
static __always_inline int which_name(const volatile struct call *what, struct pt_regs *regs, bool compat, __u64 said_at)
{
	bool first = what->path != NONE && said_at == call_argument(regs, compat, what->path);
	bool second = what->path2 != NONE && said_at == call_argument(regs, compat, what->path2);

	if (!said_at)
		return what->handler == HANDLE_MOUNT && what->meaning == VALUE && what->kind == FRAME_MOUNT ? 0 : -1;
	return first == second ? -1 : second;
}

static __always_inline struct kept_names *place_taken(struct task_struct *task)
{
	struct kept_names *kept = place_of_thread(task);
	__u32 thread = task->pid;

	if (!kept || kept->thread == thread)
		return kept;
	if (__sync_val_compare_and_swap(&kept->thread, 0, thread))
		return 0;
	kept->names[0].length = kept->names[1].length = 0;
	return kept;
}

static __always_inline void keep(struct task_struct *task, struct filename *name, int which)
{
	struct kept_names *kept = place_taken(task);
	struct kept_name *to;
	long got;

	if (!kept)
		return;
	to = which ? &kept->names[1] : &kept->names[0];
	got = bpf_probe_read_kernel_str(to->text, TEXT_BYTES, GET(name, name));
	to->length = got > 0 ? got : 0;
}

SEC("tp_btf/kmem_cache_free")
int BPF_PROG(on_name_freed, unsigned long caller, const void *freed, struct kmem_cache *cache)
{
	const volatile struct call *what;
	struct filename *name = 0;
	struct task_struct *task;
	struct pt_regs *regs;
	__u64 number;
	bool compat;
	int which;

	if (!is_names_cache(cache))
		return 0;
	task = bpf_get_current_task_btf();
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	number = call_number(regs);
	compat = call_is_compat(task);
	if (number >= CALL_LIMIT)
		return 0;
	what = compat ? &compat_calls[number] : &calls[number];
	if (!handler_names(what->handler) || !is_within_call(task, regs))
		return 0;
	/* Up to Linux 6.12 the verifier does not let a program load what the tracepoint calls a `const void *`. */
	bpf_probe_read_kernel(&name, sizeof(name), &ctx[1]);
	/* A long name lies elsewhere, and this may be its text alone. What was kept before it was not the last of its call. */
	if ((__u64)GET(name, name) != (__u64)name + bpf_core_field_offset(name->iname)) {
		names_forgotten(names_kept(task));
		return 0;
	}
	which = which_name(what, regs, compat, (__u64)GET(name, uptr));
	if (which >= 0)
		keep(task, name, which);
	return 0;
}

#endif
