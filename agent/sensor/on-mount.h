/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * File systems: mounted, unmounted, another root. Whoever mounts a file system over another changes what every path means.
 */
#ifndef HUSHWATCH_ON_MOUNT_H
#define HUSHWATCH_ON_MOUNT_H

#include "call.h"

#define MS_RDONLY 1
#define MS_NOSUID 2
#define MS_NODEV 4
#define MS_NOEXEC 8
#define MS_REMOUNT 32
#define MS_BIND 4096
#define MS_MOVE 8192
#define MS_PROPAGATION (1u << 17 | 1u << 18 | 1u << 19 | 1u << 20)
#define MOVE_MOUNT_F_EMPTY_PATH 4

/* Of mount_setattr(2), the part that is read. */
struct mount_change {
	__u64 set;
	__u64 clear;
	__u64 propagation;
};

/* Further to the right in a tree; at its end it stands still. */
static long right_step(__u32 step, struct walker *walker)
{
	struct rb_node *right = GET(walker->walk->tree, rb_right);

	if (!right)
		return 1;
	walker->walk->tree = right;
	return 0;
}

/* The mount that was made last in a namespace: its mounts are kept in that order. */
static __always_inline struct mount *newest_mount(struct mnt_namespace *namespace, struct walk *w)
{
	struct mnt_namespace___before *before = (void *)namespace;
	struct mount___before *mount = 0;
	struct walker walker = { .walk = w };
	struct list_head *last;

	if (!bpf_core_field_exists(namespace->mounts)) {
		last = BPF_CORE_READ(before, list.prev);
		return (void *)last - bpf_core_field_offset(mount->mnt_list);
	}
	w->tree = GET(namespace, mounts.rb_node);
	if (!w->tree)
		return 0;
	bpf_loop(40, right_step, &walker, 0);
	return (void *)w->tree - bpf_core_field_offset(struct mount, mnt_node);
}

/* The caller's text ends in the name of that directory. What was mounted meanwhile by another is mounted elsewhere. */
static __always_inline bool ends_in(struct processor *p, __u32 length, struct dentry *dentry)
{
	__u32 name = GET(dentry, d_name.len) & 0xff;
	__u64 *got = (void *)p->key, *wanted = (void *)p->text + TEXT_BYTES - sizeof(p->key), different = 0;

	if (!name || length < name || length >= TEXT_BYTES - sizeof(p->key))
		return false;
	__builtin_memset(p->key, 0, sizeof(p->key));
	bpf_probe_read_kernel(p->key, name, p->text + ((length - name) & (TEXT_BYTES - 1)));
	__builtin_memset(wanted, 0, sizeof(p->key));
	bpf_probe_read_kernel(wanted, name, GET(dentry, d_name.name));
	/* One answer at the end: each place to leave would have the verifier look at all that follows once more. */
	for (int i = 0; i < sizeof(p->key) / 8; i++)
		different |= got[i] ^ wanted[i];
	return !different;
}

/* What the call attached, where the kernel still shows it; else the paths are the caller's. */
static __always_inline struct mount *attached(struct made_call *c, __u32 options)
{
	struct processor *p = c->event.processor;
	struct mount *mount;
	struct file *file;
	__u32 length;

	if (c->error || c->what.kind != FRAME_MOUNT)
		return 0;
	if (c->what.meaning == ATTACHED) {
		file = argument(c, 4) & MOVE_MOUNT_F_EMPTY_PATH ? file_of(c->event.task, argument(c, 0)) : 0;
		return file ? mount_of(GET(file, f_path.mnt)) : 0;
	}
	if (c->what.meaning == HOW || options & (MS_REMOUNT | MS_MOVE | MS_PROPAGATION))
		return 0;
	mount = newest_mount(c->event.task->nsproxy->mnt_ns, &p->walk);
	length = said(c, 1, 1);
	return mount && length && ends_in(p, length, GET(mount, mnt_mountpoint)) ? mount : 0;
}

