/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What is told about a process, a file, or a thing that only has a name.
 */
#ifndef HUSHWATCH_TOLD_H
#define HUSHWATCH_TOLD_H

#include "economy.h"

static __always_inline void fill_object(struct frame_object *object, struct inode *inode)
{
	struct super_block *super = GET(inode, i_sb);

	object->inode = GET(inode, i_ino);
	object->device = GET(super, s_dev);
	object->mode = GET(inode, i_mode);
	object->uid = GET(inode, i_uid.val);
	object->gid = GET(inode, i_gid.val);
	object->links = GET(inode, i_nlink);
	object->zero = 0;
}

static __always_inline void fill_credentials(struct frame_credentials *to, struct task_struct *task)
{
	const struct cred *cred = task->cred;
	__u64 capabilities = 0;

	bpf_core_read(&capabilities, sizeof(capabilities), &cred->cap_effective);
	to->real_uid = cred->uid.val;
	to->effective_uid = cred->euid.val;
	to->saved_uid = cred->suid.val;
	to->effective_gid = cred->egid.val;
	to->effective_capabilities = capabilities;
	to->login_uid = bpf_core_field_exists(task->loginuid) ? task->loginuid.val : ~0u;
	to->audit_session = bpf_core_field_exists(task->sessionid) ? task->sessionid : ~0u;
}

/*
 * SELinux keeps a number for the domain of a process, of which /proc tells the words. It lies among what the security modules
 * add to credentials, behind the parts of those that come first, so its place differs from machine to machine. Threads of
 * the kernel have number 1 there twice (before the exec, and now), and nothing but zeros before: that is how it is found.
 */
#define SECURITY_WORDS 8
#define DOMAIN_OF_KERNEL (1ull << 32 | 1)

__u32 domain_at;		/* 0: not found */

static __always_inline void find_domains(struct task_struct *thread)
{
	__u64 words[SECURITY_WORDS] = {};

	bpf_probe_read_kernel(words, sizeof(words), thread->cred->security);
	for (__u32 i = 0; i < SECURITY_WORDS; i++) {
		if (words[i] == DOMAIN_OF_KERNEL)
			domain_at = i * sizeof(*words) + sizeof(__u32);
		if (words[i])
			return;
	}
}

static __always_inline __u32 domain_of(struct task_struct *task)
{
	__u32 domain = 0, at = domain_at;

	if (at)
		bpf_probe_read_kernel(&domain, sizeof(domain), task->cred->security + at);
	return domain;
}

/* The pid namespace that the process itself is in. */
static __always_inline struct pid_namespace *pid_space_of(struct task_struct *task)
{
	struct pid *pid = task->thread_pid;
	struct pid_namespace *namespace = 0;
	__u32 offset = pid->level * bpf_core_type_size(struct upid) & 1023;	/* 32 levels; Linux 6.1 wants to see a bound */

	bpf_core_read(&namespace, sizeof(namespace), (void *)&pid->numbers[0].ns + offset);
	return namespace;
}

static __always_inline __u32 pid_namespace_of(struct task_struct *task)
{
	struct pid_namespace *namespace = pid_space_of(task);

	return namespace ? GET(namespace, ns.inum) : 0;
}

static __always_inline int named(struct event *e, const char *name, __u32 limit, __u32 kind, __u32 type, __u32 error)
{
	struct frame_named *f;
	struct record r;

	if (!record_begin(&r, e->processor)) {
		give_up(e);
		return 0;
	}
	if (name)
		push_kernel_string(&r, e->processor->text, name, limit);
	else
		push_empty(&r);
	f = PUSH_FIXED(&r, struct frame_named);
	fill_actor(&f->actor, e->task, error, e->repeats);
	f->type = type;
	f->value = 0;
	emit(e, &r, kind);
	return 0;
}

#endif
