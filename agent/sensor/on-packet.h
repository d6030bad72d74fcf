/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Packets and the ends of connections: the first datagram to each peer, questions to name servers and their answers, bytes and
 * duration of a TCP connection.
 *
 * Told is what left and what arrived, so nothing that a caller does to its memory changes it. A datagram normally passes
 * net_dev_queue while its sender runs; what passes in an interrupt (it waited for its neighbour) has a sender only if the
 * exit of the call noted one (on-socket.h). An answer belongs to whom asked, a connection to who opened or accepted it:
 * never to whoever was interrupted.
 */
#ifndef HUSHWATCH_ON_PACKET_H
#define HUSHWATCH_ON_PACKET_H

#include <bpf/bpf_tracing.h>
#include "network.h"
#include "told.h"

#define ETHERTYPE_IPV4 __builtin_bswap16(0x0800)
#define ETHERTYPE_IPV6 __builtin_bswap16(0x86dd)
#define PORT_DNS __builtin_bswap16(53)
#define PORT_MDNS __builtin_bswap16(5353)
#define PORT_LLMNR __builtin_bswap16(5355)
#define DNS_HEADER 12
#define DNS_RESPONSE 0x80	/* in its third byte */
#define DNS_BYTES 1472		/* what Ethernet carries */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_CLOSE 7
#define TCP_LISTEN 10
#define PF_KTHREAD 0x200000
#define STACK_BYTES 16384

static __always_inline __u64 number_of(const void *pointer)
{
	const void *volatile held = pointer;
	__u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), (const void *)&held);
	return number;
}

/*
 * The current task is who acts: it is in a system call, and what we were called with lies on its stack. Interrupts have a
 * stack of their own, but for those that come while the task is outside of the kernel. A thread of the kernel does the work
 * of interrupts too, so it is never who acts.
 */
static __always_inline bool in_task(const void *called_with)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (task->flags & PF_KTHREAD || number_of(called_with) - (__u64)task->stack >= STACK_BYTES)
		return false;
	return is_call(GET((struct pt_regs *)bpf_task_pt_regs(task), orig_ax));
}

/* An UDP datagram on its way. Ports and addresses as on the wire. */
struct datagram {
	struct frame_actor actor;
	__u8 peer[16];
	__u8 local[16];
	const __u8 *udp;
	__u32 payload;		/* bytes of it in one piece */
	__u16 peer_port;
	__u16 local_port;
	__u16 family;
	__u16 room;
};

static __always_inline __u16 from_wire(__u16 number)
{
	return __builtin_bswap16(number);
}

/* Addresses: `from` and `to` are where the packet's header has them. */
static __always_inline void read_addresses(const __u8 *ip, __u32 family, __u8 *from, __u8 *to)
{
	if (family == AF_INET) {
		__u64 both = load64(ip + 12);

		__builtin_memset(from, 0, 16);
		__builtin_memset(to, 0, 16);
		*(__u32 *)from = both;
		*(__u32 *)to = both >> 32;
		return;
	}
	((__u64 *)from)[0] = load64(ip + 8);
	((__u64 *)from)[1] = load64(ip + 16);
	((__u64 *)to)[0] = load64(ip + 24);
	((__u64 *)to)[1] = load64(ip + 32);
}

/* How much of the payload lies in one piece behind the header; no more than the header says there is. */
static __always_inline __u32 payload_of(struct sk_buff *skb, const __u8 *udp, __u64 header)
{
	__u64 there = skb->head + skb->tail - (udp + 8);
	__u32 said = from_wire(header >> 32);

	said = said > 8 ? said - 8 : 0;
	if (there > said)
		there = said;
	return there > DNS_BYTES ? DNS_BYTES : there;
}

