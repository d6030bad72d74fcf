/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Privilege: credentials changed, other processes taken hold of by ptrace, namespaces entered, keys used.
 */
#ifndef HUSHWATCH_ON_PRIVILEGE_H
#define HUSHWATCH_ON_PRIVILEGE_H

#include "call.h"

#define PTRACE_TRACEME 0
#define PTRACE_POKETEXT 4
#define PTRACE_POKEUSR 6
#define PTRACE_SETREGS 13
#define PTRACE_SETFPREGS 15
#define PTRACE_ATTACH 16
#define PTRACE_SETREGSET 0x4205
#define PTRACE_SEIZE 0x4206

#define CLONE_NEWNS 0x20000
#define CLONE_NEWCGROUP 0x2000000
#define CLONE_NEWUTS 0x4000000
#define CLONE_NEWIPC 0x8000000
#define CLONE_NEWUSER 0x10000000
#define CLONE_NEWPID 0x20000000
#define CLONE_NEWNET 0x40000000
#define CLONE_NEWTIME 0x80
#define CLONE_NEW (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
		   CLONE_NEWTIME)

HANDLER(credentials_ended)
{
	struct frame_change *f;
	struct made_call c;
	struct record r;
	__u64 identity;

	if (!call_begin(&c, regs, result))
		return 0;
	identity = process_identity(c.event.task, c.what.kind, c.error);
	identity = mix(identity, (__u64)c.event.task->cred->uid.val << 32 | c.event.task->cred->euid.val);
	identity = mix(identity, (__u64)c.event.task->cred->suid.val << 32 | c.event.task->cred->egid.val);
	if (c.what.kind == FRAME_CAPABILITIES)
		identity = 0;
	if (!admit(&c.event, identity, true))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	f = PUSH_FIXED(&r, struct frame_change);
	fill_actor(&f->actor, c.event.task, c.error, c.event.repeats);
	fill_credentials(&f->credentials, c.event.task);
	emit(&c.event, &r, c.what.kind);
	return 0;
}

static __always_inline bool takes_hold(__u64 request)
{
	return request == PTRACE_TRACEME || (request >= PTRACE_POKETEXT && request <= PTRACE_POKEUSR) ||
	       request == PTRACE_SETREGS || request == PTRACE_SETFPREGS || request == PTRACE_ATTACH ||
	       request == PTRACE_SETREGSET || request == PTRACE_SEIZE;
}

struct search {
	struct list_head *entry;
	struct list_head *head;
	struct task_struct *found;
	__u32 level;
	__s32 number;
};

static long search_step(__u32 step, struct search *s)
{
	struct task_struct *task = (void *)s->entry - bpf_core_field_offset(struct task_struct, ptrace_entry);
	__u32 offset = s->level * bpf_core_type_size(struct upid);
	struct pid *pid;
	__s32 number = 0;

	if (!s->entry || s->entry == s->head)
		return 1;
	pid = GET(task, thread_pid);
	bpf_core_read(&number, sizeof(number), (void *)&pid->numbers[0].nr + offset);
	if (number == s->number) {
		s->found = task;
		return 1;
	}
	s->entry = GET(s->entry, next);
	return 0;
}

/* The tracee by the number that the tracer gives it: it stands in the tracer's own list. */
static __always_inline struct task_struct *tracee(struct processor *p, struct task_struct *task, __s32 number)
{
	struct search s = {
		.entry = (void *)as_number(p, task->ptraced.next),
		.head = (void *)as_number(p, &task->ptraced),
		.level = task->thread_pid->level & 31,
		.number = number,
	};

	bpf_loop(256, search_step, &s, 0);
	return s.found;
}

HANDLER(trace_ended)
{
	struct task_struct *target = 0;
	__u64 request, start = 0;
	struct frame_trace *f;
	struct made_call c;
	struct record r;
	__u32 pid;

	if (!call_begin(&c, regs, result))
		return 0;
	request = argument(&c, 0);
	pid = argument(&c, 1);
	if (!takes_hold(request))
		return 0;
	if (request == PTRACE_TRACEME)
		target = c.event.task->real_parent;
	else if (!c.error)
		target = tracee(c.event.processor, c.event.task, pid);
	if (target) {
		struct task_struct *leader = GET(target, group_leader);

		pid = GET(target, tgid);
		start = GET(leader, start_boottime);
	}
	if (!admit(&c.event, mix(process_identity(c.event.task, c.what.kind, c.error), request << 32 | pid) | 1, true))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	f = PUSH_FIXED(&r, struct frame_trace);
	fill_actor(&f->actor, c.event.task, c.error, c.event.repeats);
	f->target_start_ns = start;
	f->target_pid = pid;
	f->request = request;
	emit(&c.event, &r, FRAME_TRACE);
	return 0;
}

