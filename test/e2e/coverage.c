/*
 * Does everything that a host can observe, again and again, under names never used before, so that a test can ask how much of
 * it was seen. Build it static: no library is loaded, and nothing happens that is not asked for.
 *
 *	coverage DEED ROUNDS DIRECTORY		prints its pid; a line "gap WHY" where this kernel cannot do it
 *	coverage deeds				their names
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif

#define MUST(what) ({ long got_ = (long)(what); if (got_ == -1) { perror(#what); exit(1); } got_; })
#define PAGE 4096
#define NOBODY 65534

static char name[64], other[80];
static char *const nothing[] = { "coverage", "nothing", NULL }, *const no_environment[] = { NULL };

static void gap(const char *why)
{
	printf("gap %s\n", why);
	exit(0);
}

static int made(const char *path, unsigned mode)
{
	return (int)MUST(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
}

static void written(const char *path, const char *text, unsigned mode)
{
	int fd = made(path, mode);

	MUST(write(fd, text, strlen(text)));
	close(fd);
}

/* ---- Processes ---- */

static void run(const char *path, int fd)
{
	pid_t child = (pid_t)MUST(fork());

	if (!child) {
		if (path)
			execve(path, nothing, no_environment);
		else
			fexecve(fd, nothing, no_environment);
		_exit(127);
	}
	waitpid(child, NULL, 0);
}

static pid_t sleeper(unsigned uid)
{
	int ready[2];
	char byte;
	pid_t child;

	MUST(pipe2(ready, O_CLOEXEC));
	child = (pid_t)MUST(fork());
	if (!child) {
		if (uid)
			MUST(setresuid(uid, uid, uid));
		MUST(write(ready[1], "", 1));
		pause();
		_exit(0);
	}
	MUST(read(ready[0], &byte, 1));
	close(ready[0]), close(ready[1]);
	return child;
}

static void end(pid_t child)
{
	MUST(kill(child, SIGKILL));
	waitpid(child, NULL, 0);
}

static void self_into(int fd)
{
	static char buffer[1 << 20];
	int from = (int)MUST(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));

	for (ssize_t got; (got = read(from, buffer, sizeof(buffer))) > 0;)
		MUST(write(fd, buffer, (size_t)got));
	close(from);
}

/* What runs is read aside, one after the other; what waits is bounded, and beyond that counted as lost. */
static void let_it_be_read(void)
{
	usleep(100000);
}

static void do_exec(void) { run("/proc/self/exe", -1); }

static void do_script(void)
{
	written(name, "#!/bin/sh\nexit 0\n", 0755);
	run(name, -1);
	let_it_be_read();
}

static void do_memory_file(void)
{
	int fd = (int)MUST(memfd_create(name, MFD_CLOEXEC));

	self_into(fd);
	run(NULL, fd);
	close(fd);
	let_it_be_read();
}

static void do_dropped(void)
{
	int fd = made(name, 0755);

	self_into(fd);
	close(fd);
	run(name, -1);
	let_it_be_read();
}

static void do_deleted(void)
{
	int fd = made(name, 0755);

	self_into(fd);
	close(fd);
	fd = (int)MUST(open(name, O_RDONLY | O_CLOEXEC));
	MUST(unlink(name));
	run(NULL, fd);
	close(fd);
	let_it_be_read();
}

