// SPDX-License-Identifier: Apache-2.0
/*
 * The sensor's user-space half: loads the programs, gives up every capability, and carries frames from the ring to the agent.
 *
 *	ring -> buffer -> socket		and once a second a frame of counters, behind the frames that it counts
 *
 * It understands nothing of what it carries but sizes and kinds, and writes nothing anywhere else.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/capability.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "frame.h"
#include "calls.h"
#include "usual.h"
#include "build/hushwatch.skel.h"

#define VERSION "0.1.0"
#define BUFFER_BYTES (256 << 10)
#define COUNTERS_EVERY_NS 1000000000ull
#define LAST_WORDS_NS 3000000000ull
#define EXCLUDED_COUNT 16
#define WATCH_KEY 256
#define WATCH_FILTER_WORDS 64

enum { EXIT_USAGE = 2, EXIT_UNSUPPORTED = 3 };

/* Read by whoever knows a password or a key. "*" stands for any directory; of a directory, what lies in it counts too. */
static const char *const DEFAULT_WATCHES[] = {
	"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d", "/etc/security/opasswd",
	"/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key", "/etc/krb5.keytab",
	"/proc/kcore", "/root/.ssh", "*/.ssh", "*/.aws", "*/.gnupg", "*/.kube",
};

/* Where libraries lie that packages installed. What is mapped from anywhere else to be run is told. */
static const char *const USUAL_PLACES[] = {
	"/usr/lib/", "/usr/lib32/", "/usr/lib64/", "/usr/libx32/", "/usr/libexec/", "/lib/", "/lib32/", "/lib64/", "/libx32/",
};

static const char *const CLASS_NAMES[CLASS_COUNT] = {
	[CLASS_FILE] = "file", [CLASS_NETWORK] = "network", [CLASS_PROCESS] = "process",
	[CLASS_KERNEL] = "kernel", [CLASS_PRIVILEGE] = "privilege",
};

struct options {
	const char *socket, *btf;
	uint64_t ring_bytes, rate, burst, merge_ms;
	uint32_t classes;
	uint32_t excluded[EXCLUDED_COUNT - 2];
	unsigned excluded_count;
	const char *watches[200];
	unsigned watch_count;
	bool check, old_kernel;
};

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

#include "fit.h"

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- Options ---- */

static uint64_t number(const char *name, const char *text, uint64_t least, uint64_t most)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || value < least || value > most)
		die(EXIT_USAGE, "--%s wants a number from %llu to %llu", name, (unsigned long long)least, (unsigned long long)most);
	return value;
}

static uint32_t class_set(char *list)
{
	uint32_t set = 0;

	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		unsigned class = 0;

		while (class < CLASS_COUNT && strcmp(name, CLASS_NAMES[class]))
			class++;
		if (class == CLASS_COUNT)
			die(EXIT_USAGE, "--class wants names out of file,network,process,kernel,privilege");
		set |= 1u << class;
	}
	return set;
}

static const char *watch_path(const char *path)
{
	size_t length = strlen(path);

	if (length >= WATCH_KEY - 8 || length < 2 || path[length - 1] == '/' || (path[0] != '/' && strncmp(path, "*/", 2)) ||
	    (path[0] == '*' && strchr(path + 2, '/')))
		die(EXIT_USAGE, "--watch wants an absolute path, or \"*/\" and one name; no slash at the end");
	return path;
}

