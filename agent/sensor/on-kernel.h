/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What changes the kernel itself: modules, BPF.
 */
#ifndef HUSHWATCH_ON_KERNEL_H
#define HUSHWATCH_ON_KERNEL_H

#include "call.h"

#define BPF_PROG_LOAD_COMMAND 5

SEC("tp_btf/module_load")
int BPF_PROG(on_module_load, struct module *module)
{
	struct event e;

	if (!class_watched(CLASS_KERNEL) || !event_begin(&e, CLASS_KERNEL) || !admit(&e, 0, true))
		return 0;
	return named(&e, module->name, sizeof(module->name), FRAME_MODULE_LOAD, 0, 0);
}

HANDLER(bpf_ended)
{
	struct bpf_prog *program = 0;
	struct made_call c;
	struct file *file;
	const char *name = 0;
	__u32 type = 0;

	if (!call_begin(&c, regs, result) || argument(&c, 0) != BPF_PROG_LOAD_COMMAND)
		return 0;
	if (!c.error) {
		file = file_of(c.event.task, result);
		program = file ? GET(file, private_data) : 0;
	}
	if (program) {
		struct bpf_prog_aux *aux = GET(program, aux);

		type = GET(program, type);
		name = (void *)aux + bpf_core_field_offset(struct bpf_prog_aux, name);
	}
	if (!admit(&c.event, 0, true))
		return 0;
	return named(&c.event, name, 16, FRAME_BPF_LOAD, type, c.error);
}

HANDLER(module_refused)
{
	struct made_call c;

	if (result >= 0 || !call_begin(&c, regs, result) || !admit(&c.event, 0, true))
		return 0;
	return named(&c.event, 0, 0, FRAME_MODULE_LOAD, 0, c.error);
}

#endif
