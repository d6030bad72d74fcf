/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The weaker source where the kernel takes no BPF: the proc connector says that somebody forked, ran a program, changed who
 * they are, took hold of another or ended, and /proc is asked, a moment later, what that was.
 *
 * Who is gone by then is told with what is known: numbers that are not known are all ones, strings are empty. What was lost is
 * counted, threads and names among it: the socket says how many it dropped, and every message carries a number of its
 * processor, which shows also what never reached the socket, but not before the next message. The larger of both counts.
 */
#ifndef HUSHWATCH_CONNECTOR_H
#define HUSHWATCH_CONNECTOR_H

#include <dirent.h>
#include <fcntl.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "carrier.h"

#define UNKNOWN 0xffffffffu
#define PROCESSORS_MAX 1024
#define NS_PER_TICK 10000000ull
#define DESCRIBED_AT_ONCE 64

/* What frames of a process are told with, from the moment it is known until it ends. */
struct known {
	uint64_t start_ns;
	uint32_t uid, gid;
};

static struct {
	int socket;
	uint32_t excluded[16];		/* we, the agent, and who was named */
	uint64_t lost;			/* the larger of these two, when it was last asked */
	uint64_t missing, dropped;	/* messages, by their numbers and by the socket */
	uint32_t drops;			/* as the socket said last: it has 32 bits */
	uint32_t next[PROCESSORS_MAX];	/* number of the next message of each processor */
	bool heard[PROCESSORS_MAX];
	struct known *known;		/* by pid */
	uint32_t pid_max;
	DIR *living;
	uint8_t frame[FRAME_MAX];
	size_t filled;
	char text[FRAME_MAX];
} connector = { .socket = -1 };

/* ---- /proc ---- */

/* What /proc/PID/`what` holds, ended by NUL; 0 where it is gone or not ours. */
static size_t read_proc(uint32_t pid, const char *what, char *into, size_t size)
{
	char path[64];
	size_t filled = 0;
	ssize_t got = -1;
	int file;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, what);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file >= 0) {
		while (filled < size - 1 && (got = read(file, into + filled, size - 1 - filled)) > 0)
			filled += (size_t)got;
		close(file);
	}
	into[filled] = 0;
	return filled;
}

static size_t read_link(uint32_t pid, const char *what, char *into, size_t size)
{
	char path[64];
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, what);
	got = readlink(path, into, size - 1);
	into[got > 0 ? got : 0] = 0;
	return got > 0 ? (size_t)got : 0;
}

/* Of /proc/PID/stat: fields are counted behind the name, which may hold anything. */
static bool read_stat(uint32_t pid, uint32_t *parent, uint64_t *start_ns)
{
	char stat[1024], *at;
	unsigned long long ticks = 0;

	if (!read_proc(pid, "stat", stat, sizeof(stat)) || !(at = strrchr(stat, ')')))
		return false;
	if (sscanf(at + 1, " %*c %u %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", parent, &ticks) != 2)
		return false;
	*start_ns = ticks * NS_PER_TICK;
	return true;
}

static struct known *known_of(uint32_t pid)
{
	static struct known nobody;
	struct known *known = &connector.known[pid < connector.pid_max ? pid : 0];
	char status[4096], *at;
	uint32_t parent;

	if (known->start_ns)
		return known;
	nobody = (struct known){ .uid = UNKNOWN, .gid = UNKNOWN };
	if (pid == 0 || pid >= connector.pid_max || !read_stat(pid, &parent, &known->start_ns))
		return &nobody;
	known->uid = known->gid = UNKNOWN;
	if (read_proc(pid, "status", status, sizeof(status)) && (at = strstr(status, "\nUid:")))
		sscanf(at, "\nUid: %*u %u", &known->uid);
	if ((at = strstr(status, "\nGid:")))
		sscanf(at, "\nGid: %*u %u", &known->gid);
	return known;
}

/* ---- Frames ---- */

static void text(const char *bytes, size_t length)
{
	size_t room = FRAME_MAX - connector.filled - 2 * sizeof(uint16_t);
	uint16_t kept = (uint16_t)(length < room ? length : room);

	memcpy(connector.frame + connector.filled, &kept, sizeof(kept));
	memcpy(connector.frame + connector.filled + sizeof(kept), bytes, kept);
	connector.filled += sizeof(kept) + kept;
}

static void begin(const void *fixed, size_t size)
{
	memcpy(connector.frame, fixed, size);
	connector.filled = size;
}

static void end(void)
{
	uint32_t size = (uint32_t)connector.filled;

	memcpy(connector.frame, &size, sizeof(size));
}

static struct frame_head head(uint16_t kind, uint64_t at_ns)
{
	return (struct frame_head){ .version = FRAME_VERSION, .kind = kind, .at_ns = at_ns, .lost = connector.lost };
}

