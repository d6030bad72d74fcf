/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Sockets, at the exit of calls: made, bound, connected, accepted, listening; and what sending leaves to be told when the
 * datagram itself (on-packet.h) cannot: refused ones, those of Unix sockets, and who sent what still waits for its neighbour.
 *
 * Addresses come from the socket. A refused call left none there: what the caller asked for is read from its memory then, and
 * marked SOCKET_ARGUMENT; but a peer that did not answer was noted when the kernel gave it up (on-packet.h).
 */
#ifndef HUSHWATCH_ON_SOCKET_H
#define HUSHWATCH_ON_SOCKET_H

#include "call.h"
#include "network.h"

struct socket_address {
	__u16 family;
	__u16 port;
	union {
		__u32 v4;
		struct {
			__u32 flow;
			__u8 v6[16];
		};
		struct {
			__u32 vsock_port;
			__u32 vsock_cid;
		};
	};
};

/* A call about a socket and its arguments: from registers, or from the array in which socketcall packs them. */
struct socket_call {
	struct made_call c;
	__u64 given[5];
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

static const volatile __u8 packed_kinds[32] = {
	[1] = FRAME_SOCKET, [2] = FRAME_BIND, [3] = FRAME_CONNECT, [4] = FRAME_LISTEN, [5] = FRAME_ACCEPT, [11] = FRAME_SEND,
	[16] = FRAME_SEND, [18] = FRAME_ACCEPT, [20] = FRAME_SEND,
};

static __always_inline __u32 packed_handler(const struct pt_regs *regs)
{
	__u32 kind = packed_kinds[call_argument(regs, true, 0) & 31];

	return kind == FRAME_SEND ? HANDLE_SEND : kind ? HANDLE_SOCKET : HANDLE_NOTHING;
}

/* False: another socketcall than those that matter. The array can have been changed since; what it names are kernel objects. */
static __always_inline bool unpack(struct socket_call *s)
{
	__u32 which = argument(&s->c, 0) & 31, packed[6] = {};

	s->c.what.kind = packed_kinds[which];
	if (!s->c.what.kind)
		return false;
	if (bpf_probe_read_user(packed, which == 4 ? 8 : 12, (void *)argument(&s->c, 1))) {
		s->c.event.processor->unread++;
		return false;
	}
	for (int i = 0; i < 3; i++)
		s->given[i] = packed[i];
	if (which != 11 || bpf_probe_read_user(packed, sizeof(packed), (void *)argument(&s->c, 1)))
		return true;
	s->given[3] = packed[4];
	s->given[4] = packed[5];
	return true;
}

static __always_inline bool socket_call_begin(struct socket_call *s, struct pt_regs *regs, long result)
{
	if (!call_begin(&s->c, regs, result))
		return false;
	s->c.event.class = CLASS_NETWORK;	/* It is; the verifier of Linux 6.1 does not remember. */
	s->given[3] = s->given[4] = 0;
	if (!s->c.what.kind)
		return unpack(s);
	for (int i = 0; i < 3; i++)
		s->given[i] = argument(&s->c, i);
	return true;
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

/* An address as user space knows it, too: family, reserved, port, context id. */
static __always_inline void copy_vsock_address(__u8 *to, const void *address)
{
	((__u32 *)to)[0] = load64(address + 8);
	((__u32 *)to)[1] = load64(address) >> 32;
}

/*
 * The type may be in a module, whose description two capabilities are not enough to see. Since Linux 5.5 it begins with the
 * socket, a pointer, and both addresses.
 */
static __always_inline void fill_vsock(struct frame_socket *f, struct sock *sock)
{
	const void *addresses = (const void *)sock + bpf_core_type_size(struct sock) + 8;

	copy_vsock_address(f->local, addresses);
	copy_vsock_address(f->peer, addresses + 16);
}

/* All that is known of a refused call: which address it asked for. Of a bind that is the own one. */
static __always_inline void fill_asked_for(struct frame_socket *f, const void *address, bool own)
{
	struct socket_address asked = {};
	__u8 *to = own ? f->local : f->peer;

	if (bpf_probe_read_user(&asked, sizeof(asked), address))
		bpf_probe_read_user(&asked, 16, address);
	f->flags |= SOCKET_ARGUMENT;
	__builtin_memset(to, 0, 16);
	if (f->family == AF_VSOCK) {
		((__u32 *)to)[0] = asked.vsock_cid;
		((__u32 *)to)[1] = asked.vsock_port;
		return;
	}
	if (own)
		f->local_port = __builtin_bswap16(asked.port);
	else
		f->peer_port = __builtin_bswap16(asked.port);
	if (f->family == AF_INET)
		*(__u32 *)to = asked.v4;
	else
		__builtin_memcpy(to, asked.v6, 16);
}

/* Whom a refused connect asked for: as the kernel noted when it gave up, else as the caller says. */
static __always_inline void fill_refused(struct made_call *c, struct frame_socket *f, struct sock *sock, const void *address)
{
	__u64 key = as_number(c->event.processor, sock);
	struct flow *flow = is_unreachable(c->result) ? bpf_map_lookup_elem(&flows, &key) : 0;

	if (!flow || !flow->refused) {
		fill_asked_for(f, address, c->what.kind == FRAME_BIND);
		return;
	}
	__builtin_memcpy(f->peer, flow->peer, sizeof(f->peer));
	__builtin_memcpy(f->local, flow->local, sizeof(f->local));
	f->peer_port = flow->peer_port;
	f->local_port = flow->local_port;
	bpf_map_delete_elem(&flows, &key);
}

static __always_inline __u64 inet_identity(__u64 identity, struct sock *sock, __u32 family)
{
	__u64 sides[4] = {};

	if (family == AF_INET)
		return mix(identity, (__u64)GET(sock, __sk_common.skc_daddr) << 32 | GET(sock, __sk_common.skc_rcv_saddr));
	if (bpf_core_field_exists(sock->__sk_common.skc_v6_daddr)) {
		bpf_core_read(sides, 16, &sock->__sk_common.skc_v6_daddr);
		bpf_core_read(sides + 2, 16, &sock->__sk_common.skc_v6_rcv_saddr);
	}
	return mix(mix(mix(mix(identity, sides[0]), sides[1]), sides[2]), sides[3]);
}

static __always_inline __u64 socket_identity(struct made_call *c, struct sock *sock, struct unix_sock *unix, __u32 family)
{
	__u64 identity = process_identity(c->event.task, c->what.kind, c->error);

	if (c->error || c->what.kind == FRAME_SOCKET)
		return 0;
	if (family == AF_INET || family == AF_INET6)
		identity = mix(inet_identity(identity, sock, family), GET(sock, __sk_common.skc_dport));
	else if (family == AF_UNIX && unix)
		identity = mix(identity, as_number(c->event.processor, GET(unix, addr)));
	else
		return 0;
	if (c->what.kind != FRAME_CONNECT)
		identity = mix(identity, GET(sock, __sk_common.skc_num));
	return mix(identity, (__u64)GET(sock, sk_protocol) << 16 | family) | 1;
}

/* What the connection will be told by when it ends. */
static __always_inline void remember_flow(struct made_call *c, struct sock *sock)
{
	__u64 key = as_number(c->event.processor, sock);
	struct flow flow = { .since_ns = bpf_ktime_get_boot_ns(), .accepted = c->what.kind == FRAME_ACCEPT };

	fill_actor(&flow.actor, c->event.task, 0, 0);
	flow.local_port = GET(sock, __sk_common.skc_num);
	flow.peer_port = __builtin_bswap16(GET(sock, __sk_common.skc_dport));
	bpf_map_update_elem(&flows, &key, &flow, BPF_ANY);
}

/* Those by which one sees or says what others cannot. */
static __always_inline bool is_unusual(__u32 family, __u32 type, __u32 protocol)
{
	if (family == AF_NETLINK)
		return protocol == NETLINK_CONNECTOR || protocol == NETLINK_AUDIT;
	return type == SOCK_RAW || type == SOCK_PACKET || family == AF_PACKET || family == AF_VSOCK || family == AF_ALG;
}

/* A stream that is bound will listen, or connect, and is told then. */
static __always_inline bool is_bound_for_good(__u32 family, __u32 type, __u32 error)
{
	if (family == AF_NETLINK)
		return false;
	return error || family == AF_VSOCK || (type != SOCK_STREAM && type != SOCK_SEQPACKET);
}

static __always_inline bool is_told_socket(struct socket_call *s, __u32 kind)
{
	if (kind == FRAME_SOCKET)
		return is_unusual(s->given[0], s->given[1] & SOCK_TYPE, s->given[2]);
	if (is_unreachable(s->c.result))
		return kind == FRAME_CONNECT;
	return !s->c.error || kind != FRAME_ACCEPT;
}

static __always_inline void push_socket_path(struct socket_call *s, struct record *r, struct unix_sock *unix, __u32 family)
{
	__u32 kind = s->c.what.kind;

	if (family != AF_UNIX || kind == FRAME_SOCKET || !bpf_core_type_exists(struct unix_sock))
		push_empty(r);
	else if (s->c.error && (kind == FRAME_CONNECT || kind == FRAME_BIND))
		push_user_string(r, s->c.event.processor->text, (void *)s->given[1] + 2);
	else
		push_unix_path(&s->c, r, unix);
}

static __always_inline void fill_socket(struct socket_call *s, struct frame_socket *f, struct sock *sock, __u32 family)
{
	struct made_call *c = &s->c;
	__u32 kind = c->what.kind;
	bool asked = c->error && (kind == FRAME_CONNECT || kind == FRAME_BIND);

	__builtin_memset(f, 0, sizeof(*f));
	fill_actor(&f->actor, c->event.task, c->error, c->event.repeats);
	f->family = family;
	if (kind == FRAME_SOCKET) {
		f->type = s->given[1] & SOCK_TYPE;
		f->protocol = s->given[2];
		return;
	}
	f->type = GET(sock, sk_type);
	f->protocol = GET(sock, sk_protocol);
	if (family == AF_INET || family == AF_INET6)
		fill_inet(f, sock, kind);
	else if (family == AF_VSOCK)
		fill_vsock(f, sock);
	if (family == AF_VSOCK && is_unreachable(c->result))
		return;		/* It keeps whom it asked for. */
	if (asked && (family == AF_INET || family == AF_INET6 || family == AF_VSOCK))
		fill_refused(c, f, sock, (void *)s->given[1]);
	else if (asked)
		f->flags |= SOCKET_ARGUMENT;
}

HANDLER(socket_ended)
{
	struct unix_sock *unix = 0;
	struct sock *sock = 0;
	struct socket_call s;
	struct record r;
	__u32 family, kind;

	if (!socket_call_begin(&s, regs, result))
		return 0;
	kind = s.c.what.kind;
	if (!is_told_socket(&s, kind))
		return 0;
	if (kind != FRAME_SOCKET || !s.c.error) {
		sock = sock_of(s.c.event.task, kind == FRAME_ACCEPT || kind == FRAME_SOCKET ? result : s.given[0]);
		if (!sock)
			return 0;
	}
	family = sock ? GET(sock, __sk_common.skc_family) : s.given[0];
	if (kind == FRAME_BIND && !is_bound_for_good(family, GET(sock, sk_type), s.c.error))
		return 0;
	if (is_tcp(sock, family) && !s.c.error && (kind == FRAME_CONNECT || kind == FRAME_ACCEPT))
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

/* The name that a datagram was sent to, in the caller's memory; 0 for none. */
static __always_inline __u64 name_sent_to(struct socket_call *s, __u32 *length)
{
	__u64 number = call_number(s->c.regs), name = 0;
	bool to = number == (s->c.compat ? 369 : 44);

	if (s->c.compat && number == SOCKETCALL && s->given[3]) {
		*length = s->given[4];
		return s->given[3];
	}
	if (to) {
		*length = argument(&s->c, 5);
		return argument(&s->c, 4);
	}
	/* A message, or the first of several: begins with its name. */
	if (s->c.compat) {
		__u32 header[2] = {};

		bpf_probe_read_user(header, sizeof(header), (void *)s->given[1]);
		*length = header[1];
		return header[0];
	}
	__u64 header[2] = {};
	bpf_probe_read_user(header, sizeof(header), (void *)s->given[1]);
	*length = header[1];
	name = header[0];
	return name;
}

/* Text and length of a Unix socket's name, as in the argument; abstract ones begin with zero there and with @ here. */
static __always_inline __u32 read_unix_name(char *text, __u64 name, __u32 length)
{
	long got;

	if (length < 4 || length > 110)
		return 0;
	__builtin_memset(text, 0, 112);
	if (bpf_probe_read_user(text, (length - 2) & 127, (void *)name + 2))
		return 0;
	if (text[0] == 0) {
		text[0] = '@';
		return length - 2;
	}
	got = bpf_probe_read_kernel_str(text + 128, 112, text);
	return got > 1 ? got - 1 : 0;
}

static __always_inline __u64 unix_name_identity(struct made_call *c, const char *text)
{
	__u64 identity = process_identity(c->event.task, FRAME_SEND, 0);

	for (int i = 0; i < 14; i++)
		identity = mix(identity, ((const __u64 *)text)[i]);
	return identity | 1;
}

static __always_inline int tell_sent(struct socket_call *s, struct sock *sock, __u32 family, __u64 name, __u32 length)
{
	struct frame_socket *f;
	struct record r;

	if (!record_begin(&r, s->c.event.processor)) {
		give_up(&s->c.event);
		return 0;
	}
	if (family == AF_UNIX) {
		__u32 end = r.at;

		push_bytes(&r, s->c.event.processor->text, length & 127);
		string_end(&r, end);
	} else {
		push_empty(&r);
	}
	f = PUSH_FIXED(&r, struct frame_socket);
	__builtin_memset(f, 0, sizeof(*f));
	fill_actor(&f->actor, s->c.event.task, s->c.error, s->c.event.repeats);
	f->family = family;
	f->type = GET(sock, sk_type);
	f->protocol = GET(sock, sk_protocol);
	if (family != AF_UNIX) {
		fill_inet(f, sock, FRAME_SEND);
		if (!f->peer_port)
			fill_asked_for(f, (void *)name, false);
	} else {
		f->flags = SOCKET_ARGUMENT;
	}
	emit(&s->c.event, &r, FRAME_SEND);
	return 0;
}

/* A datagram that the kernel still has: its sender, should it leave when somebody else runs. */
static __always_inline void remember_sender(struct made_call *c, struct sock *sock)
{
	__u64 key = as_number(c->event.processor, sock);
	struct frame_actor actor, *before = bpf_map_lookup_elem(&senders, &key);

	if (before && before->pid == c->event.task->tgid)
		return;
	fill_actor(&actor, c->event.task, 0, 0);
	bpf_map_update_elem(&senders, &key, &actor, BPF_ANY);
}

/* Most that is sent goes through connections. A 32-bit call may have its socket elsewhere. */
static __always_inline bool may_send_datagram(const struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sock *sock;

	if (call_is_compat(task))
		return true;
	sock = sock_of(task, call_argument(regs, false, 0));
	return sock && GET(sock, sk_type) == SOCK_DGRAM;
}

HANDLER(send_ended)
{
	struct socket_call s;
	struct sock *sock;
	__u32 family, length = 0;
	__u64 name, identity = 0;
	char *text;

	if (!socket_call_begin(&s, regs, result) || is_unreachable(result))
		return 0;
	sock = sock_of(s.c.event.task, s.given[0]);
	if (!sock || GET(sock, sk_type) != SOCK_DGRAM)
		return 0;
	family = GET(sock, __sk_common.skc_family);
	name = name_sent_to(&s, &length);
	if (family == AF_UNIX) {
		__u8 seen = 1;

		text = s.c.event.processor->text;
		length = name ? read_unix_name(text, name, length) : 0;
		if (!length)
			return 0;
		identity = unix_name_identity(&s.c, text);
		if (!s.c.error && bpf_map_lookup_elem(&spoken_to, &identity))
			return 0;
		if (!s.c.error)
			bpf_map_update_elem(&spoken_to, &identity, &seen, BPF_ANY);
		identity = s.c.error ? 0 : identity;
	} else if (GET(sock, sk_protocol) != IPPROTO_UDP) {
		return 0;
	} else if (!s.c.error) {
		if (GET(sock, sk_wmem_alloc.refs.counter) > 1)
			remember_sender(&s.c, sock);
		return 0;
	}
	if (admit(&s.c.event, identity, true))
		tell_sent(&s, sock, family, name, length);
	return 0;
}

#endif
