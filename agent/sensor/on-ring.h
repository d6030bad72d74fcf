/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * io_uring: rings made, and what is done through them. Operations are told when they are submitted, after the kernel has
 * copied what they name and before it does them; again when they are refused; and what connected or was accepted is told as
 * that, when it is. Reading and writing are not told.
 */
#ifndef HUSHWATCH_ON_RING_H
#define HUSHWATCH_ON_RING_H

#include "on-socket.h"

/* Numbers of enum io_uring_op, which only grows. */
enum ring_operation {
	RING_SENDMSG = 9,
	RING_ACCEPT = 13,
	RING_CONNECT = 16,
	RING_OPENAT = 18,
	RING_SEND = 26,
	RING_OPENAT2 = 28,
	RING_RENAMEAT = 35,
	RING_UNLINKAT = 36,
	RING_MKDIRAT = 37,
	RING_SYMLINKAT = 38,
	RING_LINKAT = 39,
	RING_SETXATTR = 42,
	RING_SOCKET = 45,
	RING_URING_COMMAND = 46,
	RING_BIND = 56,
	RING_LISTEN = 57,
};

#define RING_TOLD (1ull << RING_SENDMSG | 1ull << RING_ACCEPT | 1ull << RING_CONNECT | 1ull << RING_OPENAT | 1ull << RING_SEND | \
		   1ull << RING_OPENAT2 | 1ull << RING_RENAMEAT | 1ull << RING_UNLINKAT | 1ull << RING_MKDIRAT | \
		   1ull << RING_SYMLINKAT | 1ull << RING_LINKAT | 1ull << RING_SETXATTR | 1ull << RING_SOCKET | \
		   1ull << RING_URING_COMMAND | 1ull << RING_BIND | 1ull << RING_LISTEN)

static __always_inline int ring_told(struct event *e, struct record *r, __u32 error, __u32 type, __u32 value)
{
	struct frame_named *f = PUSH_FIXED(r, struct frame_named);

	fill_actor(&f->actor, e->task, error, e->repeats);
	f->type = type;
	f->value = value;
	emit(e, r, FRAME_IO_URING);
	return 0;
}

HANDLER(ring_ended)
{
	struct io_ring_ctx *ring = 0;
	struct made_call c;
	struct file *file;
	struct record r;

	if (!call_begin(&c, regs, result) || !admit(&c.event, 0, true))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	file = c.error ? 0 : file_of(c.event.task, result);
	if (file)
		ring = GET(file, private_data);
	push_no_path(&r);
	return ring_told(&c.event, &r, c.error, 0, ring ? GET(ring, flags) : 0);
}

/* The name that the operation will use, in the kernel's memory, and the descriptor of where a relative one starts. */
struct ring_path {
	struct filename *name;
	__s32 base;
};

#define RING_PATH(request, type, base_field, name_field) do { \
	if (bpf_core_field_exists(((struct type *)request)->name_field)) { \
		path->base = GET((struct type *)request, base_field); \
		path->name = GET((struct type *)request, name_field); \
	} \
} while (0)

/* Of those that have two, the second. */
static __always_inline void second_ring_path(struct ring_path *path, void *request, __u32 operation)
{
	if (operation == RING_RENAMEAT)
		RING_PATH(request, io_rename, new_dfd, newpath);
	else if (operation == RING_LINKAT)
		RING_PATH(request, io_link, new_dfd, newpath);
}

static __always_inline void ring_path(struct ring_path *path, void *request, __u32 operation)
{
	switch (operation) {
	case RING_OPENAT:
	case RING_OPENAT2:
		RING_PATH(request, io_open, dfd, filename);
		break;
	case RING_UNLINKAT:
		RING_PATH(request, io_unlink, dfd, filename);
		break;
	case RING_MKDIRAT:
		RING_PATH(request, io_mkdir, dfd, filename);
		break;
	case RING_RENAMEAT:
		RING_PATH(request, io_rename, old_dfd, oldpath);
		break;
	case RING_SYMLINKAT:	/* The first is only its text. */
		RING_PATH(request, io_link, new_dfd, newpath);
		break;
	case RING_LINKAT:
		RING_PATH(request, io_link, old_dfd, oldpath);
		break;
	}
}

/* Where a relative name starts, walked; after it stands the name. */
static __always_inline void push_ring_path(struct record *r, struct event *e, struct ring_path *path)
{
	struct dentry *dentry = e->task->fs->pwd.dentry;
	struct vfsmount *mnt = e->task->fs->pwd.mnt;
	char *text = e->processor->text;
	struct file *file;

	if (!path->name) {
		push_no_path(r);
		return;
	}
	push_kernel_string(r, text, GET(path->name, name), TEXT_BYTES);
	if (text[0] == '/') {
		push_empty(r);
		return;
	}
	if (path->base != AT_FDCWD) {
		file = file_of(e->task, path->base);
		if (!file) {
			push_empty(r);
			return;
		}
		dentry = GET(file, f_path.dentry);
		mnt = GET(file, f_path.mnt);
	}
	push_path(r, e->processor, e->task->fs, dentry, mnt);
}

