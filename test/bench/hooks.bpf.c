/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Programs that do nothing, where the sensor's busiest ones hang: what the kernel itself takes for calling them. Less than
 * this nothing that sees the same can cost.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define NOTHING_AT(tracepoint) SEC("tp_btf/" #tracepoint) int at_##tracepoint(void *ctx) { return 0; }

NOTHING_AT(sys_exit)
NOTHING_AT(kmem_cache_free)
NOTHING_AT(net_dev_queue)
NOTHING_AT(netif_receive_skb)