static struct options parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "socket", required_argument, NULL, 's' }, { "ring-bytes", required_argument, NULL, 'r' },
		{ "rate", required_argument, NULL, 't' }, { "burst", required_argument, NULL, 'b' },
		{ "merge-ms", required_argument, NULL, 'm' }, { "exclude-pid", required_argument, NULL, 'x' },
		{ "watch", required_argument, NULL, 'w' }, { "class", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "old-kernel", no_argument, NULL, 'p' }, { "btf", required_argument, NULL, 'B' }, { NULL, 0, NULL, 0 },
	};
	struct options o = { .ring_bytes = 8 << 20, .rate = 50000, .burst = 50000, .merge_ms = 1000, .classes = ~0u };

	for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		switch (c) {
		case 's': o.socket = optarg; break;
		case 'r': o.ring_bytes = number("ring-bytes", optarg, 4096, 1 << 30); break;
		case 't': o.rate = number("rate", optarg, 1, 1000000000); break;
		case 'b': o.burst = number("burst", optarg, 1, 1000000000); break;
		case 'm': o.merge_ms = number("merge-ms", optarg, 0, 3600000); break;
		case 'c': o.classes = class_set(optarg); break;
		case 'k': o.check = true; break;
		case 'p': o.old_kernel = true; break;	/* only what Linux 6.1 has, for tests */
		case 'B': o.btf = optarg; break;	/* the types of another kernel, for tests */
		case 'x':
			if (o.excluded_count == EXCLUDED_COUNT - 2)
				die(EXIT_USAGE, "--exclude-pid: at most %d", EXCLUDED_COUNT - 2);
			o.excluded[o.excluded_count++] = (uint32_t)number("exclude-pid", optarg, 1, 1 << 22);
			break;
		case 'w':
			if (o.watch_count == sizeof(o.watches) / sizeof(*o.watches))
				die(EXIT_USAGE, "--watch: at most %zu", sizeof(o.watches) / sizeof(*o.watches));
			o.watches[o.watch_count++] = watch_path(optarg);
			break;
		default: exit(EXIT_USAGE);
		}
	}
	if (optind < argc || (!o.socket && !o.check))
		die(EXIT_USAGE, "usage: hushwatch-sensor --socket PATH | --check; options --ring-bytes --rate --burst --merge-ms "
				"--exclude-pid --watch --class");
	if (o.ring_bytes & (o.ring_bytes - 1))
		die(EXIT_USAGE, "--ring-bytes wants a power of two");
	if (o.burst * (1000000000 / o.rate) > (uint64_t)1 << 62)
		die(EXIT_USAGE, "--burst is too large for that --rate");
	return o;
}

/* ---- Loading ---- */

/* A tracepoint that this kernel does not have takes its events with it, and nothing else. */
static void leave_out_unknown(struct hushwatch *sensor, const struct btf *btf)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, sensor->obj) {
		const char *tracepoint = strchr(bpf_program__section_name(program), '/');
		char type[96];

		if (!tracepoint)
			continue;
		snprintf(type, sizeof(type), "btf_trace_%s", tracepoint + 1);
		if (call_arguments(btf, type) < 0)
			bpf_program__set_autoload(program, false);
	}
}

/*
 * A weak function that the kernel lacks is also looked for in the types of its modules. Listing these takes CAP_SYS_ADMIN, and
 * without it libbpf 1.1 fails the whole load. It lists them once only, so a first search, for nothing, gets that behind us.
 */
static void stop_looking_in_modules(struct hushwatch *sensor)
{
	bpf_program__set_attach_target(sensor->progs.on_sys_exit, 0, "nothing_of_this_name");
}

/* What differs between kernels, found out before anything is loaded. */
static void fit_kernel(struct hushwatch *sensor, const struct options *o)
{
	struct btf *btf = o->btf ? btf__parse(o->btf, NULL) : btf__load_vmlinux_btf();
	int exit_arguments;
	bool says_who_is_last, has_cast;

	need_kernel(btf);
	exit_arguments = call_arguments(btf, "btf_trace_sched_process_exit");
	says_who_is_last = exit_arguments >= 3 && !o->old_kernel;
	bpf_program__set_autoload(says_who_is_last ? sensor->progs.on_exit_before : sensor->progs.on_exit, false);
	bpf_map__set_autocreate(sensor->maps.ended, !says_who_is_last);
	leave_out_unknown(sensor, btf);
	has_cast = btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	sensor->rodata->can_cast = has_cast && !o->old_kernel;
	if (!has_cast)
		stop_looking_in_modules(sensor);
	btf__free(btf);
}

static uint64_t random_number(void)
{
	uint64_t value;

	if (getrandom(&value, sizeof(value), 0) != sizeof(value))
		die(1, "no random numbers: %s", strerror(errno));
	return value;
}

