/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a source to the agent: the buffer, the socket, the hello, the counters. What the agent did not wholly receive is told
 * again, whole, to the next one.
 *
 *	source -> buffer -> socket		and once a second a frame of counters, behind the frames that it counts
 *
 * Beside events go descriptions of the processes that live: all of them to each agent that connects, and again after events
 * about processes were lost. They are read first, then the events that were there by then are put before them, then they are
 * told: so a description is never older than what stands before it, but for events that happened while it was made.
 */
#ifndef HUSHWATCH_CARRIER_H
#define HUSHWATCH_CARRIER_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "frame.h"

#define VERSION "0.1.0"
#define BUFFER_BYTES (256 << 10)
#define PORTION_BYTES (64 << 10)
#define COUNTERS_EVERY_NS 1000000000ull
#define DESCRIBE_AGAIN_NS 1000000000ull
#define DESCRIBE_SHARE 50	/* of our time at most one in so many goes into describing again */
#define LAST_WORDS_NS 3000000000ull

enum { EXIT_USAGE = 2, EXIT_UNSUPPORTED = 3 };

static volatile sig_atomic_t stopping;

static void say(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fputs("hushwatch-sensor: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
}

#define die(status, ...) do { say(__VA_ARGS__); exit(status); } while (0)

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t random_number(void)
{
	uint64_t value;

	if (getrandom(&value, sizeof(value), 0) != sizeof(value))
		die(1, "no random numbers: %s", strerror(errno));
	return value;
}

struct carrier;

/* Where events come from. */
struct source {
	int (*wait)(struct carrier *c, int milliseconds);	/* negative: an errno that nothing can be done about */
	int (*consume)(struct carrier *c);			/* what there is into the buffer; -ENOBUFS: there is more */
	struct frame_counters (*count)(struct carrier *c);	/* ever; `emitted` is what the source thinks of it */
	uint64_t (*lost)(struct carrier *c);
	void (*heard_by)(struct carrier *c, uint32_t pid);	/* 0: nobody */
	bool (*begin_living)(struct carrier *c);
	size_t (*describe)(struct carrier *c, uint8_t *portion);	/* whole frames, at most PORTION_BYTES; 0: all are told */
	void (*stop)(struct carrier *c);			/* no more events; those that were are still to be consumed */
};

struct carrier {
	const struct source *source;
	uint64_t instance, counters_due, give_up_at;
	uint64_t carried[CLASS_COUNT];	/* frames put into the buffer, ever */
	uint64_t gaps, described_gaps, describe_at, describing_since;	/* events about processes that did not come through */
	int socket;
	bool describing;
	size_t filled, sent;
	uint8_t buffer[BUFFER_BYTES];
};

static const char *const CLASS_NAMES[CLASS_COUNT] = {
	[CLASS_FILE] = "file", [CLASS_NETWORK] = "network", [CLASS_PROCESS] = "process",
	[CLASS_KERNEL] = "kernel", [CLASS_PRIVILEGE] = "privilege",
};

static const uint8_t CLASS_OF[] = {
	[FRAME_FORK] = CLASS_PROCESS, [FRAME_EXEC] = CLASS_PROCESS, [FRAME_EXEC_REFUSED] = CLASS_PROCESS,
	[FRAME_EXIT] = CLASS_PROCESS, [FRAME_IMAGE] = CLASS_PROCESS,

	[FRAME_OPEN] = CLASS_FILE, [FRAME_DELETE] = CLASS_FILE, [FRAME_RENAME] = CLASS_FILE, [FRAME_LINK] = CLASS_FILE,
	[FRAME_SYMLINK] = CLASS_FILE, [FRAME_CHMOD] = CLASS_FILE, [FRAME_CHOWN] = CLASS_FILE, [FRAME_MEMFD] = CLASS_FILE,
	[FRAME_MODIFY] = CLASS_FILE, [FRAME_TRUNCATE] = CLASS_FILE, [FRAME_XATTR] = CLASS_FILE,

	[FRAME_CONNECT] = CLASS_NETWORK, [FRAME_ACCEPT] = CLASS_NETWORK, [FRAME_LISTEN] = CLASS_NETWORK,
	[FRAME_BIND] = CLASS_NETWORK, [FRAME_SEND] = CLASS_NETWORK, [FRAME_FLOW] = CLASS_NETWORK,
	[FRAME_SOCKET] = CLASS_NETWORK, [FRAME_DNS] = CLASS_NETWORK,

	[FRAME_CREDENTIALS] = CLASS_PRIVILEGE, [FRAME_CAPABILITIES] = CLASS_PRIVILEGE, [FRAME_TRACE] = CLASS_PRIVILEGE,
	[FRAME_ACCESS] = CLASS_PRIVILEGE, [FRAME_SIGNAL] = CLASS_PRIVILEGE, [FRAME_MEMORY] = CLASS_PRIVILEGE,
	[FRAME_NAMESPACE] = CLASS_PRIVILEGE, [FRAME_KEY] = CLASS_PRIVILEGE,

	[FRAME_MOUNT] = CLASS_KERNEL, [FRAME_UNMOUNT] = CLASS_KERNEL, [FRAME_PIVOT_ROOT] = CLASS_KERNEL,
	[FRAME_MODULE_LOAD] = CLASS_KERNEL, [FRAME_MODULE_UNLOAD] = CLASS_KERNEL, [FRAME_BPF_LOAD] = CLASS_KERNEL,
	[FRAME_BPF_OBJECT] = CLASS_KERNEL, [FRAME_KEXEC] = CLASS_KERNEL, [FRAME_IO_URING] = CLASS_KERNEL,
	[FRAME_PERF] = CLASS_KERNEL,
};

/* One frame of the source; -ENOBUFS when the next might not fit. */
static int keep(struct carrier *c, const void *data, size_t size)
{
	const struct frame_head *head = data;

	memcpy(c->buffer + c->filled, data, size);
	c->filled += size;
	c->carried[CLASS_OF[head->kind]]++;
	return c->filled > BUFFER_BYTES - 2 * FRAME_MAX ? -ENOBUFS : 0;
}

static void append_hello(struct carrier *c)
{
	struct frame_hello hello = {
		.head = { .version = FRAME_VERSION, .kind = FRAME_HELLO, .at_ns = now_ns(), .lost = c->source->lost(c) },
		.instance = c->instance,
	};
	uint16_t length = sizeof(VERSION) - 1;

	hello.head.size = (uint32_t)(sizeof(hello) + sizeof(length) + length);
	memcpy(c->buffer + c->filled, &hello, sizeof(hello));
	memcpy(c->buffer + c->filled + sizeof(hello), &length, sizeof(length));
	memcpy(c->buffer + c->filled + sizeof(hello) + sizeof(length), VERSION, length);
	c->filled += hello.head.size;
}

/*
 * Emitted is the number of frames that stand before in the stream, so every frame of counters adds up by itself while
 * events go on happening. Only the last one, when nothing happens any more, says what the kernel counted as seen.
 */
static bool append_counters(struct carrier *c, bool last)
{
	struct frame_counters counters = c->source->count(c);
	bool right = true;

	counters.head = (struct frame_head){
		.size = sizeof(counters), .version = FRAME_VERSION, .kind = FRAME_COUNTERS, .at_ns = now_ns(),
		.lost = c->source->lost(c),
	};
	for (int class = 0; class < CLASS_COUNT; class++) {
		struct class_counters *k = &counters.classes[class];
		uint64_t sum = c->carried[class] + k->merged + k->sampled + k->lost;

		if (last && (sum != k->seen || k->emitted != c->carried[class])) {
			say("%s: %llu seen, but %llu accounted for", CLASS_NAMES[class], (unsigned long long)k->seen, (unsigned long long)sum);
			right = false;
		}
		k->emitted = c->carried[class];
		k->seen = last ? k->seen : sum;
	}
	c->gaps = counters.classes[CLASS_PROCESS].lost + counters.classes[CLASS_PROCESS].sampled;
	counters.last = last;
	memcpy(c->buffer + c->filled, &counters, sizeof(counters));
	c->filled += sizeof(counters);
	c->counters_due = counters.head.at_ns + COUNTERS_EVERY_NS;
	return right;
}

/* True: the buffer is empty. False: the agent is gone, or has not taken it in time while we are stopping. */
static bool flush(struct carrier *c)
{
	while (c->sent < c->filled) {
		ssize_t written = send(c->socket, c->buffer + c->sent, c->filled - c->sent, MSG_NOSIGNAL);

		if (written > 0)
			c->sent += (size_t)written;
		else if (errno != EINTR && errno != EAGAIN)
			return false;
		if (stopping && !c->give_up_at)
			c->give_up_at = now_ns() + LAST_WORDS_NS;
		if (c->give_up_at && now_ns() > c->give_up_at)
			return false;
	}
	c->sent = c->filled = 0;
	return true;
}

/*
 * A new connection: hello, counters, then what the last one did not take, from the beginning of the frame it broke off in.
 * Counters, greetings and descriptions among that are stale and stay behind.
 */
static void rewind_buffer(struct carrier *c)
{
	static uint8_t pending[BUFFER_BYTES];
	size_t kept = 0, filled = c->filled, sent = c->sent;

	for (size_t at = 0; at < filled;) {
		struct frame_head head;

		memcpy(&head, c->buffer + at, sizeof(head));
		if (at + head.size > sent && head.kind > FRAME_COUNTERS && head.kind != FRAME_PROCESS) {
			memcpy(pending + kept, c->buffer + at, head.size);
			kept += head.size;
			c->carried[CLASS_OF[head.kind]]--;
		}
		at += head.size;
	}
	c->sent = c->filled = 0;
	append_hello(c);
	append_counters(c, false);
	for (size_t at = 0; at < kept;) {
		struct frame_head head;

		memcpy(&head, pending + at, sizeof(head));
		keep(c, pending + at, head.size);
		at += head.size;
	}
}

static void describe_living(struct carrier *c)
{
	c->describing = c->source->begin_living(c);
	c->described_gaps = c->gaps;
	c->describing_since = now_ns();
}

/* All are told. After losses they will be told again, not before. */
static void described_living(struct carrier *c)
{
	uint64_t now = now_ns();

	c->describing = false;
	c->describe_at = now + DESCRIBE_AGAIN_NS + (now - c->describing_since) * DESCRIBE_SHARE;
}

static bool connect_agent(struct carrier *c, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_usec = 500000 };
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int bytes = 1 << 20;

	if (strlen(path) >= sizeof(address.sun_path))
		die(EXIT_USAGE, "--socket: the path is longer than a Unix socket's may be");
	strcpy(address.sun_path, path);
	c->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->socket < 0)
		die(1, "no socket: %s", strerror(errno));
	if (connect(c->socket, (struct sockaddr *)&address, sizeof(address)) ||
	    getsockopt(c->socket, SOL_SOCKET, SO_PEERCRED, &peer, &length)) {
		close(c->socket);
		return false;
	}
	setsockopt(c->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(c->socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	c->source->heard_by(c, (uint32_t)peer.pid);
	rewind_buffer(c);
	describe_living(c);
	return true;
}

/* Empties the source into the socket; a busy one does not keep the counters waiting. */
static bool carry(struct carrier *c)
{
	int got;

	do {
		got = c->source->consume(c);
		if (now_ns() >= c->counters_due)
			append_counters(c, false);
		if (!flush(c))
			return false;
	} while (got == -ENOBUFS);
	return true;
}

static void serve_agent(struct carrier *c)
{
	static uint8_t portion[PORTION_BYTES];

	if (!flush(c))
		return;
	while (!stopping) {
		size_t described = c->describing ? c->source->describe(c, portion) : 0;
		int got = c->source->wait(c, described ? 0 : 50);

		if (c->describing && !described)
			described_living(c);
		if (got < 0 && got != -EINTR && got != -ENOBUFS)
			die(1, "cannot read events: %s", strerror(-got));
		if (!carry(c))
			return;
		memcpy(c->buffer, portion, described);
		c->filled = described;
		if (!flush(c))
			return;
		if (!c->describing && c->gaps != c->described_gaps && now_ns() > c->describe_at)
			describe_living(c);
	}
}

/* After the last event: everything that is still in the source, then counters that must add up. */
static int last_words(struct carrier *c)
{
	bool right;

	c->source->stop(c);
	if (c->socket < 0)
		return 0;
	c->give_up_at = now_ns() + LAST_WORDS_NS;
	if (!carry(c))
		return 0;
	right = append_counters(c, true);
	flush(c);
	return right ? 0 : 1;
}

static void on_signal(int signal)
{
	(void)signal;
	stopping = 1;
}

static void take_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

/* One agent after the other, until somebody ends us. */
static int serve(struct carrier *c, const char *path)
{
	c->instance = random_number();
	while (!stopping) {
		if (connect_agent(c, path)) {
			serve_agent(c);
			if (stopping)
				break;
			close(c->socket);
			c->source->heard_by(c, 0);
		}
		c->socket = -1;
		usleep(200000);
	}
	return last_words(c);
}

#endif
