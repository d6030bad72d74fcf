/*
 * Doors that the kernel keeps shut, and what it says when somebody tries them.
 *
 *	guard load POLICY		into SELinux
 *	guard as CONTEXT COMMAND...	run in another domain
 *	guard read FILE			says who reads, by /proc, and whether it was let
 *	guard filter			a system call that a seccomp filter forbids
 *	guard log			what the kernel's log holds, as journald reads it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

/* In one write, or the kernel takes none of it. */
static void load(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to;
	struct stat policy;
	void *bytes;

	if (mount("selinuxfs", "/sys/fs/selinux", "selinuxfs", 0, NULL))
		die("selinuxfs");
	if (from < 0 || fstat(from, &policy))
		die(path);
	bytes = mmap(NULL, (size_t)policy.st_size, PROT_READ, MAP_PRIVATE, from, 0);
	to = open("/sys/fs/selinux/load", O_RDWR | O_CLOEXEC);
	if (bytes == MAP_FAILED || to < 0 || write(to, bytes, (size_t)policy.st_size) != policy.st_size)
		die("load");
	to = open("/sys/fs/selinux/enforce", O_RDWR | O_CLOEXEC);
	if (to < 0 || write(to, "1", 1) != 1)
		die("enforce");
}

static void run_as(const char *context, char **command)
{
	int attribute = open("/proc/self/attr/exec", O_WRONLY | O_CLOEXEC);

	if (attribute < 0 || write(attribute, context, strlen(context) + 1) < 0)
		die(context);
	execv(command[0], command);
	die(command[0]);
}

static void try_to_read(const char *path)
{
	char context[256] = {};
	int attribute = open("/proc/self/attr/current", O_RDONLY | O_CLOEXEC);

	if (attribute < 0 || read(attribute, context, sizeof(context) - 1) < 0)
		die("attr/current");
	printf("context %s\n", context);
	printf("read %d\n", open(path, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0);
}

static void filter(void)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(steps) / sizeof(*steps), steps };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program))
		die("seccomp");
	mount("none", "/tmp", "tmpfs", 0, NULL);
	puts("survived");
}

static void tell_log(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[8192];

	for (ssize_t got; (got = read(log, record, sizeof(record) - 1)) > 0 || errno == EPIPE;) {
		if (got <= 0)
			continue;
		record[got] = 0;
		fputs(record, stdout);
	}
}

int main(int argc, char **argv)
{
	const char *deed = argc > 1 ? argv[1] : "";

	if (!strcmp(deed, "load") && argc == 3)
		load(argv[2]);
	else if (!strcmp(deed, "as") && argc > 3)
		run_as(argv[2], argv + 3);
	else if (!strcmp(deed, "read") && argc == 3)
		try_to_read(argv[2]);
	else if (!strcmp(deed, "filter"))
		filter();
	else if (!strcmp(deed, "log"))
		tell_log();
	else
		return 2;
	return 0;
}