/* What names a path is an event of its own; the rest merges by process and operation. */
static __always_inline int operation_told(struct io_kiocb *request)
{
	__u32 operation = request->opcode;
	struct ring_path path = {}, second = {};
	struct record r;
	struct event e;

	if (operation > 63 || !(RING_TOLD & 1ull << operation) || !class_watched(CLASS_KERNEL))
		return 0;
	if (is_ours(bpf_get_current_task_btf()) || !event_begin(&e, CLASS_KERNEL))
		return 0;
	ring_path(&path, request, operation);
	if (!admit(&e, path.name ? 0 : mix(process_identity(e.task, FRAME_IO_URING, 0), operation) | 1, true))
		return 0;
	if (!record_begin(&r, e.processor)) {
		give_up(&e);
		return 0;
	}
	second_ring_path(&second, request, operation);
	if (second.name)
		push_ring_path(&r, &e, &second);
	push_ring_path(&r, &e, &path);
	return ring_told(&e, &r, 0, operation + 1, 0);
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_ring_request, struct io_kiocb *request)
{
	return operation_told(request);
}

/* Before Linux 6.4. */
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(on_ring_request_before, struct io_kiocb *request)
{
	return operation_told(request);
}

/* Of a connection that failed: whom it was for is known only where the kernel gave up (on-packet.h). */
static __always_inline bool knows_peer(struct socket_call *s, struct sock *sock)
{
	__u64 key = as_number(s->c.event.processor, sock);
	struct flow *flow = s->c.error ? bpf_map_lookup_elem(&flows, &key) : 0;

	return !s->c.error || (is_unreachable(s->c.result) && flow && flow->refused);
}

/* Connected, or accepted: as if a system call had done it. */
static __always_inline int connection_told(struct file *file, __u32 kind, int result)
{
	struct socket_call s = {};
	struct unix_sock *unix = 0;
	struct socket *socket;
	struct sock *sock;
	struct record r;
	__u32 family;

	if (!class_watched(CLASS_NETWORK) || (GET(GET(file, f_inode), i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	if (!event_begin(&s.c.event, CLASS_NETWORK))
		return 0;
	s.c.what.kind = kind;
	s.c.result = result;
	s.c.error = result < 0 ? -result : 0;
	socket = GET(file, private_data);
	sock = socket ? GET(socket, sk) : 0;
	if (!sock || !knows_peer(&s, sock))
		return 0;
	family = GET(sock, __sk_common.skc_family);
	if (is_tcp(sock, family) && !s.c.error)
		remember_flow(&s.c, sock);
	if (family == AF_UNIX && bpf_core_type_exists(struct unix_sock))
		unix = named_unix_sock(sock, kind);
	if (!admit(&s.c.event, socket_identity(&s.c, sock, unix, family), true))
		return 0;
	if (!record_begin(&r, s.c.event.processor)) {
		give_up(&s.c.event);
		return 0;
	}
	push_socket_path(&s, &r, unix, family);
	fill_socket(&s, PUSH_FIXED(&r, struct frame_socket), sock, family);
	emit(&s.c.event, &r, kind);
	return 0;
}

static __always_inline int refusal_told(__u32 operation, __u32 error)
{
	struct record r;
	struct event e;

	if (!class_watched(CLASS_KERNEL) || !event_begin(&e, CLASS_KERNEL))
		return 0;
	if (!admit(&e, mix(process_identity(e.task, FRAME_IO_URING, error), operation) | 1, true))
		return 0;
	if (!record_begin(&r, e.processor)) {
		give_up(&e);
		return 0;
	}
	push_no_path(&r);
	return ring_told(&e, &r, error, operation + 1, 0);
}

/* Whoever completes an operation, a thread of the kernel too, is of the process that asked for it. */
static __always_inline int operation_ended(struct io_kiocb *request, int result)
{
	__u32 operation = request ? GET(request, opcode) : 64, kind = 0;
	struct file *file = 0;

	if (operation > 63 || !(RING_TOLD & 1ull << operation) || is_excluded(bpf_get_current_task_btf()->tgid))
		return 0;
	if (result == -EPERM || result == -EACCES)
		return refusal_told(operation, -result);
	if (operation == RING_CONNECT && (!result || is_unreachable(result))) {
		file = GET(request, file);
		kind = FRAME_CONNECT;
	} else if (operation == RING_ACCEPT && result > 0) {
		file = file_of(bpf_get_current_task_btf(), result);
		kind = FRAME_ACCEPT;
		result = 0;
	}
	return file ? connection_told(file, kind, result) : 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_ring_result, struct io_ring_ctx *ring, void *request, struct io_uring_cqe *completion)
{
	return operation_ended(request, GET(completion, res));
}

/* Before Linux 6.11. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_ring_result_before, void *ring, void *request, __u64 data, int result)
{
	return operation_ended(request, result);
}

#endif
