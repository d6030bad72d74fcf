/*
 * Does to processes, memory, namespaces, keys and the kernel what the sensor should see. Needs no library, so that it runs
 * on any kernel: build it static.
 *
 *	actions-privilege DEED DIRECTORY	prints names and numbers (pids) of what it did
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(what) ({ long got_ = (long)(what); if (got_ == -1) { perror(#what); exit(1); } got_; })
#define PAGE 4096
#define NOBODY 65534

static char word[16] = "hushwatch";

/* A child that waits; as another user where `uid` is not 0. */
static pid_t sleeper(const char *name, unsigned uid)
{
	int ready[2];
	char byte;
	pid_t child;

	MUST(pipe(ready));
	child = MUST(fork());
	if (!child) {
		signal(SIGUSR1, SIG_IGN);
		if (uid) {
			MUST(setresgid(uid, uid, uid));
			MUST(setresuid(uid, uid, uid));
		}
		MUST(write(ready[1], "x", 1));
		pause();
		_exit(0);
	}
	MUST(read(ready[0], &byte, 1));
	close(ready[0]), close(ready[1]);
	if (name)
		printf("%s %d\n", name, child);
	return child;
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void read_memory(pid_t pid)
{
	char got[sizeof(word)];
	struct iovec here = { got, sizeof(got) }, there = { word, sizeof(word) };

	MUST(process_vm_readv(pid, &here, 1, &there, 1, 0));
}

/* ---- Other processes ---- */

static void access_others(void)
{
	struct iovec here = { word, sizeof(word) };
	pid_t own, other;
	int handle;

	own = sleeper("own", 0);
	other = sleeper("other", NOBODY);
	read_memory(own);
	MUST(process_vm_writev(other, &here, 1, &here, 1, 0));
	read_memory(getpid());
	handle = MUST(syscall(SYS_pidfd_open, own, 0));
	MUST(syscall(SYS_pidfd_getfd, handle, 1, 0));
	MUST(syscall(SYS_pidfd_open, other, 0));
	end(own), end(other);
}

static void access_refused(void)
{
	int handle = MUST(syscall(SYS_pidfd_open, 1, 0));
	struct iovec here = { word, sizeof(word) };

	process_vm_readv(1, &here, 1, &here, 1, 0);
	syscall(SYS_pidfd_getfd, handle, 1, 0);
}

/* Numbers as the processes of a pid namespace give them to each other. */
static void access_inside(void)
{
	pid_t first;

	MUST(unshare(CLONE_NEWPID));
	first = MUST(fork());
	if (!first) {
		pid_t child = sleeper(NULL, 0);

		for (int i = 0; i < 200; i++) {	/* More numbers than one node of the kernel's tree has. */
			pid_t passing = MUST(fork());

			if (!passing)
				_exit(0);
			waitpid(passing, NULL, 0);
		}
		read_memory(child);
		end(child);
		child = sleeper(NULL, 0);
		read_memory(child);
		end(child);
		_exit(0);
	}
	printf("inside %d\n", first);
	waitpid(first, NULL, 0);
}

static void signals(void)
{
	pid_t own = sleeper("own", 0), other = sleeper("other", NOBODY);
	union sigval value = { 0 };
	int handle;

	MUST(kill(own, SIGUSR1));
	MUST(kill(other, SIGUSR1));
	MUST(sigqueue(other, SIGUSR1, value));
	MUST(syscall(SYS_tgkill, other, other, SIGUSR1));
	handle = MUST(syscall(SYS_pidfd_open, other, 0));
	MUST(syscall(SYS_pidfd_send_signal, handle, SIGUSR1, NULL, 0));
	MUST(kill(other, 0));
	MUST(kill(other, SIGKILL));
	waitpid(other, NULL, 0);
	end(own);
}

static void signals_refused(void)
{
	kill(1, SIGTERM);
	kill(1, 0);
	kill(getpid(), 0);
}

/* ---- Memory ---- */

static int file_of(const char *name, int flags)
{
	static char page[PAGE];
	int file = MUST(open(name, O_RDWR | O_CREAT | flags, 0755));

	MUST(pwrite(file, page, sizeof(page), 0));
	return file;
}

static long compat(long number, long b, long c, long d, long si, long di)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(b), "c"(c), "d"(d), "S"(si), "D"(di)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static void *map(int protection, int flags, int file)
{
	void *at = mmap(NULL, PAGE, protection, flags, file, 0);

	MUST(at);
	return at;
}

#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

static void memory_anonymous(void)
{
	char *at = map(RW, ANONYMOUS, -1);

	map(RW | PROT_EXEC, ANONYMOUS, -1);
	*at = 1;
	MUST(mprotect(at, PAGE, RX));
}

static void memory_protected(void)
{
	char *at = map(RW, ANONYMOUS, -1);

	MUST(syscall(SYS_pkey_mprotect, at, PAGE, RX, -1));
}

static void memory_stack(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0) & -PAGE;

	MUST(mprotect((void *)here, PAGE, RW | PROT_EXEC));
}

