/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Where libraries usually lie: given by the loader, asked by on-memory.h.
 */
#ifndef HUSHWATCH_USUAL_H
#define HUSHWATCH_USUAL_H

#include <linux/types.h>

#define USUAL_BYTES 24		/* No beginning is longer. */
#define USUAL_COUNT 16

/* The beginning of a path, and which of these bytes count. */
struct usual_place {
	__u64 text[USUAL_BYTES / 8];
	__u64 mask[USUAL_BYTES / 8];
};

#endif
