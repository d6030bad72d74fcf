/*
 * The load that the benchmark puts on a machine: opens for writing over many files, fork-execs and loopback connects,
 * paced or as fast as the machine can. Prints one JSON line: what it did and what CPU that cost itself and its children.
 *
 *	load paced SECONDS OPENS/s EXECS/s CONNECTS/s DIRECTORY FILES
 *	load burst OPENS DIRECTORY FILES
 *	load spawn EXECS
 *	load run COMMAND…	any other program
 *	load only DEED COUNT DIRECTORY	one kind of deed, at a pace at which nothing is sampled
 *	load noop            (what is executed)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *self;
static char (*paths)[256];
static unsigned file_count;
static uint64_t opens, execs, connects;
static struct sockaddr_in target;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void make_paths(const char *directory, unsigned count)
{
	file_count = count;
	paths = calloc(count, sizeof(*paths));
	if (!paths)
		die("calloc");
	for (unsigned i = 0; i < count; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/file-%05u", directory, i);
		int fd = open(paths[i], O_WRONLY | O_CREAT, 0644);
		if (fd < 0)
			die("open");
		close(fd);
	}
}

static void one_open(void)
{
	int fd = open(paths[opens % file_count], O_WRONLY);

	if (fd < 0)
		die("open");
	close(fd);
	opens++;
}

static void one_exec(void)
{
	/* Arguments on the heap, as a real launcher has them. */
	char *argument = malloc(64);
	pid_t pid;

	snprintf(argument, 64, "--job=%llu", (unsigned long long)execs);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		execl(self, self, "noop", argument, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	free(argument);
	execs++;
}

static void one_connect(void)
{
	struct linger gone = { 1, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&target, sizeof(target)))
		die("connect");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &gone, sizeof(gone));
	close(fd);
	connects++;
}

static void *accept_all(void *argument)
{
	int fd = (int)(intptr_t)argument;

	for (;;) {
		int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (peer >= 0)
			close(peer);
	}
	return NULL;
}

static void listen_here(void)
{
	socklen_t length = sizeof(target);
	pthread_t thread;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	target.sin_family = AF_INET;
	target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&target, sizeof(target)) || listen(fd, 1024) ||
	    getsockname(fd, (struct sockaddr *)&target, &length))
		die("listen");
	pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)fd);
}

static void paced(double seconds, double opens_s, double execs_s, double connects_s)
{
	uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9);

	for (uint64_t now = start; now < end; now = now_ns()) {
		double t = (double)(now - start) / 1e9;

		while ((double)opens < t * opens_s)
			one_open();
		if ((double)execs < t * execs_s)
			one_exec();
		while ((double)connects < t * connects_s)
			one_connect();
		usleep(500);
	}
}

static void run(char **argv)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die(argv[0]);
}

static void one_rename(uint64_t i)
{
	if (rename(i % 2 ? "b" : "a", i % 2 ? "a" : "b"))
		die("rename");
}

static void one_datagram(uint64_t i)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(20000 + i % 10000)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static int fd = -1;

	if (fd < 0 && (fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
		die("socket");
	sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
}

static void one_bpf(void)
{
	struct bpf_insn program[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr attributes = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2, .insns = (unsigned long)program,
				      .license = (unsigned long)"GPL" };

	close((int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes)));
}

static void one_of(const char *deed, uint64_t i)
{
	switch (deed[0]) {
	case 'n': syscall(SYS_getppid); break;
	case 'o': one_open(); break;
	case 'r': one_rename(i); break;
	case 'c': one_connect(); break;
	case 'u':	/* As it was: told all the same. */
		if (setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1))
			die("setresuid");
		break;
	case 'd': one_datagram(i); break;
	case 'e': one_exec(); break;
	case 'b': one_bpf(); break;
	default: exit(2);
	}
}

