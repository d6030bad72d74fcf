/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Files written: what a process writes through a descriptor is added up, and told when the descriptor ends: closed, replaced
 * by dup2, closed by an exec, or with its process. What another process wrote through its copy of it, that one tells.
 */
#ifndef HUSHWATCH_ON_WRITE_H
#define HUSHWATCH_ON_WRITE_H

#include "call.h"

#define WRITTEN_COUNT 8192
#define DESCRIPTORS_SEARCHED (1 << 16)

/* The file behind a descriptor when it was last written. Pointers are numbers: who looks may find something else there. */
struct written {
	__u64 file;
	__u64 dentry;
	__u64 mnt;
	__u64 inode;
	__u64 name;		/* d_name.hash_len */
	__u64 bytes;
	struct frame_object object;
};

/* By process and descriptor. Where it is full, each write is told at once instead. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WRITTEN_COUNT);
	__type(key, __u64);
	__type(value, struct written);
} written_files SEC(".maps");

/* How many of them fall on each place: nearly every close is of nothing written, and learns it here. */
#define PLACES 4096
__u32 written_places[PLACES];

/* The descriptors of a process among which there may be written ones. */
struct writer {
	__u32 lowest;
	__u32 highest;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WRITTEN_COUNT);
	__type(key, __u32);
	__type(value, struct writer);
} writers SEC(".maps");

static __always_inline __u64 written_key(struct task_struct *task, __u32 descriptor)
{
	return (__u64)task->tgid << 32 | descriptor;
}

static __always_inline __u32 *place_of(struct task_struct *task, __u32 descriptor)
{
	__u32 place = task->tgid * 31 + descriptor;

	barrier_var(place);
	return &written_places[place & (PLACES - 1)];
}

/* Freed memory keeps its bytes for a while, and another file may have got it: only if everything still fits is it the same. */
static __always_inline bool is_still_there(struct written *w)
{
	struct dentry *dentry = (void *)w->dentry;
	struct inode *inode = (void *)w->inode;
	struct vfsmount *mnt = (void *)w->mnt;
	struct super_block *super = GET(inode, i_sb);

	return (__u64)GET(dentry, d_inode) == w->inode && GET(dentry, d_name.hash_len) == w->name &&
	       GET(inode, i_ino) == w->object.inode && GET(super, s_dev) == w->object.device && GET(mnt, mnt_sb) == super;
}

static __always_inline void tell_written(struct event *e, struct written *w)
{
	__u64 identity = mix(mix(process_identity(e->task, FRAME_MODIFY, 0), w->dentry), w->name);
	struct frame_modify *f;
	struct record r;
	bool there;

	e->amount = w->bytes;
	if (!admit(e, mix(identity, w->object.inode) | 1, true))
		return;
	if (!record_begin(&r, e->processor)) {
		give_up(e);
		return;
	}
	there = is_still_there(w);
	push_empty(&r);
	if (there)
		push_path(&r, e->processor, e->task->fs, (void *)w->dentry, (void *)w->mnt);
	else
		push_empty(&r);
	f = PUSH_FIXED(&r, struct frame_modify);
	fill_actor(&f->actor, e->task, 0, e->repeats);
	if (there)
		fill_object(&f->object, (void *)w->inode);
	else
		f->object = w->object;
	f->bytes = e->amount;
	f->flags = FRAME_OBJECT;
	f->zero = 0;
	emit(e, &r, FRAME_MODIFY);
}

/* Of two threads that find the same end only one takes it. */
static __always_inline void end_written(struct task_struct *task, __u32 descriptor, struct written *found)
{
	__u64 key = written_key(task, descriptor);
	struct written w = *found;
	struct event e;

	if (bpf_map_delete_elem(&written_files, &key))
		return;
	__sync_fetch_and_add(place_of(task, descriptor), -1);
	if (event_begin(&e, CLASS_FILE))
		tell_written(&e, &w);
}

static __always_inline bool writer_noted(struct task_struct *task, __u32 descriptor)
{
	struct writer fresh = { .lowest = descriptor, .highest = descriptor }, *w;
	__u32 pid = task->tgid;

	w = bpf_map_lookup_elem(&writers, &pid);
	if (!w)
		return !bpf_map_update_elem(&writers, &pid, &fresh, BPF_ANY);
	if (descriptor < w->lowest)
		w->lowest = descriptor;
	if (descriptor > w->highest)
		w->highest = descriptor;
	return true;
}

