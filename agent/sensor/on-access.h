/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Other processes: their memory and descriptors taken without ptrace, signals sent to them.
 *
 * Told of signals: those from one process to another user's, and those from anybody to Hushwatch itself. What the kernel
 * sends by its own decision (a terminal that hangs up, a timer, a fault) is nobody's deed.
 */
#ifndef HUSHWATCH_ON_ACCESS_H
#define HUSHWATCH_ON_ACCESS_H

#include "find.h"

static __always_inline __u64 target_identity(struct event *e, const struct target *t, __u32 kind, __u32 error, __u32 what)
{
	return mix(mix(process_identity(e->task, kind, error), (__u64)what << 32 | t->pid), t->start_ns) | 1;
}

HANDLER(access_ended)
{
	struct target target;
	struct made_call c;
	__u32 what;

	if (!call_begin(&c, regs, result))
		return 0;
	what = c.what.meaning;
	if (what == ACCESS_DESCRIPTOR)
		target_of_descriptor(&target, c.event.task, argument(&c, 0));
	else
		target_of_number(&target, c.event.task, argument(&c, 0));
	if (target.start_ns && target.pid == (__u32)c.event.task->tgid)
		return 0;
	if (what == ACCESS_HANDLE && target.uid == c.event.task->cred->euid.val)
		return 0;
	if (!admit(&c.event, target_identity(&c.event, &target, FRAME_ACCESS, c.error, what), true))
		return 0;
	return emit_target(&c.event, &target, FRAME_ACCESS, c.error, what, 0);
}

/* The call that the process is in is one that sends signals; a timer that fires under it is not. */
static __always_inline bool sends_signal(struct task_struct *task)
{
	struct pt_regs *regs;
	__u64 number;

	if (!task->mm)
		return false;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	number = call_number(regs);
	if (number >= CALL_LIMIT)
		return false;
	return (call_is_compat(task) ? compat_calls : calls)[number].handler == HANDLE_SIGNAL;
}

SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int signal, struct kernel_siginfo *info, struct task_struct *to)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target target;
	struct event e;

	if (task->tgid == to->tgid || (task->cred->euid.val == to->cred->uid.val && !is_ours(to)))
		return 0;
	if (!class_watched(CLASS_PRIVILEGE) || !sends_signal(task) || !event_begin(&e, CLASS_PRIVILEGE))
		return 0;
	target.pid = to->tgid;
	target.start_ns = to->group_leader->start_boottime;
	target.uid = to->cred->uid.val;
	if (!admit(&e, target_identity(&e, &target, FRAME_SIGNAL, 0, signal), true))
		return 0;
	return emit_target(&e, &target, FRAME_SIGNAL, 0, signal, 0);
}

/* Signal 0 only asks whether the process is there. */
HANDLER(signal_ended)
{
	struct target target;
	struct made_call c;
	__u32 signal;

	if (result >= 0 || !call_begin(&c, regs, result))
		return 0;
	signal = argument(&c, c.what.value);
	if (!signal)
		return 0;
	if (c.what.base != NONE)
		target_of_descriptor(&target, c.event.task, argument(&c, c.what.base));
	else
		target_of_number(&target, c.event.task, argument(&c, c.what.path));
	if (!admit(&c.event, target_identity(&c.event, &target, FRAME_SIGNAL, c.error, signal), true))
		return 0;
	return emit_target(&c.event, &target, FRAME_SIGNAL, c.error, signal, 0);
}

#endif
