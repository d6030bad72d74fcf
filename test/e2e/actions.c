/*
 * Does one of everything that the sensor should see, in a directory of its own, so that a test can say what must be seen.
 *
 *	actions all DIRECTORY		what its user may do
 *	actions denied			what it may not
 *	actions opens DIRECTORY COUNT DISTINCT
 *	actions compat DIRECTORY	the 32-bit way
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(what) do { if ((long)(what) < 0) { perror(#what); exit(1); } } while (0)

static void files(void)
{
	int fd, directory;

	MUST(fd = open("made", O_WRONLY | O_CREAT | O_EXCL, 0600));
	close(fd);
	MUST(fd = open("./made", O_WRONLY | O_TRUNC));
	MUST(fchmod(fd, 0640));
	MUST(fchown(fd, 1, 1));
	close(fd);
	MUST(fd = open("made", O_RDONLY));
	close(fd);
	MUST(mkdir("sub", 0755));
	MUST(directory = open("sub", O_RDONLY | O_DIRECTORY));
	MUST(fd = openat(directory, "beneath", O_WRONLY | O_CREAT, 0600));
	close(fd);
	MUST(chmod("made", 0600));
	MUST(fchmodat(directory, "beneath", 0700, 0));
	MUST(lchown("made", 0, 0));
	MUST(link("made", "linked"));
	MUST(symlink("made", "symbolic"));
	MUST(symlinkat("../made", directory, "symbolic"));
	MUST(rename("linked", "sub/../renamed"));
	MUST(renameat2(directory, "beneath", AT_FDCWD, "above", 0));
	MUST(unlink("renamed"));
	MUST(unlinkat(directory, "symbolic", 0));
	close(directory);
	MUST(rmdir("sub"));
	MUST(unlink("above"));
	MUST(fd = open("/etc/shadow", O_RDONLY));
	close(fd);
	MUST(fd = open("/etc/passwd", O_RDONLY));
	close(fd);
}

static void inet(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 b = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t length = sizeof(a), length6 = sizeof(b);
	int server, client, peer;

	MUST(server = socket(AF_INET, SOCK_STREAM, 0));
	MUST(bind(server, (struct sockaddr *)&a, sizeof(a)));
	MUST(listen(server, 1));
	MUST(getsockname(server, (struct sockaddr *)&a, &length));
	MUST(client = socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(client, (struct sockaddr *)&a, sizeof(a)));
	MUST(peer = accept4(server, NULL, NULL, SOCK_CLOEXEC));
	printf("tcp4 %d\n", ntohs(a.sin_port));
	close(server), close(client), close(peer);

	MUST(server = socket(AF_INET6, SOCK_STREAM, 0));
	MUST(bind(server, (struct sockaddr *)&b, sizeof(b)));
	MUST(listen(server, 1));
	MUST(getsockname(server, (struct sockaddr *)&b, &length6));
	MUST(client = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0));
	if (connect(client, (struct sockaddr *)&b, sizeof(b)) && errno != EINPROGRESS)
		exit(1);
	MUST(peer = accept(server, NULL, NULL));
	printf("tcp6 %d\n", ntohs(b.sin6_port));
	close(server), close(client), close(peer);

	MUST(client = socket(AF_INET, SOCK_DGRAM, 0));
	a.sin_port = htons(53);
	MUST(connect(client, (struct sockaddr *)&a, sizeof(a)));
	close(client);
}

static void unix_sockets(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "a.sock" }, b = { .sun_family = AF_UNIX, .sun_path = "\0hushwatch-abstract" };
	socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen("hushwatch-abstract");
	int server, client;

	MUST(server = socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(bind(server, (struct sockaddr *)&a, sizeof(a)));
	MUST(listen(server, 1));
	MUST(client = socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(connect(client, (struct sockaddr *)&a, sizeof(a)));
	MUST(accept(server, NULL, NULL));
	close(server), close(client);
	MUST(server = socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(bind(server, (struct sockaddr *)&b, length));
	MUST(listen(server, 1));
	MUST(client = socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(connect(client, (struct sockaddr *)&b, length));
	close(server), close(client);
}

static void *idle(void *nothing)
{
	pause();
	return nothing;
}

/* Arguments on pages of the caller that are not its stack; the new program is this one, asked to do nothing. */
static void processes(void)
{
	pthread_t thread;
	pid_t child;

	MUST(child = fork());
	if (!child) {
		char *arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char *argv[] = { arguments, arguments + 16, arguments + 32, arguments + 48, NULL };

		strcpy(argv[0], "actions"), strcpy(argv[1], "nothing"), strcpy(argv[2], "from the heap"), strcpy(argv[3], "");
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	printf("heap %d\n", child);
	waitpid(child, NULL, 0);

	MUST(child = fork());
	if (!child) {	/* Many arguments, more than is kept. */
		static char word[] = "0123456789abcdef0123456789abcdef";
		char *argv[1001] = { "actions", "nothing" };

		for (int i = 2; i < 1000; i++)
			argv[i] = word;
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	printf("many %d\n", child);
	waitpid(child, NULL, 0);

	MUST(child = fork());
	if (!child)
		raise(SIGKILL);
	printf("killed %d\n", child);
	waitpid(child, NULL, 0);

	MUST(child = fork());
	if (!child) {	/* The leader goes first; the process ends with its last thread, and a thread is not a process. */
		pthread_create(&thread, NULL, idle, NULL);
		usleep(20000);
		_exit(7);
	}
	printf("threads %d\n", child);
	waitpid(child, NULL, 0);
}

static void memory_file(char *self)
{
	static char buffer[1 << 20];
	int fd, from;
	ssize_t got;
	pid_t child;

	MUST(fd = memfd_create("payload", MFD_CLOEXEC));
	MUST(from = open(self, O_RDONLY));
	while ((got = read(from, buffer, sizeof(buffer))) > 0)
		MUST(write(fd, buffer, (size_t)got));
	close(from);
	MUST(child = fork());
	if (!child) {
		char *argv[] = { "kworker", "nothing", NULL };
		char *environment[] = { NULL };

		fexecve(fd, argv, environment);
		_exit(127);
	}
	printf("memfd %d\n", child);
	waitpid(child, NULL, 0);
	close(fd);
}

static void privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};
	struct bpf_insn program[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr attributes = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2, .insns = (unsigned long)program,
				      .license = (unsigned long)"GPL", .prog_name = "planted" };
	pid_t child;

	syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes));
	MUST(child = fork());
	if (!child) {
		pause();
		_exit(0);
	}
	printf("traced %d\n", child);
	MUST(ptrace(PTRACE_ATTACH, child, NULL, NULL));
	waitpid(child, NULL, 0);
	MUST(ptrace(PTRACE_POKEDATA, child, &header, 0l));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);

	MUST(child = fork());
	if (!child) {
		MUST(setresgid(65534, 65534, 65534));
		MUST(setresuid(65534, 65534, 0));
		MUST(setuid(65534));
		_exit(0);
	}
	printf("dropped %d\n", child);
	waitpid(child, NULL, 0);

	MUST(child = fork());
	if (!child) {
		MUST(syscall(SYS_capset, &header, data));
		_exit(0);
	}
	printf("capset %d\n", child);
	waitpid(child, NULL, 0);
}

