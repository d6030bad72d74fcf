/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Who lives already: every process, told in full, to a reader of the iterator. No event, so it passes by the economy and is
 * counted nowhere; it goes to the reader itself and never through the ring.
 */
#ifndef HUSHWATCH_LIVING_H
#define HUSHWATCH_LIVING_H

#include "told.h"
#include <bpf/bpf_tracing.h>

/*
 * Room of its own: this program may sleep while it reads arguments, and in that time its processor's scratch would be
 * missing to events. There is one reader.
 */
struct own_room {
	struct processor processor;
	struct scratch scratch;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct own_room);
} rooms SEC(".maps");

/* As the process has them now: it may have written over them. */
static __always_inline bool push_arguments_of(struct record *r, struct task_struct *task, struct mm_struct *mm)
{
	unsigned long start = GET(mm, arg_start), end = GET(mm, arg_end);
	__u32 length = end - start < ARGS_BYTES ? end - start : ARGS_BYTES - 1, stop = r->at;

	r->at -= length;
	if (bpf_copy_from_user_task(AT(r), length & (ARGS_BYTES - 1), (void *)start, task, 0)) {
		r->at = stop;
		push_empty(r);
		return false;
	}
	string_end(r, stop);
	return length == end - start;
}

static __always_inline void push_program(struct record *r, struct processor *p, struct task_struct *task, struct mm_struct *mm,
					 struct file *file)
{
	push_cgroup(r, p, task->cgroups->dfl_cgrp->kn);
	push_path(r, p, task->fs, task->fs->pwd.dentry, task->fs->pwd.mnt);
	push_path(r, p, task->fs, GET(file, f_path.dentry), GET(file, f_path.mnt));
}

/* Of a process its first thread; another where the first has ended before the process. */
static __always_inline bool stands_for_process(struct task_struct *task)
{
	if (task->pid == task->tgid)
		return task->mm || task->flags & PF_KTHREAD;
	return task->mm && !task->group_leader->mm;
}

SEC("iter.s/task")
int BPF_PROG(living, struct bpf_iter_meta *meta, struct task_struct *task)
{
	__u64 at_ns = bpf_ktime_get_boot_ns();
	struct frame_exec *f;
	struct mm_struct *mm;
	struct file *file;
	struct own_room *room;
	struct record r;
	__u32 zero = 0, size, flags = 0;

	room = bpf_map_lookup_elem(&rooms, &zero);
	if (!room || !task || !stands_for_process(task))
		return 0;
	r.bytes = room->scratch.bytes;
	r.at = FRAME_MAX;
	push_empty(&r);	/* script */
	if (!domain_at && task->flags & PF_KTHREAD)
		find_domains(task);
	mm = task->mm;
	file = mm ? GET(mm, exe_file) : 0;
	if (file) {
		flags = FRAME_OBJECT | (push_arguments_of(&r, task, mm) ? 0 : FRAME_ARGS_CUT);
		push_program(&r, &room->processor, task, mm, file);
	} else {
		push_empty(&r), push_empty(&r), push_empty(&r), push_empty(&r);
	}
	f = PUSH_FIXED(&r, struct frame_exec);
	__builtin_memset(f, 0, sizeof(*f));
	fill_actor(&f->actor, task, 0, 0);
	fill_credentials(&f->credentials, task);
	if (file)
		fill_object(&f->object, GET(file, f_inode));
	f->parent_start_ns = task->real_parent->group_leader->start_boottime;
	f->parent_pid = task->real_parent->tgid;
	f->mnt_namespace = task->nsproxy->mnt_ns->ns.inum;
	f->net_namespace = task->nsproxy->net_ns->ns.inum;
	f->user_namespace = task->cred->user_ns->ns.inum;
	f->pid_namespace = pid_namespace_of(task);
	f->flags = flags;
	f->domain = domain_of(task);
	size = FRAME_MAX - r.at;
	f->head = (struct frame_head){ .size = size, .version = FRAME_VERSION, .kind = FRAME_PROCESS, .at_ns = at_ns };
	if (task->mm == mm)	/* else it ends, or becomes another program, while we look: that is an event */
		bpf_seq_write(meta->seq, f, size & (FRAME_MAX - 1));
	return 0;
}

#endif