static uint32_t watch_position(uint64_t beginning, uint32_t length)
{
	return (uint32_t)(((beginning ^ length) * 0x9e3779b97f4a7c15) >> 52);
}

static void set_watch_filter(struct hushwatch *sensor, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	size_t length = strlen(name);
	uint64_t beginning = 0;
	uint32_t position;

	memcpy(&beginning, name, length < 8 ? length : 8);
	position = watch_position(beginning, (uint32_t)length);
	sensor->rodata->watch_filter[position / 64] |= 1ull << position % 64;
}

static void add_watch(struct hushwatch *sensor, const char *path)
{
	char key[WATCH_KEY] = {};
	uint8_t yes = 1;

	strcpy(key, path);
	if (bpf_map__update_elem(sensor->maps.watched, key, sizeof(key), &yes, sizeof(yes), BPF_ANY))
		die(1, "cannot set a watched path: %s", strerror(errno));
}

static void set_usual_places(struct hushwatch *sensor)
{
	for (unsigned i = 0; i < sizeof(USUAL_PLACES) / sizeof(*USUAL_PLACES); i++) {
		size_t length = strlen(USUAL_PLACES[i]);

		memcpy(sensor->rodata->usual_places[i].text, USUAL_PLACES[i], length);
		memset(sensor->rodata->usual_places[i].mask, 0xff, length);
	}
}

static void configure(struct hushwatch *sensor, const struct options *o)
{
	uint64_t interval = 1000000000 / o->rate;

	sensor->rodata->classes_watched = o->classes;
	sensor->rodata->merge_ms = (uint32_t)o->merge_ms;
	sensor->rodata->rate_interval_ns = interval;
	sensor->rodata->rate_burst_ns = o->burst * interval;
	sensor->rodata->ring_bytes = o->ring_bytes;
	sensor->rodata->merge_seed = random_number();
	for (unsigned i = 0; i < CALL_LIMIT; i++) {
		if (!(o->classes >> sensor->rodata->calls[i].class & 1))
			sensor->rodata->calls[i].handler = HANDLE_NOTHING;
		if (!(o->classes >> sensor->rodata->compat_calls[i].class & 1))
			sensor->rodata->compat_calls[i].handler = HANDLE_NOTHING;
	}
	if (!(o->classes >> CLASS_NETWORK & 1)) {	/* Packets pass untouched. */
		bpf_program__set_autoload(sensor->progs.on_datagram, false);
		bpf_program__set_autoload(sensor->progs.on_answer, false);
		bpf_program__set_autoload(sensor->progs.on_state, false);
	}
	for (unsigned i = 0; i < o->watch_count; i++)
		set_watch_filter(sensor, o->watches[i]);
	set_usual_places(sensor);
	bpf_map__set_max_entries(sensor->maps.ring, (uint32_t)o->ring_bytes);
	memcpy(sensor->bss->excluded + 2, o->excluded, o->excluded_count * sizeof(*o->excluded));
	sensor->bss->excluded[0] = (uint32_t)getpid();
}

static int quiet(enum libbpf_print_level level, const char *format, va_list list)
{
	(void)level, (void)format, (void)list;
	return 0;
}

static struct hushwatch *load(struct options *o)
{
	struct hushwatch *sensor;
	int error;

	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_memlock_rlim(0);
	if (!o->check)
		libbpf_set_print(quiet);
	need_capabilities();
	sensor = hushwatch__open();
	if (!sensor)
		die(1, "cannot open the programs: %s", strerror(errno));
	fit_kernel(sensor, o);
	configure(sensor, o);
	error = hushwatch__load(sensor);
	if (error && sensor->rodata->can_cast) {	/* It has the faster way and does not let us use it. */
		hushwatch__destroy(sensor);
		o->old_kernel = true;
		return load(o);
	}
	if (error)
		refused(-error);
	for (unsigned i = 0; i < o->watch_count; i++)
		add_watch(sensor, o->watches[i]);
	return sensor;
}

/* Handlers hang behind on_sys_exit and are not attached themselves; those that are have names that begin with "on_". */
static bool is_entry(const struct bpf_program *program)
{
	return !strncmp(bpf_program__name(program), "on_", 3);
}