static __always_inline void tell_datagram(struct event *e, struct datagram *d, __u32 kind, __u32 flags, bool with_payload)
{
	struct frame_socket *f;
	struct record r;
	__u32 end;

	if (!record_begin(&r, e->processor)) {
		give_up(e);
		return;
	}
	end = r.at;
	if (with_payload)
		push_bytes(&r, d->udp + 8, d->payload & 2047);
	string_end(&r, end);
	f = PUSH_FIXED(&r, struct frame_socket);
	__builtin_memset(f, 0, sizeof(*f));
	f->actor = d->actor;
	f->actor.repeats = e->repeats;
	__builtin_memcpy(f->peer, d->peer, sizeof(f->peer));
	__builtin_memcpy(f->local, d->local, sizeof(f->local));
	f->peer_port = from_wire(d->peer_port);
	f->local_port = from_wire(d->local_port);
	f->family = d->family;
	f->protocol = IPPROTO_UDP;
	f->type = SOCK_DGRAM;
	f->flags = flags;
	emit(e, &r, kind);
}

static __always_inline __u64 actor_identity(const struct frame_actor *actor, __u32 kind, __u32 flags)
{
	return mix(name_of(actor->pid, actor->start_ns), flags << 8 | kind);
}

/*
 * The same question of the same process: name, type and class, all that stands before what differs between two askings. A
 * word too much is read where the name ends; nothing that differs begins within it.
 */
static __always_inline __u64 question_identity(struct event *e, struct datagram *d, __u32 flags)
{
	__u64 identity = actor_identity(&d->actor, FRAME_DNS, flags), *words = (void *)e->processor->text, word = 0;

	__builtin_memset(words, 0, 272);
	bpf_probe_read_kernel(words, d->payload > 264 ? 264 : d->payload, d->udp + 8 + DNS_HEADER);
	for (int i = 0; i < 32; i++) {
		__u64 before = word;

		word = words[i];
		identity = mix(identity, word);
		if (i && (before - 0x0101010101010101) & ~before & 0x8080808080808080)
			break;
	}
	return mix(identity, *(__u64 *)d->peer ^ *(__u64 *)(d->peer + 8)) | 1;
}

static __always_inline void tell_dns(struct datagram *d, __u32 flags)
{
	struct event e;

	if (!event_begin_for(&e, CLASS_NETWORK, name_of(d->actor.pid, d->actor.start_ns), d->room))
		return;
	if (admit(&e, question_identity(&e, d, flags), true))
		tell_datagram(&e, d, FRAME_DNS, flags, true);
}

static __always_inline void tell_sent_to(struct datagram *d, __u64 identity)
{
	struct event e;

	if (event_begin_for(&e, CLASS_NETWORK, name_of(d->actor.pid, d->actor.start_ns), d->room) && admit(&e, identity | 1, true))
		tell_datagram(&e, d, FRAME_SEND, 0, false);
}

/* False: nobody knows who sent it. */
static __always_inline bool find_sender(struct datagram *d, struct sock *sock, const void *called_with)
{
	struct frame_actor *noted;
	__u64 key;

	if (in_task(called_with)) {
		d->room = ROOM_TASK;
		fill_actor(&d->actor, bpf_get_current_task_btf(), 0, 0);
		return true;
	}
	d->room = ROOM_INTERRUPT;
	key = number_of(sock);
	noted = bpf_map_lookup_elem(&senders, &key);
	if (!noted)
		return false;
	d->actor = *noted;
	return true;
}

static __always_inline void fill_question(struct question *q, struct datagram *d, struct sk_buff *skb)
{
	__u64 begins = load64(d->udp + 8);

	__builtin_memcpy(q->server, d->peer, sizeof(q->server));
	q->namespace = skb->dev->nd_net.net->ns.inum;
	q->port = d->local_port;
	q->id = begins;
}

/* Of a datagram in pieces the first alone has ports. */
static __always_inline bool has_ports(const __u8 *ip, __u32 family)
{
	__u64 beginning = load64(ip);

	if (family == AF_INET)
		return !(from_wire(beginning >> 48) & 0x1fff);
	return (beginning >> 48 & 0xff) == IPPROTO_UDP;
}

/* Of a process, a socket (by its inode: no other will have the number soon) and a peer. */
static __always_inline __u64 peer_identity(struct datagram *d, struct sock *sock)
{
	__u64 identity = (__u64)(__u32)bpf_get_current_task_btf()->tgid << 32 | d->peer_port;

	identity = mix(mix(merge_seed, identity), sock->sk_socket->file->f_inode->i_ino);
	return mix(mix(identity, *(__u64 *)d->peer), *(__u64 *)(d->peer + 8));
}