static void memory_heap(void)
{
	uintptr_t end = ((uintptr_t)sbrk(4 * PAGE) + PAGE) & -PAGE;

	MUST(mprotect((void *)end, PAGE, RX));
}

static void memory_file(void)
{
	char *at = map(RW, MAP_PRIVATE, file_of("patched", 0));

	*at = 1;
	MUST(mprotect(at, PAGE, RX));
	map(RW | PROT_EXEC, MAP_PRIVATE, file_of("loose", 0));
}

/* The first mapping of the range is harmless, the second is not. */
static void memory_behind(void)
{
	char *at = mmap(NULL, 2 * PAGE, RW, ANONYMOUS, -1, 0);

	MUST(mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, MUST(open("/etc/hostname", O_RDONLY)), 0));
	MUST(mprotect(at, 2 * PAGE, RX));
}

static void memory_shared(void)
{
	int segment = MUST(shmget(IPC_PRIVATE, PAGE, 0700));

	MUST(shmat(segment, NULL, SHM_EXEC));
	shmctl(segment, IPC_RMID, NULL);
}

static void memory_implied(void)
{
	MUST(personality(READ_IMPLIES_EXEC));
	map(PROT_READ, ANONYMOUS, -1);
}

static void memory_compat(void)
{
	if ((unsigned long)compat(192, 0, PAGE, RX, ANONYMOUS, -1) > -4096ul)
		exit(1);
}

static void memory_compat_struct(void)
{
	unsigned *low = mmap(NULL, PAGE, RW, ANONYMOUS | MAP_32BIT, -1, 0);

	memcpy(low, (unsigned[]){ 0, PAGE, RX, ANONYMOUS, -1u, 0 }, 24);
	if ((unsigned long)compat(90, (long)low, 0, 0, 0, 0) > -4096ul)
		exit(1);
}

/* What every program does all day. */
static void memory_ordinary(void)
{
	char *at = map(RW, ANONYMOUS, -1);
	int usual = open(getenv("LIBRARY") ? getenv("LIBRARY") : "/usr/lib/libusual.so", O_RDONLY);

	MUST(mprotect(at, PAGE, PROT_READ));
	map(PROT_READ, MAP_PRIVATE, file_of("read", 0));
	MUST(usual);
	map(RX, MAP_PRIVATE, usual);
	map(RX, MAP_PRIVATE, MUST(open("/proc/self/exe", O_RDONLY)));
}

static void images(void)
{
	int deleted = file_of("deleted", 0), memory = MUST(memfd_create("payload", 0));

	MUST(ftruncate(memory, PAGE));
	map(RX, MAP_PRIVATE, file_of("hook.so", 0));
	map(RX, MAP_PRIVATE, MUST(open("hook.so", O_RDONLY)));
	MUST(mprotect(map(PROT_READ, MAP_PRIVATE, file_of("later.so", 0)), PAGE, RX));
	MUST(unlink("deleted"));
	map(RX, MAP_PRIVATE, deleted);
	map(RX, MAP_SHARED, memory);
}

/* ---- Namespaces and keys ---- */

static int nothing(void *unused)
{
	(void)unused;
	return 0;
}

static void namespaces(void)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	int before = MUST(open("/proc/self/ns/uts", O_RDONLY));
	pid_t child;

	MUST(unshare(CLONE_NEWUTS | CLONE_NEWNS));
	MUST(setns(before, 0));
	MUST(unshare(CLONE_FILES));
	child = MUST(clone(nothing, stack + sizeof(stack), CLONE_NEWNET | CLONE_NEWPID | SIGCHLD, NULL));
	printf("born %d\n", child);
	waitpid(child, NULL, 0);
	child = MUST(clone(nothing, stack + sizeof(stack), CLONE_NEWUSER | SIGCHLD, NULL));
	printf("user %d\n", child);
	waitpid(child, NULL, 0);
}