static void do_image(void)
{
	int fd;

	written(name, "not really a library", 0600);
	fd = (int)MUST(open(name, O_RDONLY));
	MUST(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
	close(fd);
}

static void do_trace(void)
{
	pid_t child = sleeper(0);

	MUST(ptrace(PTRACE_SEIZE, child, NULL, NULL));
	end(child);
}

static void do_access(void)
{
	struct iovec here = { other, 16 }, there = { name, 16 };
	pid_t child = sleeper(0);

	MUST(process_vm_readv(child, &here, 1, &there, 1, 0));
	end(child);
}

static void do_signal(void) { end(sleeper(NOBODY)); }

static void do_memory(void)
{
	char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*at = 1;
	MUST(mprotect(at, PAGE, PROT_READ | PROT_EXEC));
}

/* ---- Files ---- */

static void do_create(void) { close(made(name, 0600)); }

static void do_modify(void)
{
	int fd = (int)MUST(open("kept", O_WRONLY | O_CREAT, 0600));

	MUST(write(fd, name, 8));
	close(fd);
}

static void do_delete(void) { do_create(); MUST(unlink(name)); }
static void do_rename(void) { do_create(); MUST(rename(name, other)); }
static void do_link(void) { do_create(); MUST(link(name, other)); }
static void do_symlink(void) { MUST(symlink("/nowhere", name)); }
static void do_mode(void) { do_create(); MUST(chmod(name, 0640)); }
static void do_owner(void) { do_create(); MUST(chown(name, 1, 1)); }
static void do_directory(void) { MUST(mkdir(name, 0700)); }
static void do_truncate(void) { do_create(); MUST(truncate(name, 10)); }
static void do_attribute(void) { do_create(); MUST(setxattr(name, "trusted.coverage", "x", 1, 0)); }

static void do_mount(void)
{
	static int ready;

	if (!ready++) {
		MUST(unshare(CLONE_NEWNS));
		MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	}
	MUST(mkdir(name, 0700));
	MUST(mount("coverage", name, "tmpfs", 0, NULL));
	MUST(umount(name));
}

static void do_raw_device(void)
{
	int fd;

	MUST(mknod(name, S_IFBLK | 0600, makedev(7, 0)));
	fd = open(name, O_RDONLY);
	if (fd < 0)
		gap("this machine has no loop device");
	close(fd);
}

static void do_parameter(void)
{
	int fd = (int)MUST(open("/proc/sys/vm/swappiness", O_RDWR));
	ssize_t length = MUST(read(fd, other, sizeof(other)));

	MUST(pwrite(fd, other, (size_t)length, 0));
	close(fd);
}

/* A file that means something to the machine, made, changed and removed, each by a process of its own. */
static void means(const char *format, const char *first, const char *second)
{
	const char *texts[] = { first, second, NULL };

	snprintf(other, sizeof(other), format, name);
	for (int step = 0; step < 3; step++) {
		pid_t child = (pid_t)MUST(fork());

		if (!child) {
			if (texts[step]) {
				int fd = (int)MUST(open(other, O_WRONLY | O_CREAT | O_TRUNC, 0644));

				MUST(write(fd, texts[step], strlen(texts[step])));
				close(fd);
			} else {
				MUST(unlink(other));
			}
			_exit(0);
		}
		waitpid(child, NULL, 0);
		usleep(20000);
	}
}

static void do_service(void)
{
	means("/etc/systemd/system/coverage-%s.service", "[Service]\nExecStart=/bin/true\n", "[Service]\nExecStart=/bin/false\n");
}

static void do_task(void)
{
	means("/etc/cron.d/coverage-%s", "# 0 5 * * * root /bin/true\n", "# 0 6 * * * root /bin/true\n");
}

/* ---- Sockets ---- */

static void own_network(void)
{
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	static int ready;
	int fd;

	if (ready++)
		return;
	MUST(unshare(CLONE_NEWNET));
	fd = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	MUST(ioctl(fd, SIOCSIFFLAGS, &up));
	close(fd);
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static uint16_t some_port(void)
{
	static uint16_t port;

	/* Any, and none twice: to the same again would be no new peer. */
	if (!port)
		MUST(getrandom(&port, sizeof(port), 0));
	return (uint16_t)(1024 + port++ % 60000);
}

static void do_tcp(void)
{
	struct sockaddr_in a = loopback(0);
	socklen_t length = sizeof(a);
	int server, client, peer;

	own_network();
	server = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(bind(server, (struct sockaddr *)&a, sizeof(a)));
	MUST(listen(server, 1));
	MUST(getsockname(server, (struct sockaddr *)&a, &length));
	client = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(client, (struct sockaddr *)&a, sizeof(a)));
	peer = (int)MUST(accept(server, NULL, NULL));
	MUST(write(client, name, 16));
	MUST(read(peer, other, 16));
	close(client), close(peer), close(server);
}

static void do_datagram(void)
{
	struct sockaddr_in a = loopback(some_port());
	int fd;

	own_network();
	fd = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	MUST(sendto(fd, name, 8, 0, (struct sockaddr *)&a, sizeof(a)));
	close(fd);
}

static void do_bind(void)
{
	struct sockaddr_in a = loopback(0);
	int fd;

	own_network();
	fd = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	MUST(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	close(fd);
}

/* A question and its answer; the name server is ourselves. */
static void do_name(void)
{
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7 };
	uint8_t message[512] = { [2] = 1, [5] = 1, [12] = 16 };
	struct sockaddr_in server_at = loopback(53), from;
	socklen_t length = sizeof(from);
	size_t size = 12 + 1 + 16 + 1 + 4;
	static uint16_t next_port = 40000;
	static int server = -1;
	uint32_t port_range;
	int client;

	own_network();
	if (server < 0) {
		server = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
		MUST(bind(server, (struct sockaddr *)&server_at, sizeof(server_at)));
	}
	MUST(getrandom(message, 2, 0));
	memcpy(message + 13, name, 16);
	message[31] = 1, message[33] = 1;
	client = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	/* A port of its own: to one that was answered before, the answer would be no datagram to a new peer. */
	port_range = (uint32_t)next_port << 16 | next_port, next_port++;
	MUST(setsockopt(client, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &port_range, sizeof(port_range)));
	MUST(sendto(client, message, size, 0, (struct sockaddr *)&server_at, sizeof(server_at)));
	MUST(recvfrom(server, message, size, 0, (struct sockaddr *)&from, &length));
	message[2] |= 0x80, message[7] = 1;
	memcpy(message + size, record, sizeof(record));
	MUST(sendto(server, message, size + sizeof(record), 0, (struct sockaddr *)&from, length));
	MUST(recv(client, message, sizeof(message), 0));
	close(client);
}

static void do_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int server, client, peer;

	strcpy(a.sun_path, name);
	server = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(bind(server, (struct sockaddr *)&a, sizeof(a)));
	MUST(listen(server, 1));
	client = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(connect(client, (struct sockaddr *)&a, sizeof(a)));
	peer = (int)MUST(accept(server, NULL, NULL));
	close(client), close(peer), close(server);
}