static __always_inline __u32 options_of(struct made_call *c)
{
	struct mount_change change = {};

	if (c->what.meaning == VALUE)
		return c->what.kind == FRAME_MOUNT ? argument(c, c->what.value) : 0;
	if (c->what.meaning != HOW)
		return 0;
	bpf_probe_read_user(&change, sizeof(change), (void *)argument(c, c->what.value));
	return MS_REMOUNT | (change.set & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)) | (change.propagation & MS_PROPAGATION);
}

static __always_inline __u32 options_in_force(struct vfsmount *mnt)
{
	int flags = GET(mnt, mnt_flags);

	return (flags & MNT_READONLY ? MS_RDONLY : 0) | (flags & MNT_NOSUID ? MS_NOSUID : 0) |
	       (flags & MNT_NODEV ? MS_NODEV : 0) | (flags & MNT_NOEXEC ? MS_NOEXEC : 0);
}

static __always_inline void push_attached(struct made_call *c, struct record *r, struct mount *mount)
{
	struct vfsmount *mnt = (void *)mount + bpf_core_field_offset(struct mount, mnt);
	struct super_block *super = GET(mnt, mnt_sb);
	struct file_system_type *type = GET(super, s_type);

	push_kernel_string(r, c->event.processor->text, GET(type, name), 64);
	push_empty(r);
	push_path(r, c->event.processor, c->event.task->fs, GET(mnt, mnt_root), mnt);
}

/* What the kernel makes nothing of in such a call: the type, and what is mounted. */
static __always_inline bool is_change(__u32 options)
{
	return options & (MS_REMOUNT | MS_BIND | MS_MOVE | MS_PROPAGATION);
}

/* Then what is mounted is a directory, named by its path. */
static __always_inline bool shows_directory(__u32 options)
{
	return options & (MS_BIND | MS_MOVE) && !(options & MS_REMOUNT);
}

/* A word that the kernel took from the caller's memory and kept no copy of. */
static __always_inline void push_word(struct made_call *c, struct record *r, __u32 position, bool matters)
{
	if (!matters) {
		push_empty(r);
		return;
	}
	c->origin = FRAME_ARGUMENT;
	push_user_string(r, c->event.processor->text, (void *)argument(c, position));
}

static __always_inline void push_asked_for(struct made_call *c, struct record *r, __u32 options)
{
	push_word(c, r, 2, c->what.kind == FRAME_MOUNT && c->what.meaning == VALUE && !is_change(options));
	push_said_path(c, r, 1, c->what.base2, c->what.path2);
}

/* What is mounted: a directory that is shown a second time, or whatever the file system calls its source. */
static __always_inline void push_source(struct made_call *c, struct record *r, struct mount *mount, __u32 options)
{
	if (c->what.kind != FRAME_MOUNT || shows_directory(options) || (c->what.meaning == ATTACHED && !mount)) {
		push_said_path(c, r, 0, c->what.base, c->what.path);
		return;
	}
	if (mount)
		push_kernel_string(r, c->event.processor->text, GET(mount, mnt_devname), TEXT_BYTES);
	else
		push_word(c, r, 0, c->what.meaning == VALUE && !is_change(options));
	push_empty(r);
}

static __always_inline void mount_told(struct pt_regs *regs, long result, struct kept_names *kept)
{
	struct frame_mount *f;
	struct mount *mount;
	struct made_call c;
	struct record r;
	__u32 options;

	if (!call_begin(&c, regs, result) || !admit(&c.event, 0, false))
		return;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return;
	}
	c.kept = kept;
	options = any_number(c.event.processor, options_of(&c));
	mount = (void *)as_number(c.event.processor, attached(&c, options));
	if (mount) {
		c.origin = 0;
		push_attached(&c, &r, mount);
		options |= options_in_force((void *)mount + bpf_core_field_offset(struct mount, mnt));
	} else {
		push_asked_for(&c, &r, options);
	}
	push_source(&c, &r, mount, options);
	f = PUSH_FIXED(&r, struct frame_mount);
	fill_actor(&f->actor, c.event.task, c.error, c.event.repeats);
	f->flags = c.origin;
	f->options = options;
	emit(&c.event, &r, c.what.kind);
}

HANDLER(mounted)
{
	struct kept_names *kept = names_kept(bpf_get_current_task_btf());

	mount_told(regs, result, kept);
	names_forgotten(kept);
	return 0;
}

#endif