static void namespaces_refused(void)
{
	unshare(CLONE_NEWNS);
	setns(MUST(open("/proc/self/ns/uts", O_RDONLY)), 0);
}

static void keys(void)
{
	long key;

	MUST(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL));
	key = MUST(syscall(SYS_add_key, "user", "hushwatch:description", "payload", 7, KEY_SPEC_SESSION_KEYRING));
	MUST(syscall(SYS_request_key, "user", "hushwatch:description", NULL, 0));
	MUST(syscall(SYS_keyctl, KEYCTL_READ, key, NULL, 0));
	MUST(syscall(SYS_keyctl, KEYCTL_REVOKE, key));
}

/* ---- The kernel ---- */

static int bpf(int command, union bpf_attr *attributes)
{
	return (int)syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

static int program(enum bpf_prog_type type, const char *name)
{
	struct bpf_insn code[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1 }, { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr a = { .prog_type = type, .insn_cnt = 2, .insns = (unsigned long)code, .license = (unsigned long)"GPL" };

	strcpy(a.prog_name, name);
	return (int)MUST(bpf(BPF_PROG_LOAD, &a));
}

static void bpf_objects(void)
{
	union bpf_attr map = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1, .map_name = "planted_map" };
	union bpf_attr pin = { .pathname = (unsigned long)"fs/pinned" }, get = pin, look = { 0 }, open_ = { 0 }, by = { 0 };
	struct bpf_map_info info = { 0 };
	union bpf_attr about = { .info = { .info_len = sizeof(info), .info = (unsigned long)&info } };
	unsigned key = 0, value;
	int made;

	MUST(unshare(CLONE_NEWNS));
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(mkdir("fs", 0700));
	MUST(mount("bpf", "fs", "bpf", 0, NULL));
	made = (int)MUST(bpf(BPF_MAP_CREATE, &map));
	pin.bpf_fd = (unsigned)made;
	MUST(bpf(BPF_OBJ_PIN, &pin));
	MUST(bpf(BPF_OBJ_GET, &get));
	look.map_fd = (unsigned)made, look.key = (unsigned long)&key, look.value = (unsigned long)&value;
	MUST(bpf(BPF_MAP_LOOKUP_ELEM, &look));
	open_.raw_tracepoint.name = (unsigned long)"sys_enter";
	open_.raw_tracepoint.prog_fd = (unsigned)program(BPF_PROG_TYPE_RAW_TRACEPOINT, "planted_probe");
	MUST(bpf(BPF_RAW_TRACEPOINT_OPEN, &open_));
	about.info.bpf_fd = (unsigned)made;
	MUST(bpf(BPF_OBJ_GET_INFO_BY_FD, &about));
	by.map_id = info.id;
	MUST(bpf(BPF_MAP_GET_FD_BY_ID, &by));
}

/* On kernels that lack the calls, or for a user who may not make them: a filter says no before the kernel could. */
static void refuse_by_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kexec_load, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kexec_file_load, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_delete_module, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(*code), code };

	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
}

static void kernel_refused(void)
{
	int image = file_of("vmlinuz", 0);

	refuse_by_filter();
	syscall(SYS_kexec_load, 0, 0, NULL, 0);
	syscall(SYS_kexec_file_load, image, -1, 0, NULL, 0);
	syscall(SYS_delete_module, "hushwatch_none", 0);
}

/* No module and no kernel is harmed: nothing by that name, and no segments. */
static void kernel_calls(void)
{
	syscall(SYS_delete_module, "hushwatch_none", 0);
	syscall(SYS_kexec_load, 0, 0, NULL, 0);
}

static void performance(void)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(a), .config = PERF_COUNT_SW_PAGE_FAULTS, .exclude_kernel = 1 };
	pid_t child = sleeper("watched", 0);

	MUST(syscall(SYS_perf_event_open, &a, child, -1, -1, 0));
	MUST(syscall(SYS_perf_event_open, &a, -1, 0, -1, 0));
	end(child);
}

/* ---- Rings ---- */

struct ring {
	int file;
	unsigned flags, submitted;
	unsigned *tail, *mask, *array;
	struct io_uring_sqe *entries;
};

static struct ring ring_of(unsigned flags)
{
	struct io_uring_params p = { .flags = flags, .sq_thread_idle = 50 };
	struct ring r = { .flags = flags };
	char *sq;

