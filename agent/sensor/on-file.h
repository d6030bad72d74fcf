/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Files: opened, named, changed.
 */
#ifndef HUSHWATCH_ON_FILE_H
#define HUSHWATCH_ON_FILE_H

#include "call.h"
#include "watch.h"

#define O_ACCMODE 3
#define O_TRUNC 01000

static __always_inline __u64 open_flags(struct made_call *c)
{
	__u64 flags = 0;

	switch (c->what.meaning) {
	case CREAT:
		return O_TRUNC | 1;
	case HOW:
		bpf_probe_read_user(&flags, sizeof(flags), (void *)argument(c, c->what.value));
		return flags;
	}
	return argument(c, c->what.value);
}

static __always_inline int open_refused(struct made_call *c)
{
	__u64 flags = open_flags(c);
	struct record r;

	if (!admit(&c->event, 0, true))
		return 0;
	if (!record_begin(&r, c->event.processor)) {
		give_up(&c->event);
		return 0;
	}
	push_empty(&r);
	push_empty(&r);
	push_said_path(c, &r, 0, c->what.base, c->what.path);
	emit_file(c, &r, 0, c->origin | (flags & O_ACCMODE ? FRAME_WRITE : 0) | (flags & O_TRUNC ? FRAME_TRUNCATED : 0), 0);
	return 0;
}

static __always_inline __u64 file_identity(struct made_call *c, struct dentry *dentry, struct inode *inode, __u32 flags)
{
	__u64 process = process_identity(c->event.task, c->what.kind, flags);

	/* The name's hash is salted with its directory: a file renamed or made anew is another object. */
	return mix(mix(mix(process, as_number(c->event.processor, dentry)), GET(dentry, d_name.hash_len)), GET(inode, i_ino)) | 1;
}

static __always_inline int open_for_write(struct made_call *c, struct file *file, struct dentry *dentry, __u32 mode)
{
	struct inode *inode = GET(file, f_inode);
	__u32 flags = mode & FMODE_WRITE ? FRAME_WRITE : 0;
	__u64 identity = 0;
	struct record r;

	if (open_flags(c) & O_TRUNC)
		flags |= FRAME_TRUNCATED;
	if (mode & FMODE_CREATED)
		flags |= FRAME_CREATED;
	else
		identity = file_identity(c, dentry, inode, flags);
	if (!admit(&c->event, identity, !may_be_watched(dentry)))
		return 0;
	if (!record_begin(&r, c->event.processor)) {
		give_up(&c->event);
		return 0;
	}
	push_empty(&r);
	push_empty(&r);
	push_empty(&r);
	push_path(&r, c->event.processor, c->event.task->fs, dentry, GET(file, f_path.mnt));
	emit_file(c, &r, inode, flags, 0);
	return 0;
}

static __always_inline int open_for_read(struct made_call *c, struct file *file, struct dentry *dentry, bool raw)
{
	struct inode *inode = GET(file, f_inode);
	struct record r;
	__u32 end;

	if (!record_begin(&r, c->event.processor))
		return 0;
	push_empty(&r);
	push_empty(&r);
	push_empty(&r);
	end = r.at;
	push_path(&r, c->event.processor, c->event.task->fs, dentry, GET(file, f_path.mnt));
	if ((!raw && !is_watched(c->event.processor, AT(&r) + 2, end - r.at - 2, dentry)) ||
	    !admit(&c->event, file_identity(c, dentry, inode, 0), true)) {
		record_end(c->event.processor);
		return 0;
	}
	emit_file(c, &r, inode, 0, 0);
	return 0;
}

static __always_inline bool is_null_device(struct file *file)
{
	struct inode *inode = GET(file, f_inode);

	return (GET(inode, i_mode) & S_IFMT) == S_IFCHR && GET(inode, i_rdev) == DEVICE_NULL;
}

/* A disk, the machine's memory or a process's: whoever reads it passes every other check by. Told whether watched or not. */
static __always_inline bool is_raw(struct file *file, struct dentry *dentry)
{
	struct inode *inode = GET(file, f_inode);
	__u32 type = GET(inode, i_mode) & S_IFMT, device;
	struct super_block *super;

	if (type == S_IFBLK)
		return true;
	if (type == S_IFCHR) {
		device = GET(inode, i_rdev);
		return device == DEVICE(1, 1) || device == DEVICE(1, 2) || device == DEVICE(1, 4);	/* mem, kmem, port */
	}
	if (GET(dentry, d_name.len) != 3 || (load64(GET(dentry, d_name.name)) & 0xffffff) != ('m' | 'e' << 8 | 'm' << 16))
		return false;
	super = GET(inode, i_sb);
	return GET(super, s_magic) == PROC_SUPER_MAGIC;
}