/* Where names are asked for: of a server, or of everybody near. */
static __always_inline bool is_name_port(__u16 port)
{
	return port == PORT_DNS || port == PORT_MDNS || port == PORT_LLMNR;
}

/*
 * False: told already, seen again further down in a tunnel or on the way through a bridge; or no question. Of what is asked
 * of everybody answers come from anybody, and under numbers that say nothing, so nobody waits for them.
 */
static __always_inline bool is_question(struct datagram *d, struct sk_buff *skb)
{
	struct question question = {};

	if (d->payload < DNS_HEADER)
		return true;	/* Neither is it DNS, and that is told. */
	if (d->peer_port != PORT_DNS)
		return !(load64(d->udp + 8) >> 16 & DNS_RESPONSE);
	fill_question(&question, d, skb);
	return !bpf_map_update_elem(&questions, &question, &d->actor, BPF_NOEXIST);
}

SEC("tp_btf/net_dev_queue") int BPF_PROG(on_datagram, struct sk_buff *skb)
{
	struct sock *sock = skb->sk;
	struct datagram d = {};
	__u64 header, peer;
	const __u8 *ip;
	__u8 seen = 1, state;
	bool is_new;

	if (!sock)
		return 0;
	state = sock->__sk_common.skc_state;	/* Half-made ones are shorter than they look. */
	if ((state != TCP_CLOSE && state != TCP_ESTABLISHED) || sock->sk_protocol != IPPROTO_UDP)
		return 0;
	d.family = skb->protocol == ETHERTYPE_IPV4 ? AF_INET : skb->protocol == ETHERTYPE_IPV6 ? AF_INET6 : 0;
	ip = skb->head + skb->network_header;
	if (!d.family || !has_ports(ip, d.family))
		return 0;
	d.udp = skb->head + skb->transport_header;
	header = load64(d.udp);
	d.local_port = header;
	d.peer_port = header >> 16;
	if (from_wire(d.local_port) != sock->__sk_common.skc_num)	/* A tunnel's, around it. */
		return 0;
	read_addresses(ip, d.family, d.local, d.peer);
	peer = peer_identity(&d, sock);
	is_new = !bpf_map_lookup_elem(&spoken_to, &peer);
	if ((!is_new && !is_name_port(d.peer_port)) || !find_sender(&d, sock, ctx))
		return 0;
	if (is_excluded(d.actor.pid))
		return 0;
	if (is_new) {
		bpf_map_update_elem(&spoken_to, &peer, &seen, BPF_ANY);
		tell_sent_to(&d, peer);
	}
	if (!is_name_port(d.peer_port))
		return 0;
	d.payload = payload_of(skb, d.udp, header);
	if (is_question(&d, skb))
		tell_dns(&d, 0);
	return 0;
}

SEC("tp_btf/netif_receive_skb") int BPF_PROG(on_answer, struct sk_buff *skb)
{
	const __u8 *ip = skb->data;
	struct question question = {};
	struct frame_actor *asked;
	struct datagram d = {};
	__u64 beginning, header;

	if (skb->protocol == ETHERTYPE_IPV4) {
		if ((load64(ip + 8) >> 8 & 0xff) != IPPROTO_UDP)
			return 0;
		beginning = load64(ip);
		d.family = AF_INET;
		d.udp = ip + (beginning & 0xf) * 4;
	} else if (skb->protocol == ETHERTYPE_IPV6) {
		beginning = load64(ip);
		if ((beginning >> 48 & 0xff) != IPPROTO_UDP)
			return 0;
		d.family = AF_INET6;
		d.udp = ip + 40;
	} else {
		return 0;
	}
	header = load64(d.udp);
	d.peer_port = header;
	if (d.peer_port != PORT_DNS)
		return 0;
	d.local_port = header >> 16;
	d.payload = payload_of(skb, d.udp, header);
	if (d.payload < DNS_HEADER)
		return 0;
	read_addresses(ip, d.family, d.peer, d.local);
	fill_question(&question, &d, skb);
	asked = bpf_map_lookup_elem(&questions, &question);
	if (!asked)
		return 0;
	d.actor = *asked;
	d.room = in_task(ctx) ? ROOM_TASK : ROOM_INTERRUPT;
	bpf_map_delete_elem(&questions, &question);
	tell_dns(&d, SOCKET_ANSWER);
	return 0;
}