static void do_raw_socket(void) { close((int)MUST(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP))); }

static void do_vsock(void)
{
	struct sockaddr_vm a = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = VMADDR_PORT_ANY };
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0)
		gap("this kernel has no vsock");
	MUST(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	MUST(listen(fd, 1));
	close(fd);
}

/* ---- Privilege and kernel ---- */

static void do_credentials(void) { MUST(setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1)); }

static void do_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	MUST(syscall(SYS_capget, &header, data));
	MUST(syscall(SYS_capset, &header, data));
}

static void do_namespace(void) { MUST(unshare(CLONE_NEWUTS)); }
static void do_key(void) { MUST(syscall(SYS_add_key, "user", name, "payload", 7, -2)); }

static long bpf(int command, union bpf_attr *attributes)
{
	return syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

static void do_bpf_program(void)
{
	struct bpf_insn code[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr a = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2, .insns = (unsigned long)code,
			     .license = (unsigned long)"GPL" };

	close((int)MUST(bpf(BPF_PROG_LOAD, &a)));
}

static void do_bpf_map(void)
{
	union bpf_attr a = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };

	memcpy(a.map_name, name, 15);
	close((int)MUST(bpf(BPF_MAP_CREATE, &a)));
}

/* The kernel is not asked to do it: a filter of our own says no before it could. */
static void forbid(long number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(*code), code };
	static int ready;

	if (ready++)
		return;
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
}

static void do_kexec(void) { forbid(SYS_kexec_load), syscall(SYS_kexec_load, 0, 0, NULL, 0); }
static void do_module_load(void) { forbid(SYS_init_module), syscall(SYS_init_module, name, 0ul, ""); }
static void do_module_unload(void) { forbid(SYS_delete_module), syscall(SYS_delete_module, name, 0); }

static void do_ring(void)
{
	struct io_uring_params p = { 0 };
	long fd = syscall(SYS_io_uring_setup, 2, &p);

	if (fd < 0)
		gap("this kernel makes no rings");
	close((int)fd);
}

static void do_performance(void)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(a), .config = PERF_COUNT_SW_PAGE_FAULTS };

	close((int)MUST(syscall(SYS_perf_event_open, &a, 0, -1, -1, 0)));
}

static const struct { const char *name; void (*deed)(void); } deeds[] = {
	{ "exec", do_exec }, { "script", do_script }, { "memory-file", do_memory_file }, { "dropped", do_dropped },
	{ "deleted", do_deleted },
	{ "image", do_image }, { "trace", do_trace }, { "access", do_access }, { "signal", do_signal }, { "memory", do_memory },
	{ "create", do_create }, { "modify", do_modify }, { "delete", do_delete }, { "rename", do_rename }, { "link", do_link },
	{ "symlink", do_symlink }, { "mode", do_mode }, { "owner", do_owner }, { "directory", do_directory },
	{ "truncate", do_truncate }, { "attribute", do_attribute }, { "mount", do_mount }, { "raw-device", do_raw_device },
	{ "parameter", do_parameter }, { "service", do_service }, { "task", do_task }, { "tcp", do_tcp },
	{ "datagram", do_datagram }, { "bind", do_bind }, { "name", do_name }, { "unix", do_unix },
	{ "raw-socket", do_raw_socket }, { "vsock", do_vsock }, { "credentials", do_credentials },
	{ "capabilities", do_capabilities }, { "namespace", do_namespace }, { "key", do_key }, { "bpf-program", do_bpf_program },
	{ "bpf-map", do_bpf_map }, { "kexec", do_kexec }, { "module-load", do_module_load },
	{ "module-unload", do_module_unload }, { "ring", do_ring }, { "performance", do_performance },
};

static void new_names(void)
{
	uint64_t random[2];

	MUST(getrandom(random, sizeof(random), 0));
	snprintf(name, sizeof(name), "%016lx", random[0]);
	snprintf(other, sizeof(other), "%016lx", random[1]);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "nothing"))
		return 0;
	for (unsigned i = 0; i < sizeof(deeds) / sizeof(*deeds); i++) {
		if (argc == 2 && !strcmp(argv[1], "deeds"))
			puts(deeds[i].name);
		if (argc != 4 || strcmp(argv[1], deeds[i].name))
			continue;
		MUST(chdir(argv[3]));
		for (int round = 0; round < atoi(argv[2]); round++) {
			new_names();
			deeds[i].deed();
		}
		return 0;
	}
	return argc == 2 ? 0 : 2;
}
