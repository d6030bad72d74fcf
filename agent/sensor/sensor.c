// SPDX-License-Identifier: Apache-2.0
/*
 * The sensor's user-space half: loads the programs, gives up every capability, and carries frames from the ring to the agent.
 *
 *	ring -> carrier.h -> agent
 *
 * It understands nothing of what it carries but sizes and kinds, and writes nothing anywhere else.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <getopt.h>
#include <linux/capability.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include "carrier.h"
#include "connector.h"
#include "calls.h"
#include "usual.h"
#include "build/hushwatch.skel.h"

#define EXCLUDED_COUNT 16
#define WATCH_KEY 256
#define WATCH_FILTER_WORDS 64

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

struct options {
	const char *socket, *btf;
	uint64_t ring_bytes, rate, burst, merge_ms;
	uint32_t classes;
	uint32_t excluded[EXCLUDED_COUNT - 2];
	unsigned excluded_count;
	const char *watches[200];
	unsigned watch_count;
	bool check, old_kernel, connector, exclude_slice;
};

#include "fit.h"

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
		{ "exclude-slice", no_argument, NULL, 'g' }, { "watch", required_argument, NULL, 'w' }, { "class", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' }, { "proc-connector", no_argument, NULL, 'n' },
		{ "old-kernel", no_argument, NULL, 'p' }, { "btf", required_argument, NULL, 'B' }, { NULL, 0, NULL, 0 },
	};
	struct options o = { .ring_bytes = 8 << 20, .rate = 50000, .burst = 50000, .merge_ms = 2000, .classes = ~0u };

	for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		switch (c) {
		case 's': o.socket = optarg; break;
		case 'r': o.ring_bytes = number("ring-bytes", optarg, 4096, 1 << 30); break;
		case 't': o.rate = number("rate", optarg, 1, 1000000000); break;
		case 'b': o.burst = number("burst", optarg, 1, 1000000000); break;
		case 'm': o.merge_ms = number("merge-ms", optarg, 0, 3600000); break;
		case 'c': o.classes = class_set(optarg); break;
		case 'k': o.check = true; break;
		case 'n': o.connector = true; break;
		case 'g': o.exclude_slice = true; break;
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
				"--exclude-pid --exclude-slice --watch --class --proc-connector");
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

		if (!tracepoint || program == sensor->progs.living)
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

/* What a completion is told with; `arguments` counts one that is not ours. */
static void fit_ring_results(struct hushwatch *sensor, int arguments)
{
	bpf_program__set_autoload(sensor->progs.on_ring_result, arguments == 4);
	bpf_program__set_autoload(sensor->progs.on_ring_result_before, arguments > 4);
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
	bpf_program__set_autoload(sensor->progs.living, btf__find_by_name_kind(btf, "bpf_iter_task", BTF_KIND_FUNC) > 0);
	has_cast = btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	fit_ring_results(sensor, call_arguments(btf, "btf_trace_io_uring_complete"));
	sensor->rodata->can_cast = has_cast && !o->old_kernel;
	if (!has_cast)
		stop_looking_in_modules(sensor);
	btf__free(btf);
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

/* The group above our own. Its number is that of the directory, seen through whatever namespace. */
static uint64_t own_slice(void)
{
	char group[PATH_MAX] = "/sys/fs/cgroup";
	size_t before = strlen(group);
	FILE *file = fopen("/proc/self/cgroup", "re");
	struct stat directory;
	char line[PATH_MAX - 64];
	bool found = false;
	char *end;

	while (file && !found && fgets(line, sizeof(line), file))
		found = !strncmp(line, "0::/", 4);
	if (file)
		fclose(file);
	if (!found)
		die(1, "--exclude-slice: this process has no control group of the second version");
	line[strcspn(line, "\n")] = 0;
	strcpy(group + before, line + 3);
	end = strrchr(group, '/');
	if (end == group + before)
		die(1, "--exclude-slice: the group of this process lies in no slice; start it as a service with Slice=");
	*end = 0;
	if (stat(group, &directory))
		die(1, "--exclude-slice: cannot find the slice: %s", strerror(errno));
	return directory.st_ino;
}

static void configure(struct hushwatch *sensor, const struct options *o)
{
	uint64_t interval = 1000000000 / o->rate;

	sensor->rodata->classes_watched = o->classes;
	sensor->rodata->merge_ms = (uint32_t)o->merge_ms;
	sensor->rodata->rate_interval_ns = interval;
	sensor->rodata->rate_burst_ns = o->burst * interval;
	sensor->rodata->ring_bytes = o->ring_bytes;
	sensor->rodata->excluded_group = o->exclude_slice ? own_slice() : 0;
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
	if (!(o->classes & (1u << CLASS_FILE | 1u << CLASS_PROCESS | 1u << CLASS_KERNEL)))	/* Nobody would ask for names. */
		bpf_program__set_autoload(sensor->progs.on_name_freed, false);
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
static struct bpf_link *living_link;

/* The first who are told are threads of the kernel, by which the place of SELinux's numbers is found (told.h). */
static void find_domains(void)
{
	static uint8_t portion[PORTION_BYTES];
	int living = living_link ? bpf_iter_create(bpf_link__fd(living_link)) : -1;

	if (living < 0)
		return;
	while (read(living, portion, sizeof(portion)) < 0 && errno == EINTR)
		;
	close(living);
}

static void attach(struct hushwatch *sensor)
{
	struct bpf_program *program;

	if (bpf_program__autoload(sensor->progs.living))
		living_link = bpf_program__attach(sensor->progs.living);
	find_domains();

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

/* All but those in `keep`. */
static void give_up_capabilities(uint32_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct held[2] = {}, left[2] = {};

	if (syscall(SYS_capget, &header, held))
		die(1, "cannot read own capabilities: %s", strerror(errno));
	left[0].permitted = left[0].effective = held[0].permitted & keep;
	for (int capability = 0; capability < 64; capability++)
		prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);	/* only root may, and only root needs to */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, left) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
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

/* ---- The source ---- */

#define ROOM_COUNT 2

/* As in record.h, its beginning. */
struct processor {
	struct class_counters classes[CLASS_COUNT];
	__u64 unread;
};

static struct hushwatch *sensor;
static struct ring_buffer *ring;
static int living = -1;

static int keep_record(void *context, void *data, size_t size)
{
	return keep(context, data, size);
}

static int wait_ring(struct carrier *c, int milliseconds)
{
	(void)c;
	return ring_buffer__poll(ring, milliseconds);
}

static int consume_ring(struct carrier *c)
{
	(void)c;
	return ring_buffer__consume(ring);
}

static void add_counters(struct frame_counters *sum, uint32_t room)
{
	int processors = libbpf_num_possible_cpus();
	size_t size = (bpf_map__value_size(sensor->maps.processors) + 7) & ~7ull;
	uint8_t *all = calloc((size_t)processors, size);

	if (!all || bpf_map_lookup_elem(bpf_map__fd(sensor->maps.processors), &room, all))
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
static struct frame_counters count(struct carrier *c)
{
	struct frame_counters sum = {};

	(void)c;
	for (uint32_t room = 0; room < ROOM_COUNT; room++)
		add_counters(&sum, room);
	return sum;
}

static uint64_t lost(struct carrier *c)
{
	(void)c;
	return sensor->bss->lost_events;
}

static void heard_by(struct carrier *c, uint32_t pid)
{
	(void)c;
	sensor->bss->excluded[1] = pid;
}

/* An iterator is read once; making another from its link needs no capability. */
static bool begin_living(struct carrier *c)
{
	(void)c;
	if (living >= 0)
		close(living);
	living = living_link ? bpf_iter_create(bpf_link__fd(living_link)) : -1;
	return living >= 0;
}

static size_t describe(struct carrier *c, uint8_t *portion)
{
	ssize_t got;

	(void)c;
	do
		got = read(living, portion, PORTION_BYTES);
	while (got < 0 && (errno == EINTR || errno == EAGAIN));
	if (got > 0)
		return (size_t)got;
	close(living);
	living = -1;
	return 0;
}

static void stop(struct carrier *c)
{
	(void)c;
	detach();
	usleep(20000);
}

static const struct source KERNEL = {
	.wait = wait_ring, .consume = consume_ring, .count = count, .lost = lost, .heard_by = heard_by,
	.begin_living = begin_living, .describe = describe, .stop = stop,
};

static int serve_connector(const struct options *o)
{
	static struct carrier c = { .source = &CONNECTOR, .socket = -1 };

	memcpy(connector.excluded + 2, o->excluded, o->excluded_count * sizeof(*o->excluded));
	open_connector((int)o->ring_bytes);
	give_up_capabilities(1u << CAP_SYS_PTRACE);	/* What others run is told by /proc to those only who could trace them. */
	return serve(&c, o->socket);
}

int main(int argc, char **argv)
{
	static struct carrier c = { .source = &KERNEL, .socket = -1 };
	struct options o = parse_options(argc, argv);

	if (!o.watch_count) {
		memcpy(o.watches, DEFAULT_WATCHES, sizeof(DEFAULT_WATCHES));
		o.watch_count = sizeof(DEFAULT_WATCHES) / sizeof(*DEFAULT_WATCHES);
	}
	if (o.check)
		return report(&o);
	take_signals();
	if (o.connector)
		return serve_connector(&o);
	sensor = load(&o);
	ring = ring_buffer__new(bpf_map__fd(sensor->maps.ring), keep_record, &c, NULL);
	if (!ring)
		die(1, "cannot map the ring: %s", strerror(errno));
	attach(sensor);
	give_up_capabilities(0);
	malloc_trim(0);
	return serve(&c, o.socket);
}