	r.file = (int)MUST(syscall(SYS_io_uring_setup, 8, &p));
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, RW, MAP_SHARED, r.file, IORING_OFF_SQ_RING);
	MUST(sq);
	r.entries = mmap(NULL, p.sq_entries * sizeof(*r.entries), RW, MAP_SHARED, r.file, IORING_OFF_SQES);
	MUST(r.entries);
	r.tail = (void *)(sq + p.sq_off.tail), r.mask = (void *)(sq + p.sq_off.ring_mask);
	r.array = (void *)(sq + p.sq_off.array);
	return r;
}

/* Waits until it is done. Nobody takes what is completed away: its number grows. */
static void submit(struct ring *r, struct io_uring_sqe entry)
{
	unsigned at = *r->tail & *r->mask, flags = IORING_ENTER_GETEVENTS;

	r->entries[at] = entry;
	r->array[at] = at;
	__atomic_store_n(r->tail, *r->tail + 1, __ATOMIC_RELEASE);
	if (r->flags & IORING_SETUP_SQPOLL)
		flags |= IORING_ENTER_SQ_WAKEUP;
	MUST(syscall(SYS_io_uring_enter, r->file, 1, ++r->submitted, flags, NULL, 0));
}

static struct io_uring_sqe named(int operation, int base, const char *path)
{
	return (struct io_uring_sqe){ .opcode = (uint8_t)operation, .fd = base, .addr = (unsigned long)path };
}

/* To who listens, and to who does not; and the first of them is accepted. */
static void ring_connects(struct ring *r)
{
	struct sockaddr_in open = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } }, closed = open;
	socklen_t length = sizeof(open);
	int server = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), shut = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	struct io_uring_sqe entry;

	MUST(bind(server, (struct sockaddr *)&open, length));
	MUST(listen(server, 1));
	MUST(getsockname(server, (struct sockaddr *)&open, &length));
	MUST(bind(shut, (struct sockaddr *)&closed, length));
	MUST(getsockname(shut, (struct sockaddr *)&closed, &length));
	printf("open %d\nclosed %d\n", ntohs(open.sin_port), ntohs(closed.sin_port));
	entry = named(IORING_OP_CONNECT, (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), (char *)&open), entry.addr2 = length;
	submit(r, entry);
	entry = named(IORING_OP_ACCEPT, server, NULL);
	submit(r, entry);
	entry = named(IORING_OP_CONNECT, (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), (char *)&closed), entry.addr2 = length;
	submit(r, entry);
}

static void rings(void)
{
	struct ring r = ring_of(0), polled = ring_of(IORING_SETUP_SQPOLL);
	struct io_uring_sqe entry = named(IORING_OP_OPENAT, AT_FDCWD, "made"), second;
	int directory;
	char byte;

	entry.open_flags = O_WRONLY | O_CREAT, entry.len = 0600;
	submit(&r, entry);
	second = named(IORING_OP_RENAMEAT, AT_FDCWD, "made");
	second.len = (unsigned)AT_FDCWD, second.addr2 = (unsigned long)"moved";
	submit(&r, second);
	entry = named(IORING_OP_MKDIRAT, AT_FDCWD, "below"), entry.len = 0700;
	submit(&r, entry);
	directory = (int)MUST(open("below", O_RDONLY | O_DIRECTORY));
	entry = named(IORING_OP_SYMLINKAT, directory, "text"), entry.addr2 = (unsigned long)"link";
	submit(&r, entry);
	submit(&r, named(IORING_OP_UNLINKAT, AT_FDCWD, "moved"));
	entry = named(IORING_OP_OPENAT, directory, "inner"), entry.open_flags = O_WRONLY | O_CREAT, entry.len = 0600;
	submit(&r, entry);
	entry = named(IORING_OP_READ, MUST(open("/etc/hostname", O_RDONLY)), &byte), entry.len = 1;
	submit(&r, entry);
	entry = named(IORING_OP_CONNECT, MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "\1\0/nowhere"), entry.addr2 = 11;
	submit(&r, entry);
	entry = named(IORING_OP_OPENAT, AT_FDCWD, "/etc/hostname"), entry.open_flags = O_RDONLY;
	submit(&polled, entry);
	entry = named(IORING_OP_LINKAT, AT_FDCWD, "below");	/* of a directory: forbidden */
	entry.len = (unsigned)directory, entry.addr2 = (unsigned long)"hard";
	submit(&r, entry);
	ring_connects(&r);
}

/* ---- Programs ---- */

static void run(const char *program, char **arguments)
{
	char *environment[] = { NULL };

	execve(program, arguments, environment);
	_exit(127);
}

