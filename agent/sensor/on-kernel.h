/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What changes the kernel itself, or lets a process look into it: modules, BPF, another kernel, performance events.
 */
#ifndef HUSHWATCH_ON_KERNEL_H
#define HUSHWATCH_ON_KERNEL_H

#include "find.h"

#define MODULE_NAME 56


SEC("tp_btf/module_load")
int BPF_PROG(on_module_load, struct module *module)
{
	struct event e;

	if (!class_watched(CLASS_KERNEL) || !event_begin(&e, CLASS_KERNEL) || !admit(&e, 0, false))
		return 0;
	return named(&e, module->name, sizeof(module->name), FRAME_MODULE_LOAD, 0, 0);
}

SEC("tp_btf/module_free")
int BPF_PROG(on_module_unload, struct module *module)
{
	struct event e;

	if (!class_watched(CLASS_KERNEL) || !event_begin(&e, CLASS_KERNEL) || !admit(&e, 0, false))
		return 0;
	return named(&e, module->name, sizeof(module->name), FRAME_MODULE_UNLOAD, 0, 0);
}

/* What bpf(2) made or gave out: the object behind its descriptor. */
struct bpf_object {
	const char *name;
	__u32 type;
};

static __always_inline void object_is_program(struct bpf_object *o, struct bpf_prog *program)
{
	struct bpf_prog_aux *aux = GET(program, aux);

	o->type = GET(program, type);
	o->name = (void *)aux + bpf_core_field_offset(struct bpf_prog_aux, name);
}

static __always_inline void object_behind(struct bpf_object *o, struct task_struct *task, __u32 command, __u32 descriptor)
{
	struct file *file = file_of(task, descriptor);
	void *thing = file ? GET(file, private_data) : 0;
	struct bpf_prog *program;

	if (!thing)
		return;
	switch (command) {
	case BPF_MAP_CREATE:
	case BPF_MAP_GET_FD_BY_ID:
		o->type = GET((struct bpf_map *)thing, map_type);
		o->name = thing + bpf_core_field_offset(struct bpf_map, name);
		break;
	case BPF_LINK_CREATE:
	case BPF_RAW_TRACEPOINT_OPEN:
	case BPF_LINK_GET_FD_BY_ID:
		program = GET((struct bpf_link *)thing, prog);
		if (program)
			object_is_program(o, program);
		o->type = GET((struct bpf_link *)thing, type);
		break;
	default:
		object_is_program(o, thing);
	}
}

static __always_inline bool command_told(__u64 command)
{
	const __u64 told = 1ull << BPF_MAP_CREATE | 1ull << BPF_OBJ_PIN | 1ull << BPF_OBJ_GET | 1ull << BPF_PROG_ATTACH |
			   1ull << BPF_PROG_DETACH | 1ull << BPF_PROG_GET_FD_BY_ID | 1ull << BPF_MAP_GET_FD_BY_ID |
			   1ull << BPF_RAW_TRACEPOINT_OPEN | 1ull << BPF_LINK_CREATE | 1ull << BPF_LINK_UPDATE |
			   1ull << BPF_LINK_GET_FD_BY_ID | 1ull << BPF_LINK_DETACH;

	return command < 64 && told & 1ull << command;
}

/* The path of a pin; the descriptor of a program that is attached. Both stand in the caller's memory. */
struct bpf_arguments {
	union {
		__u64 path;
		struct {
			__u32 target;
			__u32 program;
		};
	};
};

