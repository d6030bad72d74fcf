/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Memory made executable. Ordinary calls do not ask for that and leave at once. Of those that do, the kernel's own mapping
 * says what lies there:
 *
 *	no file, or written, or writable	FRAME_MEMORY	code that was not loaded from a file as it is there
 *	an unchanged file			FRAME_IMAGE	unless it is of a place where libraries usually lie
 *
 * A program that execve(2) maps is FRAME_EXEC's; its own file is not told again.
 */
#ifndef HUSHWATCH_ON_MEMORY_H
#define HUSHWATCH_ON_MEMORY_H

#include "call.h"
#include "usual.h"

#define PROT_EXEC 4
#define PROT_WRITE 2
#define MAP_ANONYMOUS 0x20
#define SHM_EXEC 0100000
#define MAPPING_STEPS 16

const volatile struct usual_place usual_places[USUAL_COUNT];

/* The mappings from `at` to `end`, one after the other, until one is found that counts as memory. */
struct mapping {
	__u64 at;
	__u64 end;
	__u64 next;
	__u64 heap;
	__u64 heap_end;
	__u64 flags;
	struct inode *inode;
	struct dentry *dentry;
	struct vfsmount *mnt;
	__u32 memory;
	bool is_protect;
	bool found;
};

/* It lies in a map, not on the stack: see struct walk. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mapping);
} mappings SEC(".maps");

struct finder {
	struct mapping *mapping;
};

static long mapping_seen(struct task_struct *task, struct vm_area_struct *area, struct finder *finder)
{
	struct mapping *m = finder->mapping;
	struct file *file = area->vm_file;
	__u64 start = area->vm_start;

	m->found = true;
	m->next = area->vm_end;
	m->flags = area->vm_flags;
	m->memory = MEMORY_UNKNOWN;
	m->inode = 0;
	if (!file) {
		if (m->flags & VM_GROWSDOWN)
			m->memory = MEMORY_STACK;
		else if (start < m->heap_end && m->heap < m->next)
			m->memory = MEMORY_HEAP;
		else
			m->memory = MEMORY_ANONYMOUS;
		return 0;
	}
	/* The path's parts now, while the mapping holds the file. */
	m->inode = GET(file, f_inode);
	m->dentry = GET(file, f_path.dentry);
	m->mnt = GET(file, f_path.mnt);
	if (m->flags & VM_WRITE || (m->is_protect && area->anon_vma))
		m->memory = MEMORY_FILE;
	return 0;
}

static long mapping_step(__u32 step, struct finder *finder)
{
	struct mapping *m = finder->mapping;

	if (bpf_find_vma(bpf_get_current_task_btf(), m->at, mapping_seen, finder, 0) || m->memory)
		return 1;
	m->at = m->next;
	return m->at >= m->end;
}

static __always_inline void find_mapping(struct mapping *m, struct made_call *c)
{
	struct finder finder = { .mapping = m };
	struct mm_struct *mm = c->event.task->mm;

	m->heap = mm->start_brk;
	m->heap_end = mm->brk;
	bpf_loop(MAPPING_STEPS, mapping_step, &finder, 0);
}

static __always_inline int emit_memory(struct made_call *c, struct record *r, struct mapping *m, __u64 bytes, __u32 kind)
{
	struct frame_memory *f = PUSH_FIXED(r, struct frame_memory);

	fill_actor(&f->actor, c->event.task, c->error, c->event.repeats);
	f->flags = m->flags & VM_WRITE ? FRAME_WRITE : 0;
	if (m->inode) {
		fill_object(&f->object, m->inode);
		f->flags |= FRAME_OBJECT;
	} else {
		__builtin_memset(&f->object, 0, sizeof(f->object));
	}
	f->bytes = bytes;
	f->memory = m->memory;
	emit(&c->event, r, kind);
	return 0;
}

static __always_inline int memory_told(struct made_call *c, struct mapping *m, __u64 bytes)
{
	__u64 identity = mix(process_identity(c->event.task, FRAME_MEMORY, c->error), m->memory) | 1;
	struct record r;

	if (m->inode)
		identity = mix(identity, GET(m->inode, i_ino)) | 1;
	if (!admit(&c->event, identity, true))
		return 0;
	if (!record_begin(&r, c->event.processor)) {
		give_up(&c->event);
		return 0;
	}
	if (m->inode)
		push_path(&r, c->event.processor, c->event.task->fs, m->dentry, m->mnt);
	else
		push_empty(&r);
	return emit_memory(c, &r, m, bytes, FRAME_MEMORY);
}