static struct frame_actor actor(uint32_t pid)
{
	struct known *known = known_of(pid);

	return (struct frame_actor){ .start_ns = known->start_ns, .pid = pid, .tid = pid, .uid = known->uid, .gid = known->gid };
}

static uint32_t status_number(const char *status, const char *format, uint32_t otherwise)
{
	const char *at = strstr(status, strncmp(format, "\nUid", 4) ? "\nGid:" : "\nUid:");
	uint32_t value = otherwise;

	if (at)
		sscanf(at, format, &value);
	return value;
}

static uint32_t proc_number(uint32_t pid, const char *what)
{
	char number[32];

	return read_proc(pid, what, number, sizeof(number)) ? (uint32_t)strtoul(number, NULL, 10) : UNKNOWN;
}

static struct frame_credentials credentials(uint32_t pid)
{
	struct frame_credentials c = { UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, ~0ull };
	struct known *known = known_of(pid);
	char status[4096], *at;

	if (!read_proc(pid, "status", status, sizeof(status)))
		return c;
	c.real_uid = status_number(status, "\nUid: %u", UNKNOWN);
	c.effective_uid = status_number(status, "\nUid: %*u %u", UNKNOWN);
	c.saved_uid = status_number(status, "\nUid: %*u %*u %u", UNKNOWN);
	c.effective_gid = status_number(status, "\nGid: %*u %u", UNKNOWN);
	if ((at = strstr(status, "\nCapEff:")))
		c.effective_capabilities = strtoull(at + 8, NULL, 16);
	c.login_uid = proc_number(pid, "loginuid");
	c.audit_session = proc_number(pid, "sessionid");
	if (known->start_ns) {
		known->uid = c.effective_uid;
		known->gid = c.effective_gid;
	}
	return c;
}

static bool object(uint32_t pid, struct frame_object *o)
{
	char path[64];
	struct stat s;

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	if (stat(path, &s))
		return false;
	*o = (struct frame_object){ .inode = s.st_ino, .device = major(s.st_dev) << 20 | minor(s.st_dev), .mode = s.st_mode,
				    .uid = s.st_uid, .gid = s.st_gid, .links = (uint32_t)s.st_nlink };
	return true;
}

static uint32_t namespace_of(uint32_t pid, const char *which)
{
	char link[64], *at;

	return read_link(pid, which, link, sizeof(link)) && (at = strchr(link, '[')) ? (uint32_t)strtoul(at + 1, NULL, 10) : 0;
}

static void executable(uint32_t pid)
{
	static const char deleted[] = " (deleted)";
	size_t length = read_link(pid, "exe", connector.text, sizeof(connector.text)), tail = sizeof(deleted) - 1;

	if (length > tail && !strcmp(connector.text + length - tail, deleted))
		length -= tail;
	text(connector.text, length);
}

/* The group of the one hierarchy, or of systemd's. */
static void control_group(uint32_t pid)
{
	char *at = NULL;

	if (read_proc(pid, "cgroup", connector.text, sizeof(connector.text))) {
		at = strstr(connector.text, "0::");
		if (at)
			at += 3;
	}
	text(at ? at : "", at ? strcspn(at, "\n") : 0);
}

/* What a program's process is, as far as /proc tells. */
static void program_frame(uint16_t kind, uint32_t pid, uint64_t at_ns)
{
	struct frame_exec f = { .head = head(kind, at_ns), .credentials = credentials(pid) };
	uint64_t unused;
	size_t length;

	f.actor = actor(pid);
	if (read_stat(pid, &f.parent_pid, &unused))
		f.parent_start_ns = known_of(f.parent_pid)->start_ns;
	f.flags = object(pid, &f.object) ? FRAME_OBJECT : 0;
	f.mnt_namespace = namespace_of(pid, "ns/mnt");
	f.pid_namespace = namespace_of(pid, "ns/pid");
	f.net_namespace = namespace_of(pid, "ns/net");
	f.user_namespace = namespace_of(pid, "ns/user");
	begin(&f, sizeof(f));
	executable(pid);
	text(connector.text, read_link(pid, "cwd", connector.text, 4096));
	control_group(pid);
	length = read_proc(pid, "cmdline", connector.text, 8192);
	text(connector.text, length);
	text("", 0);	/* that it was a script nobody tells here */
	for (size_t i = 0; i < length; i++)
		f.args_count += !connector.text[i];
	if (length == 8191)
		f.flags |= FRAME_ARGS_CUT;
	memcpy(connector.frame, &f, sizeof(f));
	end();
}

/* ---- Events ---- */