/* The first write of a file through a descriptor. */
static __always_inline void begin_written(struct task_struct *task, __u32 descriptor, struct file *file, struct inode *inode,
					  long bytes)
{
	struct dentry *dentry = GET(file, f_path.dentry);
	__u64 key = written_key(task, descriptor);
	struct written w = { .name = GET(dentry, d_name.hash_len), .bytes = bytes };
	struct event e;

	if (!event_begin(&e, CLASS_FILE))
		return;
	w.file = as_number(e.processor, file);
	w.dentry = as_number(e.processor, dentry);
	w.mnt = as_number(e.processor, GET(file, f_path.mnt));
	w.inode = as_number(e.processor, inode);
	fill_object(&w.object, inode);
	if (writer_noted(task, descriptor) && !bpf_map_update_elem(&written_files, &key, &w, BPF_NOEXIST))
		__sync_fetch_and_add(place_of(task, descriptor), 1);
	else
		tell_written(&e, &w);
}

static __always_inline bool is_file(struct inode *inode)
{
	__u32 type = GET(inode, i_mode) & S_IFMT;

	return (type == S_IFREG && !(GET(inode, i_flags) & S_PRIVATE)) || type == S_IFBLK;
}

/* The position of its descriptor among the arguments of a call. */
static __always_inline __u32 descriptor_of(struct task_struct *task, struct pt_regs *regs)
{
	bool compat = call_is_compat(task);
	__u64 number = call_number(regs) & (CALL_LIMIT - 1);
	__u32 position = compat ? compat_calls[number].value : calls[number].value;

	return position == 0 ? call_argument(regs, compat, 0) : position == 1 ? call_argument(regs, compat, 1) :
							       call_argument(regs, compat, 2);
}

/* Most writes are to sockets and pipes: they leave here, before the tail call. */
static __always_inline bool writes_file(struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file *file = file_of(task, descriptor_of(task, regs));

	return file && is_file(GET(file, f_inode));
}

HANDLER(written)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 descriptor = descriptor_of(task, regs);
	struct file *file;
	struct written *w;
	struct inode *inode;
	__u64 key;

	if (result <= 0)
		return 0;
	file = file_of(task, descriptor);
	if (!file)
		return 0;
	inode = GET(file, f_inode);
	if (!is_file(inode) || is_ours(task))
		return 0;
	key = written_key(task, descriptor);
	w = bpf_map_lookup_elem(&written_files, &key);
	if (w && w->file == (__u64)file && w->inode == (__u64)inode) {
		struct dentry *dentry = (void *)w->dentry;

		w->name = GET(dentry, d_name.hash_len);
		__sync_fetch_and_add(&w->bytes, result);
		return 0;
	}
	if (w)		/* Its end was not seen, and another file has its number. */
		end_written(task, descriptor, w);
	begin_written(task, descriptor, file, inode, result);
	return 0;
}

HANDLER(closed)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 descriptor = descriptor_of(task, regs);
	__u64 key = written_key(task, descriptor);
	struct written *w;

	if (!*place_of(task, descriptor))
		return 0;
	w = bpf_map_lookup_elem(&written_files, &key);
	if (w && w->file != (__u64)file_of(task, descriptor))
		end_written(task, descriptor, w);
	return 0;
}

struct descriptors {
	__u32 first;
	bool all;		/* else those alone that are closed */
};

static long end_step(__u32 step, struct descriptors *d)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 descriptor = d->first + step;
	__u64 key = written_key(task, descriptor);
	struct written *w = bpf_map_lookup_elem(&written_files, &key);

	if (w && (d->all || w->file != (__u64)file_of(task, descriptor)))
		end_written(task, descriptor, w);
	return 0;
}

static __always_inline int end_each(struct task_struct *task, __u32 first, __u32 last, bool all)
{
	struct descriptors d = { .first = first, .all = all };
	__u32 pid = task->tgid;
	struct writer *w = bpf_map_lookup_elem(&writers, &pid);

	if (!w)
		return 0;
	if (d.first < w->lowest)
		d.first = w->lowest;
	if (last > w->highest)
		last = w->highest;
	if (last - d.first >= DESCRIPTORS_SEARCHED)
		last = last < d.first ? d.first - 1 : d.first + DESCRIPTORS_SEARCHED - 1;
	bpf_loop(last - d.first + 1, end_step, &d, 0);
	return 0;
}

HANDLER(range_closed)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool compat = call_is_compat(task);

	return end_each(task, call_argument(regs, compat, 0), call_argument(regs, compat, 1), false);
}

/* What an exec closed. Attached before on_exec: it was the program before that wrote. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec_files, struct task_struct *task)
{
	return end_each(task, 0, ~0u, false);
}

/* Files are still open here. Two last threads may both find nobody else alive; each descriptor is told once all the same. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit_files, struct task_struct *task)
{
	__u32 pid = task->tgid;

	if (task->signal->live.counter)
		return 0;
	end_each(task, 0, ~0u, true);
	bpf_map_delete_elem(&writers, &pid);
	return 0;
}

#endif