static __always_inline bool lies_in(const __u64 *text, const volatile struct usual_place *place)
{
	__u64 differs = 0;

#pragma unroll
	for (int i = 0; i < USUAL_BYTES / 8; i++)
		differs |= (text[i] ^ place->text[i]) & place->mask[i];
	return place->mask[0] && !differs;
}

static __always_inline bool is_usual(struct processor *p, const __u8 *path, __u32 length)
{
	__u64 *text = (void *)p->key;

	__builtin_memset(p->key, 0, USUAL_BYTES);
	if (length > USUAL_BYTES)
		length = USUAL_BYTES;
	bpf_probe_read_kernel(p->key, length, path);
#pragma unroll
	for (int i = 0; i < USUAL_COUNT; i++)
		if (lies_in(text, &usual_places[i]))
			return true;
	return false;
}

static __always_inline int image_told(struct made_call *c, struct mapping *m, __u64 bytes)
{
	struct file *program = c->event.task->mm->exe_file;
	struct inode *inode = m->inode;
	struct record r;
	__u64 identity;
	__u32 end;

	if (!class_watched(CLASS_PROCESS) || (program && GET(program, f_inode) == inode))
		return 0;
	if (!record_begin(&r, c->event.processor))
		return 0;
	end = r.at;
	push_path(&r, c->event.processor, c->event.task->fs, m->dentry, m->mnt);
	if (GET(inode, i_nlink) && is_usual(c->event.processor, AT(&r) + 2, end - r.at - 2)) {
		record_end(c->event.processor);
		return 0;
	}
	c->event.class = CLASS_PROCESS;
	m->memory = MEMORY_FILE;
	identity = mix(process_identity(c->event.task, FRAME_IMAGE, 0), as_number(c->event.processor, m->dentry));
	if (!admit(&c->event, mix(identity, GET(inode, i_ino)) | 1, true)) {
		record_end(c->event.processor);
		return 0;
	}
	return emit_memory(c, &r, m, bytes, FRAME_IMAGE);
}

/* The third argument asks for it in all of these calls, native or 32-bit, but one that passes its arguments in memory. */
static __always_inline bool may_execute(struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return call_argument(regs, false, 2) & (PROT_EXEC | SHM_EXEC) || task->personality & READ_IMPLIES_EXEC ||
	       call_is_compat(task);
}

static __always_inline bool asks_to_execute(struct made_call *c)
{
	return c->what.meaning != MAPS_STRUCT &&
	       argument(c, 2) & (c->what.meaning == MAPS_SHARED_MEMORY ? SHM_EXEC : PROT_EXEC);
}

/* Nothing was mapped, or another thread holds the mappings: what was asked for must do. */
static __always_inline void mapping_as_asked(struct made_call *c, struct mapping *m)
{
	struct file *file;

	if (c->what.meaning != MAPS)
		return;
	if (argument(c, 3) & MAP_ANONYMOUS) {
		m->memory = MEMORY_ANONYMOUS;
		return;
	}
	file = file_of(c->event.task, argument(c, 4));
	if (file) {
		m->inode = GET(file, f_inode);
		m->dentry = GET(file, f_path.dentry);
		m->mnt = GET(file, f_path.mnt);
	}
	if (c->error || argument(c, 2) & PROT_WRITE)
		m->memory = MEMORY_FILE;
}

HANDLER(memory_ended)
{
	struct made_call c;
	struct mapping *m;
	__u64 bytes = 0;
	__u32 zero = 0;

	if (!call_begin(&c, regs, result) || !c.event.task->mm)
		return 0;
	m = bpf_map_lookup_elem(&mappings, &zero);
	if (!m)
		return 0;
	__builtin_memset(m, 0, sizeof(*m));
	m->is_protect = c.what.meaning == PROTECTS;
	m->at = m->is_protect ? argument(&c, 0) : result;
	if (c.what.meaning == MAPS || m->is_protect)
		bytes = argument(&c, 1);
	m->end = m->at + (m->is_protect ? bytes : 1);
	if (m->is_protect || !c.error)
		find_mapping(m, &c);
	if (!asks_to_execute(&c) && !(m->found && m->flags & VM_EXEC))
		return 0;
	if (!m->found)
		mapping_as_asked(&c, m);
	else if (!bytes)
		bytes = m->next - m->at;
	if (m->inode && !m->memory && !c.error)
		return image_told(&c, m, bytes);
	return memory_told(&c, m, bytes);
}

#endif
