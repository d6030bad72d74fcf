/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Building one record: from its end to its beginning. A path is walked from the leaf to the root, so writing backwards puts
 * every byte where it stays; the strings come first, last of all the fixed part, and what lies between is one frame.
 */
#ifndef HUSHWATCH_RECORD_H
#define HUSHWATCH_RECORD_H

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "frame.h"
#include "kernel.h"

#define PATH_DEPTH 256
#define PATH_BYTES 3000
#define CGROUP_BYTES 1000
#define TEXT_BYTES 4096
#define ARGS_BYTES 8192

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/* The kernel has bpf_rdonly_cast (6.2 and later): reading a field is one load instead of a call. */
const volatile bool can_cast;

#define GET(pointer, field) ({ \
	typeof(pointer) from_ = (pointer); \
	typeof(from_->field) got_; \
	if (can_cast) \
		got_ = ((typeof(from_))bpf_rdonly_cast(from_, bpf_core_type_id_kernel(typeof(*from_))))->field; \
	else \
		bpf_core_read(&got_, sizeof(got_), &from_->field); \
	got_; \
})

/* Eight bytes of kernel memory, whatever they are; a kernel type that begins with a number lends its name. */
static __always_inline __u64 load64(const void *from)
{
	__u64 got = 0;

	if (can_cast)
		return ((struct qstr *)bpf_rdonly_cast(from, bpf_core_type_id_kernel(struct qstr)))->hash_len;
	bpf_probe_read_kernel(&got, sizeof(got), from);
	return got;
}

/* The second half is never written; it is there so that the verifier can see every position plus every length inside. */
struct scratch {
	__u8 bytes[2 * FRAME_MAX];
};

/*
 * Each processor has two of everything: what the network does interrupts what a task does, also in the middle of a record
 * or of counting.
 */
enum room { ROOM_TASK, ROOM_INTERRUPT, ROOM_COUNT };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ROOM_COUNT);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* A record being built: the bytes from `at` to FRAME_MAX are its end. */
struct record {
	__u8 *bytes;
	__u32 at;
};

/*
 * Where a walk towards a root has got to. It lies in a map, not on the stack: what is read from a map the verifier takes for
 * any number, so that one step looks to it like every other.
 */
struct walk {
	__u32 at;
	__u32 floor;
	bool whole;
	struct dentry *dentry;
	struct dentry *mount_root;
	struct vfsmount *mnt;
	struct dentry *root_dentry;
	struct vfsmount *root_mnt;
	struct kernfs_node *node;
	struct rb_node *tree;
};

/* Of one processor: what it counted, and room to work in. */
struct processor {
	struct class_counters classes[CLASS_COUNT];
	__u64 unread;
	__u32 room;
	__u32 busy;
	struct walk walk;
	__u64 number;
	char text[TEXT_BYTES];
	char key[256];
};

/*
 * A number of which the verifier knows nothing any more, as it came out of a map. What it knew of two ways to one place would
 * have it look at all that follows twice.
 */
static __always_inline __u64 any_number(struct processor *p, __u64 number)
{
	*(volatile __u64 *)&p->number = number;
	return *(volatile __u64 *)&p->number;
}

/*
 * barrier_var: the compiler often knows a bound from afar and would drop the mask; the verifier of Linux 6.1 forgets the
 * bound on the way and wants to see the mask.
 */
#define AT(record) ({ \
	__u32 at_ = (record)->at; \
	barrier_var(at_); \
	(record)->bytes + (at_ & (FRAME_MAX - 1)); \
})

/* False where the processor's room is taken: a kernel that lets one program interrupt another on it. */
static __always_inline bool record_begin(struct record *r, struct processor *p)
{
	__u32 room = p->room;

	if (p->busy)
		return false;
	r->bytes = bpf_map_lookup_elem(&scratches, &room);
	r->at = any_number(p, FRAME_MAX);
	if (!r->bytes)
		return false;
	p->busy = 1;
	return true;
}

static __always_inline void record_end(struct processor *p)
{
	p->busy = 0;
}

/* Ends the string that began being written at `end`: its length goes in front of it. */
static __always_inline void string_end(struct record *r, __u32 end)
{
	__u16 length = end - r->at;

	r->at -= sizeof(length);
	*(__u16 *)AT(r) = length;
}

static __always_inline void push_empty(struct record *r)
{
	string_end(r, r->at);
}

static __always_inline void push_bytes(struct record *r, const void *from, __u32 length)
{
	r->at -= length;
	barrier_var(length);
	bpf_probe_read_kernel(AT(r), length & (TEXT_BYTES - 1), from);
}

static __always_inline void push_text(struct record *r, const char *text, __u32 length)
{
	__u32 end = r->at;

	push_bytes(r, text, length);
	string_end(r, end);
}

