/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Privilege: credentials changed, other processes taken hold of.
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

#endif