static void only(const char *deed, uint64_t count, const char *directory)
{
	uint64_t start;

	make_paths(directory, 1000);
	listen_here();
	if (chdir(directory) || close(open("a", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)))
		die(directory);
	start = now_ns();
	for (uint64_t i = 0; i < count; i++) {
		while (i % 16 == 0 && i * 50000 > now_ns() - start)
			usleep(200);
		one_of(deed, i);
	}
}

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	uint64_t start;
	struct rusage own, children;

	self = "/proc/self/exe";
	if (argc >= 2 && !strcmp(argv[1], "noop"))
		return 0;
	if (argc == 8 && !strcmp(argv[1], "paced")) {
		make_paths(argv[6], (unsigned)atoi(argv[7]));
		listen_here();
		getrusage(RUSAGE_SELF, &own);
		start = now_ns();
		struct rusage before = own;
		paced(atof(argv[2]), atof(argv[3]), atof(argv[4]), atof(argv[5]));
		uint64_t wall = now_ns() - start;
		getrusage(RUSAGE_SELF, &own);
		getrusage(RUSAGE_CHILDREN, &children);
		printf("{\"opens\":%llu,\"execs\":%llu,\"connects\":%llu,\"wall\":%.6f,\"cpu\":%.6f}\n",
		       (unsigned long long)opens, (unsigned long long)execs, (unsigned long long)connects, (double)wall / 1e9,
		       seconds_of(own.ru_utime) + seconds_of(own.ru_stime) - seconds_of(before.ru_utime) -
			       seconds_of(before.ru_stime) + seconds_of(children.ru_utime) + seconds_of(children.ru_stime));
		return 0;
	}
	if (argc == 5 && !strcmp(argv[1], "burst")) {
		uint64_t count = strtoull(argv[2], NULL, 10);
		make_paths(argv[3], (unsigned)atoi(argv[4]));
		getrusage(RUSAGE_SELF, &own);
		struct rusage before = own;
		start = now_ns();
		while (opens < count)
			one_open();
		uint64_t wall = now_ns() - start;
		getrusage(RUSAGE_SELF, &own);
		printf("{\"opens\":%llu,\"execs\":0,\"connects\":0,\"wall\":%.6f,\"cpu\":%.6f}\n", (unsigned long long)opens,
		       (double)wall / 1e9,
		       seconds_of(own.ru_utime) + seconds_of(own.ru_stime) - seconds_of(before.ru_utime) - seconds_of(before.ru_stime));
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "spawn")) {
		uint64_t count = strtoull(argv[2], NULL, 10);
		start = now_ns();
		while (execs < count)
			one_exec();
		uint64_t wall = now_ns() - start;
		getrusage(RUSAGE_SELF, &own);
		getrusage(RUSAGE_CHILDREN, &children);
		printf("{\"opens\":0,\"execs\":%llu,\"connects\":0,\"wall\":%.6f,\"cpu\":%.6f}\n", (unsigned long long)execs,
		       (double)wall / 1e9,
		       seconds_of(own.ru_utime) + seconds_of(own.ru_stime) + seconds_of(children.ru_utime) +
			       seconds_of(children.ru_stime));
		return 0;
	}
	if (argc == 5 && !strcmp(argv[1], "only")) {
		only(argv[2], strtoull(argv[3], NULL, 10), argv[4]);
		return 0;
	}
	if (argc >= 3 && !strcmp(argv[1], "run")) {
		start = now_ns();
		run(argv + 2);
		uint64_t wall = now_ns() - start;
		getrusage(RUSAGE_CHILDREN, &children);
		printf("{\"wall\":%.6f,\"cpu\":%.6f}\n", (double)wall / 1e9, seconds_of(children.ru_utime) + seconds_of(children.ru_stime));
		return 0;
	}
	fprintf(stderr, "usage: load paced SECONDS OPENS EXECS CONNECTS DIRECTORY FILES | burst OPENS DIRECTORY FILES | spawn EXECS |\n"
			"	only DEED COUNT DIRECTORY\n");
	return 2;
}
