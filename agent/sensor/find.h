/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Which process is meant: by the number that a caller gives it, in the caller's own pid namespace, or by a pidfd. Found in
 * the kernel's own tables, as the call itself found it.
 */
#ifndef HUSHWATCH_FIND_H
#define HUSHWATCH_FIND_H

#include "call.h"

#define TREE_DEPTH 6

/* Who is acted upon; `start_ns` 0 where only the number is known. */
struct target {
	__u64 start_ns;
	__u32 pid;
	__u32 uid;
};

static __always_inline void target_is(struct target *t, struct task_struct *task)
{
	struct cred *cred = (void *)GET(task, cred);
	struct task_struct *leader = GET(task, group_leader);

	t->pid = GET(task, tgid);
	t->start_ns = GET(leader, start_boottime);
	t->uid = GET(cred, uid.val);
}

static __always_inline void target_is_number(struct target *t, __u32 number)
{
	t->pid = number;
	t->start_ns = 0;
	t->uid = ~0u;
}

/* What the pid namespace knows by this number: down its tree, six bits a step; an inner node is marked 2 in its pointer. */
static __always_inline __u64 pid_of_number(struct pid_namespace *namespace, __u32 number)
{
	__u64 entry = load64((void *)namespace + bpf_core_field_offset(struct pid_namespace, idr.idr_rt.xa_head));

#pragma unroll
	for (int step = 0; step < TREE_DEPTH; step++) {
		void *node = (void *)(entry - 2);
		__u32 index;

		if ((entry & 3) != 2)
			return step || !number ? entry : 0;
		index = number >> (GET((struct xa_node *)node, shift) & 31);
		if (!step && index > 63)
			return 0;
		entry = load64(node + bpf_core_field_offset(struct xa_node, slots) + (index & 63) * sizeof(void *));
	}
	return 0;
}

static __always_inline bool target_of_pid(struct target *t, __u64 pid)
{
	__u64 link;

	if (!pid)
		return false;
	link = load64((void *)pid + bpf_core_field_offset(struct pid, tasks));
	if (!link)
		return false;
	target_is(t, (void *)(link - bpf_core_field_offset(struct task_struct, pid_links)));
	return true;
}

static __always_inline void target_of_number(struct target *t, struct task_struct *caller, __u32 number)
{
	struct pid_namespace *namespace = pid_space_of(caller);

	target_is_number(t, number);
	if (namespace)
		target_of_pid(t, pid_of_number(namespace, number));
}

/* Since Linux 6.9 a pidfd is a file of a file system of its own. The call has already said that it is one. */
static __always_inline void target_of_descriptor(struct target *t, struct task_struct *caller, __u32 descriptor)
{
	struct file *file = file_of(caller, descriptor);
	struct inode *inode;
	__u64 pid;

	target_is_number(t, 0);
	if (!file)
		return;
	inode = GET(file, f_inode);
	pid = (__u64)GET(file, private_data);
	target_of_pid(t, pid ? pid : (__u64)GET(inode, i_private));
}

static __always_inline int emit_target(struct event *e, const struct target *t, __u32 kind, __u32 error, __u32 what, __u32 more)
{
	struct frame_target *f;
	struct record r;

	if (!record_begin(&r, e->processor)) {
		give_up(e);
		return 0;
	}
	f = PUSH_FIXED(&r, struct frame_target);
	fill_actor(&f->actor, e->task, error, e->repeats);
	f->target_start_ns = t->start_ns;
	f->target_pid = t->pid;
	f->target_uid = t->uid;
	f->what = what;
	f->more = more;
	emit(e, &r, kind);
	return 0;
}

#endif