static __always_inline void copy_peer(__u8 *peer, struct sock *sock, __u32 family)
{
	if (family == AF_INET)
		*(__u32 *)peer = sock->__sk_common.skc_daddr;
	else if (bpf_core_field_exists(sock->__sk_common.skc_v6_daddr))
		bpf_core_read(peer, 16, &sock->__sk_common.skc_v6_daddr);
}

static __always_inline void copy_local(__u8 *local, struct sock *sock, __u32 family)
{
	if (family == AF_INET)
		*(__u32 *)local = sock->__sk_common.skc_rcv_saddr;
	else if (bpf_core_field_exists(sock->__sk_common.skc_v6_rcv_saddr))
		bpf_core_read(local, 16, &sock->__sk_common.skc_v6_rcv_saddr);
}

/* A connect that failed while its call waits: the socket forgets whom it asked for before the call ends. */
static __always_inline void note_refused(struct sock *sock, __u64 key)
{
	struct flow refused = { .refused = 1, .peer_port = from_wire(sock->__sk_common.skc_dport) };

	refused.local_port = from_wire(GET((struct inet_sock *)sock, inet_sport));
	copy_local(refused.local, sock, sock->__sk_common.skc_family);
	copy_peer(refused.peer, sock, sock->__sk_common.skc_family);
	bpf_map_update_elem(&flows, &key, &refused, BPF_ANY);
}

static __always_inline void tell_flow(struct event *e, struct sock *sock, struct flow *flow)
{
	struct tcp_sock *tcp = (void *)sock;
	struct frame_socket *f;
	struct frame_flow *whole;
	struct record r;

	if (!record_begin(&r, e->processor)) {
		give_up(e);
		return;
	}
	whole = PUSH_FIXED(&r, struct frame_flow);
	__builtin_memset(whole, 0, sizeof(*whole));
	whole->sent = GET(tcp, bytes_sent) - GET(tcp, bytes_retrans);
	whole->received = GET(tcp, bytes_received);
	whole->lasted_ns = e->at_ns - flow->since_ns;
	f = &whole->socket;
	f->actor = flow->actor;
	f->family = sock->__sk_common.skc_family;
	copy_peer(f->peer, sock, f->family);
	copy_local(f->local, sock, f->family);
	f->peer_port = flow->peer_port;
	f->local_port = flow->local_port;
	f->protocol = IPPROTO_TCP;
	f->type = SOCK_STREAM;
	f->flags = flow->accepted ? SOCKET_ACCEPTED : 0;
	emit(e, &r, FRAME_FLOW);
}

SEC("tp_btf/inet_sock_set_state") int BPF_PROG(on_state, struct sock *sock, int before, int after)
{
	struct flow *known, flow;
	struct event e;
	__u32 room;
	__u64 key;

	if (after != TCP_CLOSE || before == TCP_LISTEN || sock->sk_protocol != IPPROTO_TCP)
		return 0;
	key = number_of(sock);
	known = bpf_map_lookup_elem(&flows, &key);
	if (!known || known->refused) {
		if (before == TCP_SYN_SENT)
			note_refused(sock, key);
		return 0;
	}
	flow = *known;
	bpf_map_delete_elem(&flows, &key);
	/* An older connection's, whose socket lay in the same place. */
	if (flow.peer_port != from_wire(sock->__sk_common.skc_dport) || flow.local_port != from_wire(GET((struct inet_sock *)sock, inet_sport)))
		return 0;
	room = in_task(ctx) ? ROOM_TASK : ROOM_INTERRUPT;
	if (event_begin_for(&e, CLASS_NETWORK, name_of(flow.actor.pid, flow.actor.start_ns), room) && admit(&e, 0, true))
		tell_flow(&e, sock, &flow);
	return 0;
}

#endif
