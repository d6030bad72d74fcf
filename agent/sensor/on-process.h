/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Processes: made, become another program, ended.
 */
#ifndef HUSHWATCH_ON_PROCESS_H
#define HUSHWATCH_ON_PROCESS_H

#include "told.h"
#include "names.h"
#include <bpf/bpf_tracing.h>

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *forker, struct task_struct *child)
{
	struct frame_fork *f;
	struct record r;
	struct event e;

	if (child->pid != child->tgid)
		return 0;
	account_shared(forker, child);
	note_sharing(forker, child);
	if (!class_watched(CLASS_PROCESS) || !event_begin(&e, CLASS_PROCESS))
		return 0;
	if (!admit(&e, 0, true))
		return 0;
	if (!record_begin(&r, e.processor)) {
		give_up(&e);
		return 0;
	}
	f = PUSH_FIXED(&r, struct frame_fork);
	fill_actor(&f->actor, child, 0, 0);
	f->parent_start_ns = child->real_parent->group_leader->start_boottime;
	f->parent_pid = child->real_parent->tgid;
	f->zero = 0;
	emit(&e, &r, FRAME_FORK);
	return 0;
}

/* The new program's arguments lie in its own, freshly written stack: whatever the caller did to its copy is past. */
static __always_inline bool push_arguments(struct record *r, struct task_struct *task)
{
	unsigned long start = task->mm->arg_start, end = task->mm->arg_end;
	__u32 length = end - start < ARGS_BYTES ? end - start : ARGS_BYTES - 1, stop = r->at;

	r->at -= length;
	if (bpf_probe_read_user(AT(r), length & (ARGS_BYTES - 1), (void *)start)) {
		r->at = stop;
		string_end(r, stop);
		return false;
	}
	string_end(r, stop);
	return length == end - start;
}

/* What was asked for, where its first line (or binfmt_misc) named another program to run: the string that the kernel used. */
static __always_inline void push_script(struct record *r, struct processor *p, struct linux_binprm *bprm)
{
	if (bprm->interp == bprm->filename)
		push_empty(r);
	else
		push_kernel_string(r, p->text, bprm->filename, TEXT_BYTES);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old, struct linux_binprm *bprm)
{
	struct file *file = bprm->file;
	struct nsproxy *namespaces = task->nsproxy;
	struct frame_exec *f;
	struct record r;
	struct event e;
	bool whole;

	account_founded(task, bpf_ktime_get_boot_ns());
	if (!class_watched(CLASS_PROCESS) || !event_begin(&e, CLASS_PROCESS) || !admit(&e, 0, false))
		return 0;
	if (!record_begin(&r, e.processor)) {
		give_up(&e);
		return 0;
	}
	push_script(&r, e.processor, bprm);
	whole = push_arguments(&r, task);
	push_cgroup(&r, e.processor, task->cgroups->dfl_cgrp->kn);
	push_path(&r, e.processor, task->fs, task->fs->pwd.dentry, task->fs->pwd.mnt);
	push_path(&r, e.processor, task->fs, GET(file, f_path.dentry), GET(file, f_path.mnt));

	f = PUSH_FIXED(&r, struct frame_exec);
	fill_actor(&f->actor, task, 0, 0);
	fill_credentials(&f->credentials, task);
	fill_object(&f->object, GET(file, f_inode));
	f->parent_start_ns = task->real_parent->group_leader->start_boottime;
	f->parent_pid = task->real_parent->tgid;
	f->args_count = bprm->argc;
	f->mnt_namespace = namespaces->mnt_ns->ns.inum;
	f->net_namespace = namespaces->net_ns->ns.inum;
	f->user_namespace = task->cred->user_ns->ns.inum;
	f->pid_namespace = pid_namespace_of(task);
	f->flags = FRAME_OBJECT | (whole ? 0 : FRAME_ARGS_CUT);
	f->domain = domain_of(task);
	emit(&e, &r, FRAME_EXEC);
	return 0;
}

static __always_inline int process_ended(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct frame_exit *f;
	struct record r;
	struct event e;
	int code;

	if (!class_watched(CLASS_PROCESS) || !event_begin(&e, CLASS_PROCESS) || !admit(&e, 0, true))
		return 0;
	if (!record_begin(&r, e.processor)) {
		give_up(&e);
		return 0;
	}
	code = task->signal->flags & SIGNAL_GROUP_EXIT ? task->signal->group_exit_code : leader->exit_code;
	f = PUSH_FIXED(&r, struct frame_exit);
	fill_actor(&f->actor, task, 0, 0);
	f->code = code >> 8 & 0xff;
	f->signal = code & 0x7f;
	emit(&e, &r, FRAME_EXIT);
	return 0;
}

/* Since Linux 6.15 the kernel says itself which thread was the last. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task, bool group_dead)
{
	return group_dead ? process_ended(task) : 0;
}

/* Before, two last threads may both find nobody else alive; the first to say so reports. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} ended SEC(".maps");

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit_before, struct task_struct *task)
{
	__u64 start = task->group_leader->start_boottime, key = mix(start, task->tgid);

	if (task->signal->live.counter || bpf_map_update_elem(&ended, &key, &start, BPF_NOEXIST))
		return 0;
	return process_ended(task);
}

#endif