static void script(void)
{
	static const char text[] = "#!/proc/self/exe nothing\n";
	int file = (int)MUST(open("run", O_WRONLY | O_CREAT, 0755));
	pid_t child;

	MUST(write(file, text, sizeof(text) - 1));
	close(file);
	child = MUST(fork());
	if (!child)
		run("./run", (char *[]){ "run", "x", NULL });
	printf("script %d\n", child);
	waitpid(child, NULL, 0);
}

static void *become(void *self)
{
	run(self, (char *[]){ "by-thread", "nothing", ".", NULL });
	return NULL;
}

static void families(char *self)
{
	pthread_t thread;
	pid_t child = MUST(fork());

	if (!child) {
		pthread_create(&thread, NULL, become, self);
		pause();
	}
	printf("thread %d\n", child);
	waitpid(child, NULL, 0);

	child = vfork();
	if (!child) {
		execl(self, "by-vfork", "nothing", ".", NULL);
		_exit(127);
	}
	printf("vfork %d\n", child);
	waitpid(child, NULL, 0);

	child = MUST(fork());
	if (!child) {	/* The middle one is gone when the last one starts its program. */
		pid_t middle = getpid();

		if (!fork()) {
			while (getppid() == middle)
				usleep(1000);
			run(self, (char *[]){ "by-two-forks", "nothing", ".", NULL });
		}
		_exit(0);
	}
	printf("middle %d\n", child);
	waitpid(child, NULL, 0);
	usleep(100000);
}

/* Two threads change path and argument all the time while children that share this memory start what is named there. */
static volatile char shared_path[16] = "./a", shared_argument[16] = "aaaaaaaa";
static volatile int changing = 1;

static void *change(void *unused)
{
	for (unsigned i = 0; changing; i++) {
		shared_path[2] = i & 1 ? 'a' : 'b';
		for (int at = 0; at < 8; at++)
			shared_argument[at] = i & 1 ? 'a' : 'b';
	}
	return unused;
}

static void race(char *self)
{
	char *arguments[] = { "raced", "tell", (char *)shared_argument, NULL };
	pthread_t thread;

	MUST(link(self, "a"));
	MUST(link(self, "b"));
	pthread_create(&thread, NULL, change, NULL);
	for (int i = 0; i < 100; i++) {
		pid_t child = vfork();

		if (!child) {
			execve((char *)shared_path, arguments, (char *[]){ NULL });
			_exit(127);
		}
		waitpid(child, NULL, 0);
	}
	changing = 0;
	pthread_join(thread, NULL);
}

/* What a program sees of itself. */
static void tell(const char *argument)
{
	char path[256] = "";

	MUST(readlink("/proc/self/exe", path, sizeof(path) - 1));
	printf("%d %s %s\n", getpid(), argument, path);
}

static void nap(void)
{
	puts("napping 1");
	pause();
}

static const struct { const char *name; void (*deed)(void); } deeds[] = {
	{ "access", access_others }, { "access-refused", access_refused }, { "access-inside", access_inside },
	{ "signals", signals }, { "signals-refused", signals_refused },
	{ "memory-anonymous", memory_anonymous }, { "memory-protected", memory_protected }, { "memory-stack", memory_stack },
	{ "memory-heap", memory_heap }, { "memory-file", memory_file }, { "memory-behind", memory_behind },
	{ "memory-shared", memory_shared }, { "memory-implied", memory_implied }, { "memory-compat", memory_compat },
	{ "memory-compat-struct", memory_compat_struct }, { "memory-ordinary", memory_ordinary }, { "images", images },
	{ "namespaces", namespaces }, { "namespaces-refused", namespaces_refused }, { "keys", keys },
	{ "bpf", bpf_objects }, { "kernel-refused", kernel_refused }, { "kernel", kernel_calls },
	{ "performance", performance }, { "rings", rings }, { "script", script }, { "nap", nap },
};

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "nothing"))
		return 0;
	if (!strcmp(argv[1], "tell"))
		return tell(argv[2]), 0;
	MUST(chdir(argv[2]));
	if (!strcmp(argv[1], "families"))
		return families(argv[0]), 0;
	if (!strcmp(argv[1], "race"))
		return race(argv[0]), 0;
	for (unsigned i = 0; i < sizeof(deeds) / sizeof(*deeds); i++)
		if (!strcmp(argv[1], deeds[i].name))
			return deeds[i].deed(), 0;
	return 2;
}
