// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * The sensor's kernel half. Read this file first: what is seen, where, and what is told about it.
 *
 *	on-process.h	fork, exec, exit		each at its own tracepoint
 *	on-write.h	written: told at the end		also at exec and exit
 *	on-file.h	opened, named, changed		\
 *	on-mount.h	mounted, unmounted		|
 *	on-socket.h	connected, bound, listening	 } system calls: all at sys_exit, which leaves after one table look-up
 *	on-privilege.h	credentials, ptrace, namespaces	 } (calls.h) for those that do not matter
 *	on-access.h	other processes, signals	 }
 *	on-memory.h	made executable			 }
 *	on-kernel.h	modules, BPF, another kernel	 }
 *	on-ring.h	io_uring			/
 *	on-name.h	paths, as the kernel used them	when it frees its copies; kept (names.h) for the exit of the call
 *	on-packet.h	first datagrams, DNS, flows	where packets pass and connections end
 *	living.h	who lives already		an iterator that the user-space half reads when an agent connects
 *
 * A handler decides whether its event counts, asks admit() (economy.h), builds the record from the end to the beginning
 * (record.h), and emits it. What it tells comes from kernel objects; where none is left at the exit of a call (the path of an
 * unlink), it is the name that the kernel used, and where that was not kept either, the argument, marked as such.
 */
#define HUSHWATCH_KERNEL_HALF
#include "arch.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "economy.h"
#include "call.h"
#include "on-write.h"
#include "on-process.h"
#include "on-file.h"
#include "on-mount.h"
#include "on-socket.h"
#include "on-packet.h"
#include "on-privilege.h"
#include "on-access.h"
#include "on-memory.h"
#include "on-kernel.h"
#include "on-ring.h"
#include "on-name.h"
#include "living.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, HANDLER_COUNT);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} handlers SEC(".maps") = {
	.values = {
		[HANDLE_OPEN] = (void *)&open_ended,
		[HANDLE_PATH] = (void *)&path_ended,
		[HANDLE_DESCRIPTOR] = (void *)&descriptor_ended,
		[HANDLE_SOCKET] = (void *)&socket_ended,
		[HANDLE_CREDENTIALS] = (void *)&credentials_ended,
		[HANDLE_TRACE] = (void *)&trace_ended,
		[HANDLE_BPF] = (void *)&bpf_ended,
		[HANDLE_MEMFD] = (void *)&memfd_ended,
		[HANDLE_REFUSED_MODULE] = (void *)&module_refused,
		[HANDLE_SEND] = (void *)&send_ended,
		[HANDLE_WRITE] = (void *)&written,
		[HANDLE_CLOSE] = (void *)&closed,
		[HANDLE_CLOSE_RANGE] = (void *)&range_closed,
		[HANDLE_MOUNT] = (void *)&mounted,
		[HANDLE_ACCESS] = (void *)&access_ended,
		[HANDLE_SIGNAL] = (void *)&signal_ended,
		[HANDLE_MEMORY] = (void *)&memory_ended,
		[HANDLE_NAMESPACE] = (void *)&namespace_ended,
		[HANDLE_KEY] = (void *)&key_ended,
		[HANDLE_KEXEC] = (void *)&kexec_ended,
		[HANDLE_RING] = (void *)&ring_ended,
		[HANDLE_PERF] = (void *)&perf_ended,
	},
};

HANDLER(on_sys_exit)
{
	__u64 number = call_number(regs);
	__u32 handler;

	if (number >= CALL_LIMIT || !(calls[number].handler | compat_calls[number].handler))
		return 0;
	if (!result_is_told(result)) {
		if (handler_names(calls[number].handler) || handler_names(compat_calls[number].handler))
			names_forgotten(names_kept(bpf_get_current_task_btf()));
		return 0;
	}
	if (call_is_compat(bpf_get_current_task_btf()))
		handler = number == SOCKETCALL ? packed_handler(regs) : compat_calls[number].handler;
	else
		handler = calls[number].handler;
	/* The most frequent of all: nearly none does what matters, and a tail call costs more than the look. */
	if ((handler == HANDLE_MEMORY && !may_execute(regs)) || (handler == HANDLE_WRITE && !writes_file(regs)) ||
	    (handler == HANDLE_SEND && !may_send_datagram(regs)))
		return 0;
	bpf_tail_call(ctx, &handlers, handler);
	return 0;
}