/* As the process is afterwards. */
static __always_inline int namespace_told(struct event *e, struct task_struct *task, __u32 error, __u32 types, __u32 how)
{
	struct nsproxy *namespaces = task->nsproxy;
	struct frame_namespace *f;
	struct record r;

	if (!namespaces || !admit(e, 0, true))
		return 0;
	if (!record_begin(&r, e->processor)) {
		give_up(e);
		return 0;
	}
	f = PUSH_FIXED(&r, struct frame_namespace);
	fill_actor(&f->actor, task, error, e->repeats);
	f->mnt = namespaces->mnt_ns->ns.inum;
	f->pid = namespaces->pid_ns_for_children->ns.inum;
	f->net = namespaces->net_ns->ns.inum;
	f->user = task->cred->user_ns->ns.inum;
	f->types = types;
	f->how = how;
	emit(e, &r, FRAME_NAMESPACE);
	return 0;
}

/* Of a namespace's own descriptor the caller need not say which kind it is. */
static __always_inline __u32 namespace_type(struct task_struct *task, __u32 descriptor)
{
	struct file *file = file_of(task, descriptor);
	struct ns_common___before *before;
	struct ns_common *namespace;
	struct inode *inode;

	if (!file)
		return 0;
	inode = GET(file, f_inode);
	namespace = (void *)GET(inode, i_private);
	if (bpf_core_field_exists(namespace->ns_type))
		return GET(namespace, ns_type);
	before = (void *)namespace;
	return BPF_CORE_READ(before, ops, type);
}

HANDLER(namespace_ended)
{
	struct made_call c;
	__u32 types;

	if (!call_begin(&c, regs, result))
		return 0;
	if (c.what.meaning == NAMESPACE_UNSHARED) {
		types = argument(&c, 0) & CLONE_NEW;
		return types ? namespace_told(&c.event, c.event.task, c.error, types, NAMESPACE_UNSHARED) : 0;
	}
	types = argument(&c, 1);
	if (!types)
		types = namespace_type(c.event.task, argument(&c, 0));
	return namespace_told(&c.event, c.event.task, c.error, types & CLONE_NEW, NAMESPACE_JOINED);
}

/* Children and threads that begin in namespaces of their own. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork_namespaces, struct task_struct *forker, struct task_struct *child)
{
	struct nsproxy *old = forker->nsproxy, *new = child->nsproxy;
	__u32 types = forker->cred->user_ns == child->cred->user_ns ? 0 : CLONE_NEWUSER;
	struct event e;

	if (old == new && !types)
		return 0;
	if (!old || !new || !class_watched(CLASS_PRIVILEGE) || !event_begin(&e, CLASS_PRIVILEGE))
		return 0;
	types |= (old->mnt_ns == new->mnt_ns ? 0 : CLONE_NEWNS) | (old->net_ns == new->net_ns ? 0 : CLONE_NEWNET) |
		 (old->uts_ns == new->uts_ns ? 0 : CLONE_NEWUTS) | (old->ipc_ns == new->ipc_ns ? 0 : CLONE_NEWIPC) |
		 (old->cgroup_ns == new->cgroup_ns ? 0 : CLONE_NEWCGROUP) |
		 (pid_space_of(forker) == pid_space_of(child) ? 0 : CLONE_NEWPID);
	return types ? namespace_told(&e, child, 0, types, NAMESPACE_BORN) : 0;
}

/* The type is the caller's word; of a key itself, of its description or content, nothing is read. */
HANDLER(key_ended)
{
	struct frame_named *f;
	struct made_call c;
	struct record r;
	__u32 what;

	if (!call_begin(&c, regs, result))
		return 0;
	what = c.what.meaning ? KEY_ADD + c.what.meaning - 1 : argument(&c, 0);
	if (!admit(&c.event, mix(process_identity(c.event.task, FRAME_KEY, c.error), what) | 1, true))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	if (c.what.meaning)
		push_user_string(&r, c.event.processor->text, (void *)argument(&c, 0));
	else
		push_empty(&r);
	f = PUSH_FIXED(&r, struct frame_named);
	fill_actor(&f->actor, c.event.task, c.error, c.event.repeats);
	f->type = what;
	f->value = 0;
	emit(&c.event, &r, FRAME_KEY);
	return 0;
}

#endif