static struct bpf_link *links[32];
static unsigned link_count;

static void attach(struct hushwatch *sensor)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, sensor->obj) {
		if (!bpf_program__autoload(program) || !is_entry(program))
			continue;
		links[link_count] = bpf_program__attach(program);
		if (!links[link_count++])
			die(EXIT_UNSUPPORTED, "cannot attach %s: %s", bpf_program__name(program), strerror(errno));
	}
}

static void detach(void)
{
	while (link_count > 0)
		bpf_link__destroy(links[--link_count]);
}

static void give_up_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct nothing[2] = {};

	for (int capability = 0; capability < 64; capability++)
		prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);	/* only root may, and only root needs to */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, nothing) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		die(1, "cannot give up capabilities: %s", strerror(errno));
}

/*
 * For people and for `hushwatch doctor`; words apart by tabs:
 *	sensor VERSION / kernel RELEASE / access fast|slow / clock synchronized|free
 *	program NAME TRACEPOINT loads|absent		a handler stands behind a tracepoint, and is of it
 */
static int report(struct options *o)
{
	struct hushwatch *sensor = load(o);
	struct bpf_program *program;
	struct timex clock = {};

	printf("clock\t%s\n", adjtimex(&clock) < 0 || clock.status & STA_UNSYNC ? "free" : "synchronized");
	printf("sensor\t%s\nkernel\t%s\naccess\t%s\n", VERSION, kernel_release(), sensor->rodata->can_cast ? "fast" : "slow");
	bpf_object__for_each_program(program, sensor->obj) {
		const char *tracepoint = strchr(bpf_program__section_name(program), '/');

		printf("program\t%s\t%s\t%s\n", bpf_program__name(program), tracepoint ? tracepoint + 1 : "-",
		       bpf_program__autoload(program) ? "loads" : "absent");
	}
	hushwatch__destroy(sensor);
	return 0;
}

/* ---- Carrying ---- */

#define ROOM_COUNT 2

/* As in record.h, its beginning. */
struct processor {
	struct class_counters classes[CLASS_COUNT];
	__u64 unread;
};

struct carrier {
	struct hushwatch *sensor;
	struct ring_buffer *ring;
	uint64_t instance, counters_due, give_up_at;
	uint64_t carried[CLASS_COUNT];	/* frames put into the buffer, ever */
	int socket;
	size_t filled, sent;
	uint8_t buffer[BUFFER_BYTES];
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

/* Called for each record of the ring; stops the reading when the next might not fit. */
static int keep(void *context, void *data, size_t size)
{
	struct carrier *c = context;
	const struct frame_head *head = data;

	memcpy(c->buffer + c->filled, data, size);
	c->filled += size;
	c->carried[CLASS_OF[head->kind]]++;
	return c->filled > BUFFER_BYTES - 2 * FRAME_MAX ? -ENOBUFS : 0;
}

static void append_hello(struct carrier *c)
{
	struct frame_hello hello = {
		.head = { .version = FRAME_VERSION, .kind = FRAME_HELLO, .at_ns = now_ns(), .lost = c->sensor->bss->lost_events },
		.instance = c->instance,
	};
	uint16_t length = sizeof(VERSION) - 1;

	hello.head.size = (uint32_t)(sizeof(hello) + sizeof(length) + length);
	memcpy(c->buffer + c->filled, &hello, sizeof(hello));
	memcpy(c->buffer + c->filled + sizeof(hello), &length, sizeof(length));
	memcpy(c->buffer + c->filled + sizeof(hello) + sizeof(length), VERSION, length);
	c->filled += hello.head.size;
}

static void add_counters(struct carrier *c, struct frame_counters *sum, uint32_t room)
{
	int processors = libbpf_num_possible_cpus();
	size_t size = (bpf_map__value_size(c->sensor->maps.processors) + 7) & ~7ull;
	uint8_t *all = calloc((size_t)processors, size);

	if (!all || bpf_map_lookup_elem(bpf_map__fd(c->sensor->maps.processors), &room, all))
		die(1, "cannot read the counters: %s", strerror(errno));
	for (int i = 0; i < processors; i++) {
		const struct processor *each = (const struct processor *)(all + (size_t)i * size);

		sum->unread += each->unread;
		for (int class = 0; class < CLASS_COUNT; class++) {
			sum->classes[class].seen += each->classes[class].seen;
			sum->classes[class].emitted += each->classes[class].emitted;
			sum->classes[class].merged += each->classes[class].merged;
			sum->classes[class].sampled += each->classes[class].sampled;
			sum->classes[class].lost += each->classes[class].lost;
		}
	}
	free(all);
}

/* All processors together. What they count while we add is in the next sum. */
static struct frame_counters kernel_counters(struct carrier *c)
{
	struct frame_counters sum = {};