static __always_inline int bpf_object_told(struct made_call *c, __u32 command)
{
	bool pins = command == BPF_OBJ_PIN || command == BPF_OBJ_GET;
	struct bpf_arguments given = {};
	struct bpf_object object = {};
	struct frame_named *f;
	__u64 identity;
	struct record r;

	bpf_probe_read_user(&given, sizeof(given), (void *)argument(c, 1));
	if (command == BPF_PROG_ATTACH)
		object_behind(&object, c->event.task, BPF_PROG_LOAD, given.program);
	else if (!c->error && !pins && command != BPF_PROG_DETACH && command != BPF_LINK_UPDATE && command != BPF_LINK_DETACH)
		object_behind(&object, c->event.task, command, c->result);
	identity = mix(process_identity(c->event.task, FRAME_BPF_OBJECT, c->error), (__u64)command << 32 | object.type) | 1;
	if (!admit(&c->event, pins ? 0 : identity, true))
		return 0;
	if (!record_begin(&r, c->event.processor)) {
		give_up(&c->event);
		return 0;
	}
	if (pins)
		push_relative(&r, &c->event, (void *)given.path);
	else
		push_no_path(&r);
	if (object.name)
		push_kernel_string(&r, c->event.processor->text, object.name, 16);
	else
		push_empty(&r);
	f = PUSH_FIXED(&r, struct frame_named);
	fill_actor(&f->actor, c->event.task, c->error, c->event.repeats);
	f->type = command;
	f->value = object.type;
	emit(&c->event, &r, FRAME_BPF_OBJECT);
	return 0;
}

HANDLER(bpf_ended)
{
	struct bpf_object program = {};
	struct made_call c;
	__u64 command;

	if (!call_begin(&c, regs, result))
		return 0;
	command = argument(&c, 0);
	if (command_told(command))
		return bpf_object_told(&c, command);
	if (command != BPF_PROG_LOAD)
		return 0;
	if (!c.error)
		object_behind(&program, c.event.task, BPF_PROG_LOAD, result);
	if (!admit(&c.event, 0, true))
		return 0;
	return named(&c.event, program.name, 16, FRAME_BPF_LOAD, program.type, c.error);
}

/* A module by name to unload, or no name at all to load: what was asked for. */
HANDLER(module_refused)
{
	struct made_call c;

	if (result >= 0 || !call_begin(&c, regs, result) || !admit(&c.event, 0, true))
		return 0;
	if (c.what.kind == FRAME_MODULE_UNLOAD) {
		bpf_probe_read_user_str(c.event.processor->key, MODULE_NAME, (void *)argument(&c, 0));
		return named(&c.event, c.event.processor->key, MODULE_NAME, FRAME_MODULE_UNLOAD, 0, c.error);
	}
	return named(&c.event, 0, 0, FRAME_MODULE_LOAD, 0, c.error);
}

HANDLER(kexec_ended)
{
	struct file *file = 0;
	struct made_call c;
	struct record r;

	if (!call_begin(&c, regs, result) || !admit(&c.event, 0, c.error))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	if (c.what.value != NONE)
		file = file_of(c.event.task, argument(&c, c.what.value));
	push_empty(&r);
	push_empty(&r);
	push_empty(&r);
	if (file)
		push_path(&r, c.event.processor, c.event.task->fs, GET(file, f_path.dentry), GET(file, f_path.mnt));
	else
		push_empty(&r);
	emit_file(&c, &r, file ? GET(file, f_inode) : 0, 0, c.what.value != NONE);
	return 0;
}

HANDLER(perf_ended)
{
	struct target target = { .uid = ~0u };
	struct task_struct *task;
	__u32 type = ~0u, processor;
	struct perf_event *event;
	struct made_call c;
	struct file *file;

	if (!call_begin(&c, regs, result))
		return 0;
	processor = argument(&c, 2);
	if (c.error) {
		bpf_probe_read_user(&type, sizeof(type), (void *)argument(&c, 0));
		if ((__s32)argument(&c, 1) > 0)
			target_of_number(&target, c.event.task, argument(&c, 1));
	} else {
		file = file_of(c.event.task, result);
		event = file ? GET(file, private_data) : 0;
		if (!event)
			return 0;
		/* A kernel that hands the event on to one of its devices says what it was before. */
		type = bpf_core_field_exists(event->orig_type) ? GET(event, orig_type) : GET(event, attr.type);
		processor = GET(event, cpu);
		task = GET(event, hw.target);
		if (task)
			target_is(&target, task);
	}
	if (!admit(&c.event, mix(mix(process_identity(c.event.task, FRAME_PERF, c.error), (__u64)type << 32 | target.pid),
				 target.start_ns) | 1, true))
		return 0;
	return emit_target(&c.event, &target, FRAME_PERF, c.error, type, processor);
}

#endif
