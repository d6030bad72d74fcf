/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Where the processor keeps a system call: its number, its arguments, and whether it was made the 32-bit way.
 * The one file to extend for another architecture.
 */
#ifndef HUSHWATCH_ARCH_H
#define HUSHWATCH_ARCH_H

#include <asm-generic/errno.h>
#include "kernel.h"

#if defined(HUSHWATCH_X86_64)

struct pt_regs {
	unsigned long r10, r9, r8, ax, cx, dx, si, di, bx, bp, orig_ax;
} __attribute__((preserve_access_index));

#define TS_COMPAT 0x2

static __always_inline __u64 call_number(const struct pt_regs *regs)
{
	return regs->orig_ax;
}

/* What stands where a task's registers are saved: the number of a call, or -1 where an interrupt took it from its own code. */
static __always_inline bool is_call(__s64 number)
{
	return number >= 0;
}

/* It is running: this stands where its result will, from its beginning to its end. */
static __always_inline bool call_has_no_result(const struct pt_regs *regs)
{
	return regs->ax == (unsigned long)-ENOSYS;
}

static __always_inline bool call_is_compat(const struct task_struct *task)
{
	return task->thread_info.status & TS_COMPAT;
}

static __always_inline __u64 call_argument(const struct pt_regs *regs, bool compat, __u32 n)
{
	if (compat) {
		switch (n) {
		case 0: return (__u32)regs->bx;
		case 1: return (__u32)regs->cx;
		case 2: return (__u32)regs->dx;
		case 3: return (__u32)regs->si;
		case 4: return (__u32)regs->di;
		case 5: return (__u32)regs->bp;
		}
		return 0;
	}
	switch (n) {
	case 0: return regs->di;
	case 1: return regs->si;
	case 2: return regs->dx;
	case 3: return regs->r10;
	case 4: return regs->r8;
	case 5: return regs->r9;
	}
	return 0;
}

#else
#error "registers of this architecture are not described yet"
#endif

#endif