static void forked(const struct proc_event *e, uint64_t at_ns)
{
	uint32_t pid = (uint32_t)e->event_data.fork.child_tgid, parent = (uint32_t)e->event_data.fork.parent_tgid;
	struct known *of_parent = known_of(parent);
	struct frame_fork f = { .head = head(FRAME_FORK, at_ns), .parent_pid = parent, .parent_start_ns = of_parent->start_ns };

	if (pid < connector.pid_max)
		connector.known[pid] = (struct known){ at_ns, of_parent->uid, of_parent->gid };
	f.actor = actor(pid);
	begin(&f, sizeof(f));
	end();
}

static void ended(const struct proc_event *e, uint64_t at_ns)
{
	uint32_t pid = (uint32_t)e->event_data.exit.process_tgid, code = e->event_data.exit.exit_code;
	struct frame_exit f = { .head = head(FRAME_EXIT, at_ns), .actor = actor(pid), .code = code >> 8 & 0xff, .signal = code & 0x7f };

	if (pid < connector.pid_max)
		connector.known[pid].start_ns = 0;
	begin(&f, sizeof(f));
	end();
}

static void changed(const struct proc_event *e, uint64_t at_ns)
{
	uint32_t pid = (uint32_t)e->event_data.id.process_tgid;
	struct frame_change f = { .head = head(FRAME_CREDENTIALS, at_ns), .credentials = credentials(pid) };

	f.actor = actor(pid);
	begin(&f, sizeof(f));
	end();
}

static void taken_hold_of(const struct proc_event *e, uint64_t at_ns)
{
	uint32_t tracer = (uint32_t)e->event_data.ptrace.tracer_tgid, target = (uint32_t)e->event_data.ptrace.process_tgid;
	struct frame_trace f = { .head = head(FRAME_TRACE, at_ns), .actor = actor(tracer), .target_pid = target,
				 .target_start_ns = known_of(target)->start_ns, .request = 16 };

	begin(&f, sizeof(f));
	end();
}

static bool connector_excludes(uint32_t pid)
{
	for (size_t i = 0; i < sizeof(connector.excluded) / sizeof(*connector.excluded); i++)
		if (connector.excluded[i] == pid)
			return true;
	return false;
}

/* False: it is about a thread, or a kind that nobody asked for, or about us. */
static bool make_frame(const struct proc_event *e, uint64_t at_ns)
{
	uint32_t process = (uint32_t)e->event_data.id.process_tgid;	/* the same place in every kind but fork */
	bool first = e->event_data.id.process_pid == e->event_data.id.process_tgid;

	if (e->what != PROC_EVENT_FORK && connector_excludes(process))
		return false;
	switch ((unsigned)e->what) {
	case PROC_EVENT_FORK:
		if (e->event_data.fork.child_pid != e->event_data.fork.child_tgid)
			return false;
		return forked(e, at_ns), true;
	case PROC_EVENT_EXEC: return program_frame(FRAME_EXEC, process, at_ns), true;
	case PROC_EVENT_UID:
	case PROC_EVENT_GID: return changed(e, at_ns), true;
	case PROC_EVENT_PTRACE:
		return e->event_data.ptrace.tracer_pid ? (taken_hold_of(e, at_ns), true) : false;
	case PROC_EVENT_EXIT: return first ? (ended(e, at_ns), true) : false;
	}
	return false;
}

/* Each processor numbers its messages: what is missing between two of them was lost. */
static void count_missing(uint32_t processor, uint32_t number)
{
	if (processor >= PROCESSORS_MAX)
		return;
	if (connector.heard[processor])
		connector.missing += number - connector.next[processor];
	connector.heard[processor] = true;
	connector.next[processor] = number + 1;
}