static __always_inline __u32 push_user_string(struct record *r, char *text, const void *from)
{
	long got = bpf_probe_read_user_str(text, TEXT_BYTES, from);
	__u32 length = got > 1 ? got - 1 : 0;

	push_text(r, text, length);
	return length;
}

static __always_inline void push_kernel_string(struct record *r, char *text, const void *from, __u32 limit)
{
	long got = bpf_probe_read_kernel_str(text, limit, from);

	push_text(r, text, got > 1 ? got - 1 : 0);
}

/* A pointer as a number: the verifier lets nobody calculate with what it knows to be a pointer, so it passes through a map. */
static __always_inline __u64 as_number(struct processor *p, const void *pointer)
{
	*(const void *volatile *)&p->number = pointer;
	return *(volatile __u64 *)&p->number;
}

struct walker {
	struct walk *walk;
	__u8 *bytes;
	char *text;
};

static __always_inline struct mount *mount_of(struct vfsmount *mnt)
{
	return (void *)mnt - bpf_core_field_offset(struct mount, mnt);
}

/* One step towards the root: across a mount, or over one name. */
static long walk_step(__u32 step, struct walker *walker)
{
	struct walk *w = walker->walk;
	struct dentry *dentry = w->dentry, *parent;
	struct record r = { .bytes = walker->bytes, .at = w->at };
	__u32 length;

	if (dentry == w->root_dentry && w->mnt == w->root_mnt) {
		w->whole = true;
		return 1;
	}
	if (dentry == w->mount_root) {
		struct mount *mount = mount_of(w->mnt), *above = GET(mount, mnt_parent);
		struct vfsmount *mnt = (void *)above + bpf_core_field_offset(struct mount, mnt);

		if (above == mount || !above) {
			w->whole = true;
			return 1;
		}
		w->dentry = GET(mount, mnt_mountpoint);
		w->mount_root = GET(mnt, mnt_root);
		w->mnt = mnt;
		return 0;
	}
	length = GET(dentry, d_name.len) & 0xff;
	if (r.at < w->floor + length)
		return 1;
	push_bytes(&r, GET(dentry, d_name.name), length);
	parent = GET(dentry, d_parent);
	r.at--;
	*AT(&r) = '/';
	w->at = r.at;
	if (parent == dentry) {		/* Not in any directory: memfd and its like. */
		w->whole = true;
		return 1;
	}
	w->dentry = parent;
	return 0;
}

static __always_inline void push_path(struct record *r, struct processor *p, struct fs_struct *fs, struct dentry *dentry,
				      struct vfsmount *mnt)
{
	struct walker walker = { .walk = &p->walk, .bytes = r->bytes };
	struct walk *w = &p->walk;
	__u32 end = r->at;

	w->at = end;
	w->floor = end - PATH_BYTES;
	w->whole = false;
	w->dentry = dentry;
	w->mnt = mnt;
	w->mount_root = GET(mnt, mnt_root);
	w->root_dentry = GET(fs, root.dentry);
	w->root_mnt = GET(fs, root.mnt);
	bpf_loop(PATH_DEPTH, walk_step, &walker, 0);
	r->at = w->at;
	if (!w->whole) {
		r->at -= 3;
		__builtin_memcpy(AT(r), "...", 3);
	} else if (r->at == end) {
		r->at--;
		*AT(r) = '/';
	}
	string_end(r, end);
}

static __always_inline struct kernfs_node *node_above(struct kernfs_node *node)
{
	struct kernfs_node___before *before = (void *)node;

	if (bpf_core_field_exists(node->__parent))
		return BPF_CORE_READ(node, __parent);
	return BPF_CORE_READ(before, parent);
}

static long climb_step(__u32 step, struct walker *walker)
{
	struct walk *w = walker->walk;
	struct record r = { .bytes = walker->bytes, .at = w->at };
	struct kernfs_node *above = node_above(w->node);
	long got;

	if (!above || r.at < w->floor + 256)
		return 1;
	got = bpf_probe_read_kernel_str(walker->text, 256, GET(w->node, name));
	if (got > 1)
		push_bytes(&r, walker->text, got - 1);
	r.at--;
	*AT(&r) = '/';
	w->at = r.at;
	w->node = above;
	return 0;
}

static __always_inline void push_cgroup(struct record *r, struct processor *p, struct kernfs_node *node)
{
	struct walker walker = { .walk = &p->walk, .bytes = r->bytes, .text = p->text };
	__u32 end = r->at;

	p->walk.at = end;
	p->walk.floor = end - CGROUP_BYTES;
	p->walk.node = node;
	bpf_loop(64, climb_step, &walker, 0);
	r->at = p->walk.at;
	if (r->at == end) {
		r->at--;
		*AT(r) = '/';
	}
	string_end(r, end);
}

#endif
