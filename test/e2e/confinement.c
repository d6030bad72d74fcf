// SPDX-License-Identifier: Apache-2.0
/*
 * Tries what a process of ours must not be able to do, and says of each attempt "NAME yes" or "NAME ERROR".
 *
 *	confinement ENTRY SIBLING FILE...	a PID to meddle with, files to read
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, long result)
{
	printf("%s %s\n", name, result >= 0 ? "yes" : strerrorname_np(errno));
	fflush(stdout);
}

/* In a child: what changes the process itself must not spoil the next attempt. 0, or -1 and errno. */
static long apart(long (*attempt)(void))
{
	int status;
	pid_t child = fork();

	if (child < 0)
		return -1;
	if (!child)
		_exit(attempt() < 0 ? errno : 0);
	waitpid(child, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
	return errno ? -1 : 0;
}

static pid_t sibling;

static long run_shell(void) { return execl("/bin/sh", "sh", "-c", ":", (char *)0); }
static long become_root(void) { return setuid(0); }
static long become_other(void) { return setresuid(12345, 12345, 12345); }
static long new_user_namespace(void) { return unshare(CLONE_NEWUSER); }
static long new_network(void) { return unshare(CLONE_NEWNET); }
static long change_root(void) { return chroot("/tmp"); }
static long mount_something(void) { return mount("none", "/mnt", "tmpfs", 0, ""); }
static long trace_sibling(void) { return ptrace(PTRACE_SEIZE, sibling, 0, 0); }
static long change_personality(void) { return personality(ADDR_NO_RANDOMIZE); }
static long change_name(void) { return sethostname("taken", 5); }
static long go_realtime(void)
{
	struct sched_param parameters = { .sched_priority = 1 };

	return sched_setscheduler(0, SCHED_FIFO, &parameters);
}

static long write_to(const char *path)
{
	int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (file >= 0)
		close(file);
	return file;
}

static long reach(int family, const char *address, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int line = socket(family, SOCK_DGRAM, 0);

	if (line < 0)
		return -1;
	inet_pton(AF_INET, address, &to.sin_addr);
	return sendto(line, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
}

static long load_program(void)
{
	struct bpf_insn program[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0 }, { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr attributes = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insns = (uint64_t)program, .insn_cnt = 2, .license = (uint64_t)"GPL",
	};

	return syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes));
}

static long watch_processor(void)
{
	struct perf_event_attr attributes = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attributes), .config = PERF_COUNT_SW_CPU_CLOCK };

	return syscall(SYS_perf_event_open, &attributes, -1, 0, -1, 0);
}

static long write_and_run(void)
{
	void *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? -1 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long read_memory(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { (void *)0x400000, 1 };
	long got = process_vm_readv(sibling, &here, 1, &there, 1, 0);

	return got < 0 && errno == EFAULT ? 0 : got;	/* it may; only that address is not mapped */
}

int main(int argc, char **argv)
{
	struct timex clock = { .modes = ADJ_STATUS, .status = STA_UNSYNC };
	char name[128];

	if (argc < 2)
		return 2;
	sibling = (pid_t)atoi(argv[1]);
	say("shell", apart(run_shell));
	say("become-root", apart(become_root));
	say("become-other", apart(become_other));
	say("user-namespace", apart(new_user_namespace));
	say("network-namespace", apart(new_network));
	say("chroot", apart(change_root));
	say("mount", apart(mount_something));
	say("ptrace", apart(trace_sibling));
	say("hostname", apart(change_name));
	say("personality", apart(change_personality));
	say("realtime", apart(go_realtime));
	say("read-memory", read_memory());
	say("signal", kill(sibling, SIGCONT));
	say("bpf", load_program());
	say("perf", watch_processor());
	say("io-uring", syscall(SYS_io_uring_setup, 1, &(char[120]){}));
	say("keyring", syscall(SYS_add_key, "user", "hushwatch", "x", 1, -3));
	say("module", syscall(SYS_init_module, "", 0, "") < 0 && errno != EPERM ? 0 : -1);
	say("clock", adjtimex(&clock));
	say("swap", swapon("/none", 0) < 0 && errno != EPERM ? 0 : -1);
	say("reboot", syscall(SYS_reboot, 0, 0, 0, 0) < 0 && errno == EINVAL ? 0 : -1);
	say("write-execute", write_and_run());
	say("internet", reach(AF_INET, "10.77.0.3", 53));
	say("internet-collector", reach(AF_INET, "10.77.0.2", 53));
	say("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	say("packet", socket(AF_PACKET, SOCK_RAW, 0));
	say("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
	say("write-etc", write_to("/etc/hushwatch-was-here"));
	say("write-usr", write_to("/usr/hushwatch-was-here"));
	say("write-home", write_to("/root/hushwatch-was-here"));
	say("write-group", write_to("/sys/fs/cgroup/cgroup.procs"));
	say("make-device", mknod("/tmp/hushwatch-memory", S_IFCHR | 0600, makedev(1, 1)));
	for (int i = 2; i < argc; i++) {
		snprintf(name, sizeof(name), "read:%s", argv[i]);
		say(name, open(argv[i], O_RDONLY | O_CLOEXEC));
	}
	return 0;
}