/* Messages carry CLOCK_MONOTONIC; frames CLOCK_BOOTTIME. */
static uint64_t boot_time(uint64_t monotonic_ns)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return monotonic_ns + now_ns() - ((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
}

/* ---- The source ---- */

static int connector_wait(struct carrier *c, int milliseconds)
{
	struct pollfd ready = { .fd = connector.socket, .events = POLLIN };

	(void)c;
	return poll(&ready, 1, milliseconds) < 0 ? -errno : 0;
}

static int connector_consume(struct carrier *c)
{
	union {
		struct nlmsghdr netlink;
		uint8_t bytes[4096];
	} in;

	for (;;) {
		struct sockaddr_nl from;
		socklen_t length = sizeof(from);
		ssize_t got = recvfrom(connector.socket, &in, sizeof(in), MSG_DONTWAIT, (struct sockaddr *)&from, &length);
		const struct cn_msg *message = NLMSG_DATA(&in.netlink);
		const struct proc_event *e = (const void *)message->data;

		if (got < 0 && (errno == ENOBUFS || errno == EINTR))
			continue;	/* The numbers say how many. */
		if (got < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (from.nl_pid || (size_t)got < NLMSG_LENGTH(sizeof(*message) + sizeof(*e)) || message->id.idx != CN_IDX_PROC ||
		    e->what == PROC_EVENT_NONE)
			continue;	/* Not from the kernel, or its answer to our asking. */
		count_missing(e->cpu, message->seq);
		if (make_frame(e, boot_time(e->timestamp_ns)) && keep(c, connector.frame, connector.filled) == -ENOBUFS)
			return -ENOBUFS;
	}
}

static uint64_t connector_lost(struct carrier *c)
{
	uint32_t memory[SK_MEMINFO_VARS] = {};
	socklen_t size = sizeof(memory);

	(void)c;
	if (!getsockopt(connector.socket, SOL_SOCKET, SO_MEMINFO, memory, &size) && size > SK_MEMINFO_DROPS * sizeof(*memory)) {
		connector.dropped += memory[SK_MEMINFO_DROPS] - connector.drops;
		connector.drops = memory[SK_MEMINFO_DROPS];
	}
	return connector.lost = connector.dropped > connector.missing ? connector.dropped : connector.missing;
}

static struct frame_counters connector_count(struct carrier *c)
{
	struct frame_counters sum = { .classes[CLASS_PROCESS].lost = connector_lost(c) };

	for (int class = 0; class < CLASS_COUNT; class++) {
		sum.classes[class].emitted = c->carried[class];
		sum.classes[class].seen = c->carried[class] + sum.classes[class].lost;
	}
	return sum;
}

static void connector_heard_by(struct carrier *c, uint32_t pid)
{
	(void)c;
	connector.excluded[1] = pid;
}

static bool connector_begin_living(struct carrier *c)
{
	(void)c;
	if (connector.living)
		closedir(connector.living);
	connector.living = opendir("/proc");
	return connector.living;
}

static size_t connector_describe(struct carrier *c, uint8_t *portion)
{
	size_t filled = 0;
	struct dirent *entry;

	(void)c;
	for (int n = 0; n < DESCRIBED_AT_ONCE && filled < PORTION_BYTES - FRAME_MAX && (entry = readdir(connector.living));) {
		uint32_t pid = (uint32_t)strtoul(entry->d_name, NULL, 10);

		if (!pid || !known_of(pid)->start_ns)
			continue;
		program_frame(FRAME_PROCESS, pid, now_ns());
		memcpy(portion + filled, connector.frame, connector.filled);
		filled += connector.filled;
		n++;
	}
	if (!filled) {
		closedir(connector.living);
		connector.living = NULL;
	}
	return filled;
}

static void connector_stop(struct carrier *c)
{
	(void)c;
}

static const struct source CONNECTOR = {
	.wait = connector_wait, .consume = connector_consume, .count = connector_count, .lost = connector_lost,
	.heard_by = connector_heard_by, .begin_living = connector_begin_living, .describe = connector_describe,
	.stop = connector_stop,
};

/* Asks the kernel to speak. Needs CAP_NET_ADMIN, which may be given up afterwards, and the initial network namespace. */
static void open_connector(int bytes)
{
	union {
		struct nlmsghdr netlink;
		uint8_t bytes[NLMSG_SPACE(sizeof(struct cn_msg) + sizeof(__u32))];
	} ask = { .netlink = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct cn_msg) + sizeof(__u32)), .nlmsg_type = NLMSG_DONE } };
	struct cn_msg *message = NLMSG_DATA(&ask.netlink);
	__u32 what = PROC_CN_MCAST_LISTEN;
	struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC };
	char most[32];
	int file = open("/proc/sys/kernel/pid_max", O_RDONLY | O_CLOEXEC);
	ssize_t got = file < 0 ? -1 : read(file, most, sizeof(most) - 1);

	*message = (struct cn_msg){ .id = { CN_IDX_PROC, CN_VAL_PROC }, .len = sizeof(what) };
	memcpy(message->data, &what, sizeof(what));
	most[got > 0 ? got : 0] = 0;
	close(file);
	connector.pid_max = (uint32_t)strtoul(most, NULL, 10) + 1;
	connector.known = mmap(NULL, connector.pid_max * sizeof(*connector.known), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	connector.socket = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);
	if (connector.socket < 0 || connector.known == MAP_FAILED)
		die(EXIT_UNSUPPORTED, "no proc connector: %s", strerror(errno));
	if (setsockopt(connector.socket, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(connector.socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (bind(connector.socket, (struct sockaddr *)&group, sizeof(group)) ||
	    send(connector.socket, &ask, ask.netlink.nlmsg_len, 0) != (ssize_t)ask.netlink.nlmsg_len)
		die(EXIT_UNSUPPORTED, "the proc connector does not speak to us (CONFIG_PROC_EVENTS, CAP_NET_ADMIN): %s", strerror(errno));
	connector.excluded[0] = (uint32_t)getpid();
	unshare(CLONE_NEWNET);	/* Where we may: what we need of the network we hold. */
}

#endif