static void denied(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, getenv("SOCKET") ? getenv("SOCKET") : "/nowhere");
	open("/etc/shadow", O_RDONLY);
	open("/etc/passwd", O_WRONLY | O_TRUNC);
	unlink("/etc/passwd");
	rename("/etc/passwd", "/etc/../etc/other");
	chmod("/etc/passwd", 0777);
	chown("/etc/passwd", 65534, 65534);
	link("/etc/shadow", "/tmp/./hushwatch-link");
	symlink("/etc/shadow", "/etc/hushwatch-link");
	if (!setuid(0))
		exit(1);
	execl("/etc/passwd", "passwd", NULL);
	ptrace(PTRACE_ATTACH, 1, NULL, NULL);
	connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a));
	open("/nowhere/at/all", O_RDONLY);
}

static void opens(unsigned count, unsigned distinct)
{
	char name[32];

	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "file-%05u", i % distinct);
		int fd = open(name, O_WRONLY);
		if (fd < 0)
			MUST(fd = open(name, O_WRONLY | O_CREAT, 0600));
		close(fd);
	}
}

/* open and unlink by int 0x80; their arguments must lie below 4 GiB. */
static void compat(void)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long result;

	strcpy(low, "thirty-two");
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(5), "b"(low), "c"(O_WRONLY | O_CREAT), "d"(0600) : "memory", "r8", "r9", "r10", "r11");
	MUST(result);
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(10), "b"(low) : "memory", "r8", "r9", "r10", "r11");
	MUST(result);
	((unsigned *)low)[0] = (unsigned)socket(AF_INET, SOCK_STREAM, 0);
	((unsigned *)low)[1] = 1;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(102), "b"(4), "c"(low) : "memory", "r8", "r9", "r10", "r11");
	MUST(result);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc >= 2 && !strcmp(argv[1], "nothing"))
		return 0;
	if (argc >= 3)
		MUST(chdir(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "all")) {
		files();
		inet();
		unix_sockets();
		processes();
		memory_file(argv[0]);
		privileges();
	} else if (argc == 2 && !strcmp(argv[1], "denied")) {
		denied();
	} else if (argc == 5 && !strcmp(argv[1], "opens")) {
		opens((unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	} else if (argc == 3 && !strcmp(argv[1], "compat")) {
		compat();
	} else {
		return 2;
	}
	return 0;
}
