/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Sockets: connected, accepted, listening.
 */
#ifndef HUSHWATCH_ON_SOCKET_H
#define HUSHWATCH_ON_SOCKET_H

#include "call.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10

struct socket_address {
	__u16 family;
	union {
		struct {
			__u16 port;
			__u32 v4;
		};
		struct {
			__u16 port6;
			__u32 flow;
			__u8 v6[16];
		};
	};
};

static __always_inline struct sock *sock_of(struct task_struct *task, __u32 descriptor)
{
	struct file *file = file_of(task, descriptor);
	struct inode *inode = file ? GET(file, f_inode) : 0;
	struct socket *socket;

	if (!inode || (GET(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = GET(file, private_data);
	return socket ? GET(socket, sk) : 0;
}

/* The Unix socket that bears the name: for connect the other side, else the own one. */
static __always_inline struct unix_sock *named_unix_sock(struct sock *sock, __u32 kind)
{
	struct unix_sock *unix = (void *)sock;

	return kind == FRAME_CONNECT ? (void *)GET(unix, peer) : unix;
}

static __always_inline void push_unix_path(struct made_call *c, struct record *r, struct unix_sock *unix)
{
	struct unix_address *address = unix ? GET(unix, addr) : 0;
	struct dentry *dentry = unix ? GET(unix, path.dentry) : 0;
	__u32 end = r->at;
	int length;

	if (dentry) {
		push_path(r, c->event.processor, c->event.task->fs, dentry, GET(unix, path.mnt));
		return;
	}
	length = address ? GET(address, len) - 3 : 0;	/* family and the zero that makes it abstract */
	if (length > 0 && length < 108) {
		push_bytes(r, (void *)address + bpf_core_field_offset(struct unix_address, name) + 3, length & 0x7f);
		r->at--;
		*AT(r) = '@';
	}
	string_end(r, end);
}

static __always_inline void fill_inet(struct frame_socket *f, struct sock *sock, __u32 kind)
{
	f->local_port = GET(sock, __sk_common.skc_num);
	f->peer_port = kind == FRAME_LISTEN ? 0 : __builtin_bswap16(GET(sock, __sk_common.skc_dport));
	if (f->family == AF_INET) {
		*(__u32 *)f->local = GET(sock, __sk_common.skc_rcv_saddr);
		*(__u32 *)f->peer = kind == FRAME_LISTEN ? 0 : GET(sock, __sk_common.skc_daddr);
	} else if (bpf_core_field_exists(sock->__sk_common.skc_v6_daddr)) {
		bpf_core_read(f->local, sizeof(f->local), &sock->__sk_common.skc_v6_rcv_saddr);
		if (kind != FRAME_LISTEN)
			bpf_core_read(f->peer, sizeof(f->peer), &sock->__sk_common.skc_v6_daddr);
	}
}

/* A connect that was refused has left nothing in the socket: all that is known is whom it asked for. */
static __always_inline void fill_asked_for(struct frame_socket *f, const void *address)
{
	struct socket_address asked = {};

	bpf_probe_read_user(&asked, sizeof(asked), address);
	f->peer_port = __builtin_bswap16(asked.port);
	if (f->family == AF_INET)
		*(__u32 *)f->peer = asked.v4;
	else
		__builtin_memcpy(f->peer, asked.v6, sizeof(f->peer));
}

static __always_inline __u64 socket_identity(struct made_call *c, struct sock *sock, struct unix_sock *unix, __u32 family)
{
	__u64 identity = process_identity(c->event.task, c->what.kind, c->error);

	if (c->error)
		return 0;
	if (family == AF_INET) {
		identity = mix(identity, (__u64)GET(sock, __sk_common.skc_daddr) << 32 | GET(sock, __sk_common.skc_dport));
	} else if (family == AF_INET6) {
		__u64 peer[2] = {};

		if (bpf_core_field_exists(sock->__sk_common.skc_v6_daddr))
			bpf_core_read(peer, sizeof(peer), &sock->__sk_common.skc_v6_daddr);
		identity = mix(mix(mix(identity, peer[0]), peer[1]), GET(sock, __sk_common.skc_dport));
	} else if (family == AF_UNIX && unix) {
		identity = mix(identity, as_number(c->event.processor, GET(unix, addr)));
	} else {
		return 0;
	}
	if (c->what.kind != FRAME_CONNECT)
		identity = mix(identity, GET(sock, __sk_common.skc_num));
	return mix(identity, (__u64)GET(sock, sk_protocol) << 16 | family) | 1;
}

HANDLER(socket_ended)
{
	struct unix_sock *unix = 0;
	struct frame_socket *f;
	struct made_call c;
	struct sock *sock;
	struct record r;
	__u32 family;

	if (!call_begin(&c, regs, result) || (c.error && c.what.kind == FRAME_ACCEPT))
		return 0;
	sock = sock_of(c.event.task, c.what.kind == FRAME_ACCEPT ? result : argument(&c, 0));
	if (!sock)
		return 0;
	family = GET(sock, __sk_common.skc_family);
	if (family == AF_UNIX && bpf_core_type_exists(struct unix_sock))
		unix = named_unix_sock(sock, c.what.kind);
	if (!admit(&c.event, socket_identity(&c, sock, unix, family), true))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	if (family == AF_UNIX && c.error && c.what.kind == FRAME_CONNECT)
		push_user_string(&r, c.event.processor->text, (void *)argument(&c, 1) + 2);
	else if (family == AF_UNIX && bpf_core_type_exists(struct unix_sock))
		push_unix_path(&c, &r, unix);
	else
		push_empty(&r);

	f = PUSH_FIXED(&r, struct frame_socket);
	__builtin_memset(f, 0, sizeof(*f));
	fill_actor(&f->actor, c.event.task, c.error, c.event.repeats);
	f->family = family;
	f->protocol = GET(sock, sk_protocol);
	if (family == AF_INET || family == AF_INET6) {
		fill_inet(f, sock, c.what.kind);
		if (c.error && c.what.kind == FRAME_CONNECT)
			fill_asked_for(f, (void *)argument(&c, 1));
	}
	emit(&c.event, &r, c.what.kind);
	return 0;
}

#define SOCKETCALL_CONNECT 3
#define SOCKETCALL_ACCEPT 5
#define SOCKETCALL_ACCEPT4 18

/* socketcall packs others and is not unpacked: counted, so that the blind spot shows. */
HANDLER(unread)
{
	struct made_call c;
	__u64 packed;

	if (!call_begin(&c, regs, result))
		return 0;
	packed = argument(&c, 0);
	if ((packed >= SOCKETCALL_CONNECT && packed <= SOCKETCALL_ACCEPT) || packed == SOCKETCALL_ACCEPT4)
		c.event.processor->unread++;
	return 0;
}

#endif
