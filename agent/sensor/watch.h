/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Watched paths: those whose reading is an event. Nearly every open is of something else, so first a small filter over the
 * beginnings of names says "certainly not"; the rare rest is walked and looked up by its whole path, its directory's path,
 * or (entries "*" and a name) its own or its directory's name alone.
 */
#ifndef HUSHWATCH_WATCH_H
#define HUSHWATCH_WATCH_H

#include "economy.h"

#define WATCH_KEY 256
#define WATCH_FILTER_WORDS 64

const volatile __u64 watch_filter[WATCH_FILTER_WORDS];

struct watch_key {
	char text[WATCH_KEY];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct watch_key);
	__type(value, __u8);
} watched SEC(".maps");

/* Also computed by the loader: the name's first eight bytes, zero padded, and its length. */
static __always_inline __u32 watch_position(__u64 beginning, __u32 length)
{
	return ((beginning ^ length) * 0x9e3779b97f4a7c15) >> 52;
}

#if defined(__bpf__)

static __always_inline bool name_may_be_watched(struct dentry *dentry)
{
	__u32 length = GET(dentry, d_name.len), position;
	__u64 beginning = load64(GET(dentry, d_name.name));

	if (length < 8)
		beginning &= (1ull << length * 8) - 1;
	position = watch_position(beginning, length);
	return watch_filter[position / 64 & (WATCH_FILTER_WORDS - 1)] & 1ull << position % 64;
}

static __always_inline bool may_be_watched(struct dentry *dentry)
{
	return name_may_be_watched(dentry) || name_may_be_watched(GET(dentry, d_parent));
}

static __always_inline bool is_watched_text(struct processor *p, const void *from, __u32 length, __u32 after)
{
	__builtin_memset(p->key, 0, sizeof(p->key));
	if (after)
		__builtin_memcpy(p->key, "*/", 2);
	if (!length || length > WATCH_KEY - 8)
		return false;
	bpf_probe_read_kernel(p->key + after, length & (WATCH_KEY - 1), from);
	return bpf_map_lookup_elem(&watched, p->key);
}

static __always_inline bool is_watched_name(struct processor *p, struct dentry *dentry)
{
	return is_watched_text(p, GET(dentry, d_name.name), GET(dentry, d_name.len), 2);
}

/* `at`, `length`: the walked path inside the record. */
static __always_inline bool is_watched(struct processor *p, const __u8 *path, __u32 length, struct dentry *dentry)
{
	__u32 name = GET(dentry, d_name.len);
	struct dentry *parent = GET(dentry, d_parent);

	return is_watched_text(p, path, length, 0) || is_watched_text(p, path, length - name - 1, 0) ||
	       is_watched_name(p, dentry) || is_watched_name(p, parent);
}

#endif
#endif
