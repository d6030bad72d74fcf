/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What is remembered between a call and the packets that it causes: who began a connection, who sent, who asked.
 * Whoever interrupts a processor is not the one who acts; the maps say who is. All forget the oldest first.
 */
#ifndef HUSHWATCH_NETWORK_H
#define HUSHWATCH_NETWORK_H

#include "economy.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define AF_PACKET 17
#define AF_ALG 38
#define AF_VSOCK 40
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_SEQPACKET 5
#define SOCK_PACKET 10
#define SOCK_TYPE 0xf
#define NETLINK_AUDIT 9
#define NETLINK_CONNECTOR 11
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

/* A connection by its socket: who has it, since when. `refused`: nobody yet, it failed before the call ended. */
struct flow {
	struct frame_actor actor;
	__u64 since_ns;
	__u8 peer[16];		/* of a refused one; else they stay in the socket */
	__u8 local[16];
	__u16 peer_port;
	__u16 local_port;
	__u16 accepted;
	__u16 refused;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 14);
	__type(key, __u64);
	__type(value, struct flow);
} flows SEC(".maps");

/* Peers that a socket has sent a datagram to, each a number made of process, socket and peer. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 14);
	__type(key, __u64);
	__type(value, __u8);
} spoken_to SEC(".maps");

/* The last known sender, by socket, of what waits. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 12);
	__type(key, __u64);
	__type(value, struct frame_actor);
} senders SEC(".maps");

/* A question to a name server that has no answer yet. */
struct question {
	__u8 server[16];
	__u32 namespace;
	__u16 port;
	__u16 id;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 12);
	__type(key, struct question);
	__type(value, struct frame_actor);
} questions SEC(".maps");

static __always_inline bool is_tcp(struct sock *sock, __u32 family)
{
	return sock && (family == AF_INET || family == AF_INET6) && GET(sock, sk_protocol) == IPPROTO_TCP;
}

#endif
