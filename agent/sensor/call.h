/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A system call that has ended: which it was, what it was given, and the files that it names.
 */
#ifndef HUSHWATCH_CALL_H
#define HUSHWATCH_CALL_H

#include <asm-generic/errno.h>
#include <bpf/bpf_tracing.h>
#include "arch.h"
#include "calls.h"
#include "names.h"
#include "told.h"

#define AT_FDCWD -100

const volatile struct call calls[CALL_LIMIT] = CALLS;
const volatile struct call compat_calls[CALL_LIMIT] = COMPAT_CALLS;

struct made_call {
	struct pt_regs *regs;
	struct event event;
	struct call what;
	bool compat;
	__u32 error;
	long result;
	struct kept_names *kept;
	__u32 origin;		/* of what it names: FRAME_NAME, until something is told as the caller's memory has it: FRAME_ARGUMENT */
};

/* Calls that name files, whose names are kept. */
static __always_inline bool handler_names(__u32 handler)
{
	return handler == HANDLE_PATH || handler == HANDLE_MOUNT;
}

static __always_inline __u64 argument(struct made_call *c, __u32 n)
{
	return call_argument(c->regs, c->compat, n);
}

/* A connection that nobody took: an error of connect alone. */
static __always_inline bool is_unreachable(long result)
{
	return result == -ECONNREFUSED || result == -ETIMEDOUT || result == -EHOSTUNREACH || result == -ENETUNREACH ||
	       result == -ECONNRESET;
}

static __always_inline bool result_is_told(long result)
{
	return result >= 0 || result == -EPERM || result == -EACCES || result == -EINPROGRESS || is_unreachable(result);
}

/* False: the event is not for us. Everything before this is what each system call of the machine costs. */
static __always_inline bool call_begin(struct made_call *c, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 number = call_number(regs);

	if (number >= CALL_LIMIT)
		return false;
	c->regs = regs;
	c->result = result;
	c->kept = 0;
	c->origin = FRAME_NAME;
	c->error = result < 0 && result != -EINPROGRESS ? -result : 0;
	c->compat = call_is_compat(task);
	__builtin_memcpy(&c->what, (const void *)(c->compat ? &compat_calls[number] : &calls[number]), sizeof(c->what));
	if (c->what.class >= CLASS_COUNT || !class_watched(c->what.class))
		return false;
	if (is_unreachable(result) && c->what.class != CLASS_NETWORK)
		return false;
	if (c->what.class <= CLASS_NETWORK && is_ours(task))
		return false;
	return event_begin(&c->event, c->what.class);
}

static __always_inline struct file *file_of(struct task_struct *task, __u32 descriptor)
{
	struct fdtable *table = task->files->fdt;

	return descriptor < table->max_fds ? (void *)load64(table->fd + descriptor) : 0;
}

#define HANDLER(name) SEC("tp_btf/sys_exit") int BPF_PROG(name, struct pt_regs *regs, long result)

/*
 * What stands in an argument, put into the processor's text: the kernel's copy of it, `which` of those that were kept, or what
 * the caller's memory holds by now. Its length.
 */
static __always_inline __u32 said(struct made_call *c, int which, __u32 position)
{
	struct kept_names *kept = c->kept;
	char *text = c->event.processor->text;
	long got;

	if (kept && kept->names[which].length) {
		got = bpf_probe_read_kernel_str(text, TEXT_BYTES, kept->names[which].text);
	} else {
		got = bpf_probe_read_user_str(text, TEXT_BYTES, (void *)argument(c, position));
		c->origin = FRAME_ARGUMENT;
	}
	return got > 1 ? got - 1 : 0;
}

static __always_inline __u32 push_said(struct made_call *c, struct record *r, int which, __u32 position)
{
	__u32 length = said(c, which, position);

	push_text(r, c->event.processor->text, length);
	return length;
}

/* Where a relative name starts from: a descriptor or the working directory, as it is at the end of the call. */
static __always_inline void push_base(struct made_call *c, struct record *r, __u32 base)
{
	struct task_struct *task = c->event.task;
	struct dentry *dentry = task->fs->pwd.dentry;
	struct vfsmount *mnt = task->fs->pwd.mnt;
	int sharers_now = task->fs->users;
	struct file *file;

	if (base != NONE && (__s32)argument(c, base) != AT_FDCWD) {
		sharers_now = task->files->count.counter;
		file = file_of(task, argument(c, base));
		if (!file) {
			c->origin = FRAME_ARGUMENT;
			push_empty(r);
			return;
		}
		dentry = GET(file, f_path.dentry);
		mnt = GET(file, f_path.mnt);
	}
	if (!is_alone(task, sharers_now))
		c->origin = FRAME_ARGUMENT;
	push_path(r, c->event.processor, task->fs, dentry, mnt);
}

/* A path as it was said: the name, before it the directory that a relative one starts from. */
static __always_inline void push_said_path(struct made_call *c, struct record *r, int which, __u32 base, __u32 path)
{
	if (path == NONE) {
		push_empty(r);
		push_empty(r);
		return;
	}
	if (push_said(c, r, which, path) && c->event.processor->text[0] == '/')
		push_empty(r);
	else
		push_base(c, r, base);
}

static __always_inline void push_no_path(struct record *r)
{
	push_empty(r);
	push_empty(r);
}

/* A path that stands neither in an argument nor below a descriptor. */
static __always_inline void push_relative(struct record *r, struct event *e, const void *path)
{
	struct fs_struct *fs = e->task->fs;
	char *text = e->processor->text;

	if (push_user_string(r, text, path) && text[0] != '/')
		push_path(r, e->processor, fs, fs->pwd.dentry, fs->pwd.mnt);
	else
		push_empty(r);
}

static __always_inline void emit_file(struct made_call *c, struct record *r, struct inode *inode, __u32 flags, __u32 value)
{
	struct frame_file *f = PUSH_FIXED(r, struct frame_file);

	if (inode) {
		fill_object(&f->object, inode);
		flags |= FRAME_OBJECT;
	} else {
		__builtin_memset(&f->object, 0, sizeof(f->object));
	}
	fill_actor(&f->actor, c->event.task, c->error, c->event.repeats);
	f->flags = flags;
	f->value = value;
	emit(&c->event, r, c->what.kind);
}

#endif
