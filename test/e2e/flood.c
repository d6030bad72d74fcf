/*
 * A process that floods, in one of several ways, until its parent ends; and one that does a few rare things meanwhile.
 *
 *	flood opens|writes|connects|forks|bombs|programs DIRECTORY
 *	flood rare ROUNDS DIRECTORY	each round: a file in sudoers.d, a program run, a BPF program
 *					refused, a user left, a process taken; and a file like any other
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(what) do { if ((long)(what) < 0) { perror(#what); exit(1); } } while (0)
#define NOBODY 65534
#define CROWD 8

/* A name never used before: nothing merges. */
static void make_file(unsigned number, const char *text)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "f-%d-%u", getpid(), number);
	MUST(fd = open(name, O_WRONLY | O_CREAT, 0600));
	if (*text)
		MUST(write(fd, text, strlen(text)));
	close(fd);
	unlink(name);
}

static void connect_somewhere(unsigned number)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((unsigned short)(1024 + number % 60000)),
				  .sin_addr.s_addr = htonl(0x7f000001 + number / 60000) };
	static int fd = -1;

	if (fd < 0)
		MUST(fd = socket(AF_INET, SOCK_DGRAM, 0));
	connect(fd, (struct sockaddr *)&to, sizeof(to));
}

static pid_t child_of(void)
{
	pid_t child = fork();

	if (!child)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

static void forks(void)
{
	if (!child_of())
		_exit(0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* Many at a time, each living just long enough to spend what a new process is given. */
static void crowd(const char *self, bool program)
{
	static unsigned alive;

	if (!child_of()) {
		if (program)
			execl(self, "flood", "some", NULL);
		for (unsigned i = 0; i < 200; i++)
			make_file(i, "");
		_exit(0);
	}
	if (++alive >= CROWD && waitpid(-1, NULL, 0) > 0)
		alive--;
}

static void flood(const char *self, const char *kind)
{
	for (unsigned i = 0;; i++) {
		switch (kind[0] << 8 | kind[1]) {
		case 'o' << 8 | 'p': make_file(i, ""); break;
		case 'w' << 8 | 'r': make_file(i, "x"); break;
		case 'c' << 8 | 'o': connect_somewhere(i); break;
		case 'f' << 8 | 'o': forks(); break;
		case 'b' << 8 | 'o': crowd(self, false); break;
		case 'p' << 8 | 'r': crowd(self, true); break;
		default: exit(2);
		}
	}
}

static void rare(const char *self, unsigned round)
{
	struct bpf_insn instructions[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr program = { .prog_type = BPF_PROG_TYPE_KPROBE, .insn_cnt = 2, .insns = (unsigned long)instructions,
				   .license = (unsigned long)"GPL" };
	char name[64];
	int fd, ready[2], go[2];
	pid_t child;

	snprintf(name, sizeof(name), "sudoers.d/rule-%u", round);
	MUST(fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0440));
	close(fd);
	snprintf(name, sizeof(name), "plain-%u", round);
	MUST(fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0440));
	close(fd);
	MUST(pipe2(ready, O_CLOEXEC));
	MUST(pipe2(go, O_CLOEXEC));
	MUST(child = fork());
	if (!child) {
		MUST(write(ready[1], "", 1));
		MUST(read(go[0], name, 1));
		MUST(setuid(NOBODY));
		syscall(SYS_bpf, BPF_PROG_LOAD, &program, sizeof(program));
		execl(self, "flood", "nothing", NULL);
		_exit(127);
	}
	MUST(read(ready[0], name, 1));
	MUST(ptrace(PTRACE_SEIZE, child, NULL, NULL));
	MUST(write(go[1], "", 1));
	waitpid(child, NULL, 0);
	close(ready[0]), close(ready[1]), close(go[0]), close(go[1]);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "nothing"))
		return 0;
	if (argc == 2 && !strcmp(argv[1], "some")) {
		for (unsigned i = 0; i < 200; i++)
			make_file(i, "");
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "rare")) {
		MUST(chdir(argv[3]));
		for (int i = 0; i < atoi(argv[2]); i++)
			rare("/proc/self/exe", (unsigned)i);
		return 0;
	}
	if (argc != 3)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	MUST(chdir(argv[2]));
	flood("/proc/self/exe", argv[1]);
}