	for (uint32_t room = 0; room < ROOM_COUNT; room++)
		add_counters(c, &sum, room);
	return sum;
}

/*
 * Emitted is the number of frames that stand before in the stream, so every frame of counters adds up by itself while
 * events go on happening. Only the last one, when nothing happens any more, says what the kernel counted as seen.
 */
static bool append_counters(struct carrier *c, bool last)
{
	struct frame_counters counters = kernel_counters(c);
	bool right = true;

	counters.head = (struct frame_head){
		.size = sizeof(counters), .version = FRAME_VERSION, .kind = FRAME_COUNTERS, .at_ns = now_ns(),
		.lost = c->sensor->bss->lost_events,
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
 * Counters and greetings among that are stale and stay behind.
 */
static void rewind_buffer(struct carrier *c)
{
	static uint8_t pending[BUFFER_BYTES];
	size_t kept = 0, filled = c->filled, sent = c->sent;

	for (size_t at = 0; at < filled;) {
		struct frame_head head;

		memcpy(&head, c->buffer + at, sizeof(head));
		if (at + head.size > sent && head.kind > FRAME_COUNTERS) {
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
	c->sensor->bss->excluded[1] = (uint32_t)peer.pid;
	rewind_buffer(c);
	return true;
}

/* Empties the ring into the socket; a busy ring does not keep the counters waiting. */
static bool carry(struct carrier *c)
{
	int got;

	do {
		got = ring_buffer__consume(c->ring);
		if (now_ns() >= c->counters_due)
			append_counters(c, false);
		if (!flush(c))
			return false;
	} while (got == -ENOBUFS);
	return true;
}

static void serve_agent(struct carrier *c)
{
	if (!flush(c))
		return;
	while (!stopping) {
		int got = ring_buffer__poll(c->ring, 50);

		if (got < 0 && got != -EINTR && got != -ENOBUFS)
			die(1, "cannot read the ring: %s", strerror(-got));
		if (!carry(c))
			return;
	}
}

/* After the last event: everything that is still in the ring, then counters that must add up. */
static int last_words(struct carrier *c)
{
	bool right;

	detach();
	usleep(20000);
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

int main(int argc, char **argv)
{
	static struct carrier c = { .socket = -1 };
	struct sigaction action = { .sa_handler = on_signal };
	struct options o = parse_options(argc, argv);

	if (!o.watch_count) {
		memcpy(o.watches, DEFAULT_WATCHES, sizeof(DEFAULT_WATCHES));
		o.watch_count = sizeof(DEFAULT_WATCHES) / sizeof(*DEFAULT_WATCHES);
	}
	if (o.check)
		return report(&o);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	c.sensor = load(&o);
	c.ring = ring_buffer__new(bpf_map__fd(c.sensor->maps.ring), keep, &c, NULL);
	if (!c.ring)
		die(1, "cannot map the ring: %s", strerror(errno));
	attach(c.sensor);
	give_up_capabilities();
	malloc_trim(0);
	c.instance = random_number();
	while (!stopping) {
		if (connect_agent(&c, o.socket)) {
			serve_agent(&c);
			if (stopping)
				break;
			close(c.socket);
			c.sensor->bss->excluded[1] = 0;
		}
		c.socket = -1;
		usleep(200000);
	}
	return last_words(&c);
}