/* Most opens are to read what nobody watches: they leave before anything else is looked at. */
HANDLER(open_ended)
{
	struct dentry *dentry;
	struct made_call c;
	struct file *file;
	bool read, raw;
	__u32 mode;

	if (result < 0)
		return call_begin(&c, regs, result) ? open_refused(&c) : 0;
	file = file_of(bpf_get_current_task_btf(), result);
	if (!file)
		return 0;
	mode = GET(file, f_mode);
	dentry = GET(file, f_path.dentry);
	read = !(mode & (FMODE_WRITE | FMODE_CREATED));
	raw = read && is_raw(file, dentry);
	if (mode & FMODE_PATH || (read ? !raw && !may_be_watched(dentry) : is_null_device(file)) || !call_begin(&c, regs, result))
		return 0;
	return read ? open_for_read(&c, file, dentry, raw) : open_for_write(&c, file, dentry, mode);
}

/* The name of an extended attribute stands where another call has its second path. */
static __always_inline void push_second(struct made_call *c, struct record *r)
{
	if (c->what.kind != FRAME_XATTR) {
		push_said_path(c, r, 1, c->what.base2, c->what.path2);
		return;
	}
	push_user_string(r, c->event.processor->text, (void *)argument(c, c->what.path2));
	push_empty(r);
}

static __always_inline __u32 asked_for(struct made_call *c)
{
	__u32 value = argument(c, c->what.value);

	return c->what.meaning == DIRECTORY ? S_IFDIR | (value & ~S_IFMT) : c->what.meaning == REMOVED ? 1 : value;
}

/* The text of a symbolic link is no path yet. */
static __always_inline void push_first(struct made_call *c, struct record *r)
{
	if (c->what.kind != FRAME_SYMLINK) {
		push_said_path(c, r, 0, c->what.base, c->what.path);
		return;
	}
	push_said(c, r, 0, c->what.path);
	push_empty(r);
}

static __always_inline void path_told(struct pt_regs *regs, long result, struct kept_names *kept)
{
	struct made_call c;
	struct record r;

	if (!call_begin(&c, regs, result) || (c.what.kind == FRAME_EXEC_REFUSED && result >= 0))
		return;
	if (!admit(&c.event, 0, true))
		return;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return;
	}
	c.kept = kept;
	push_second(&c, &r);
	push_first(&c, &r);
	emit_file(&c, &r, 0, c.origin | (c.what.kind == FRAME_OPEN ? FRAME_NODE : 0), asked_for(&c));
}

HANDLER(path_ended)
{
	struct kept_names *kept = names_kept(bpf_get_current_task_btf());

	path_told(regs, result, kept);
	names_forgotten(kept);
	return 0;
}

HANDLER(descriptor_ended)
{
	struct dentry *dentry;
	struct inode *inode;
	struct made_call c;
	struct file *file;
	struct record r;
	__u64 identity;
	__u32 value;

	if (!call_begin(&c, regs, result))
		return 0;
	file = file_of(c.event.task, argument(&c, 0));
	if (!file)
		return 0;
	value = asked_for(&c);
	inode = GET(file, f_inode);
	dentry = GET(file, f_path.dentry);
	identity = c.what.kind == FRAME_XATTR ? 0 : mix(file_identity(&c, dentry, inode, c.error), value) | 1;
	if (!admit(&c.event, identity, true))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	push_second(&c, &r);
	push_empty(&r);
	push_path(&r, c.event.processor, c.event.task->fs, dentry, GET(file, f_path.mnt));
	emit_file(&c, &r, inode, 0, value);
	return 0;
}

HANDLER(memfd_ended)
{
	struct dentry *dentry;
	struct made_call c;
	struct file *file;
	struct record r;
	__u32 end;

	if (!call_begin(&c, regs, result) || result < 0)
		return 0;
	file = file_of(c.event.task, result);
	if (!file || !admit(&c.event, 0, true))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	dentry = GET(file, f_path.dentry);
	push_empty(&r);
	push_empty(&r);
	push_empty(&r);
	end = r.at;
	push_bytes(&r, GET(dentry, d_name.name), GET(dentry, d_name.len) & 0xff);
	string_end(&r, end);
	emit_file(&c, &r, GET(file, f_inode), 0, 0);
	return 0;
}

#endif
