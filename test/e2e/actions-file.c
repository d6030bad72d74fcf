/*
 * Deeds on files, each in a directory of its own, for the real sensor to see.
 *
 *	actions-file written DIRECTORY	every way to write a file and to be done with it
 *	actions-file thirty-two DIRECTORY	one more, as a 32-bit program does
 *	actions-file changed DIRECTORY	made, cut, attributes, raw devices, kernel parameters
 *	actions-file mounted DIRECTORY	in a mount namespace of its own
 *	actions-file raced DIRECTORY COUNT	names that change while they are opened
 *	actions-file appended DIRECTORY COUNT	one file opened, written and closed again and again
 *	actions-file time		nanoseconds of a write to a socket, a pipe, a file, and of a close
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define MUST(what) must((long)(what), #what)

static char text[1 << 16];

static void must(long result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(1);
}

static int made(const char *name)
{
	int fd;

	MUST(fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	return fd;
}

static pid_t child(const char *name)
{
	pid_t pid;

	MUST(pid = fork());
	if (pid)
		printf("%s %d\n", name, pid);
	return pid;
}

static void ways_to_write(void)
{
	struct iovec pieces[2] = { { text, 3 }, { text, 4 } };
	int fd, from, pipes[2], pair[2];

	fd = made("plain");
	MUST(write(fd, text, 5)), MUST(pwrite(fd, text, 7, 100));
	close(fd);
	fd = made("vector");
	MUST(writev(fd, pieces, 2)), MUST(pwritev(fd, pieces, 2, 50)), MUST(pwritev2(fd, pieces, 2, -1, 0));
	close(fd);
	from = made("plain");
	fd = made("sent");
	MUST(sendfile(fd, from, NULL, 10));
	close(fd);
	fd = made("copied");
	MUST(lseek(from, 0, SEEK_SET)), MUST(copy_file_range(from, NULL, fd, NULL, 20, 0));
	close(fd), close(from);
	fd = made("spliced");
	MUST(pipe(pipes)), MUST(write(pipes[1], text, 30)), MUST(splice(pipes[0], NULL, fd, NULL, 30, 0));
	close(fd), close(pipes[0]), close(pipes[1]);

	/* None of these is a file that was written. */
	fd = made("untouched");
	close(fd);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair)), MUST(write(pair[0], text, 8));
	close(pair[0]), close(pair[1]);
	MUST(fd = eventfd(0, 0)), MUST(write(fd, (uint64_t[]){ 1 }, 8));
	close(fd);
}

static void *write_last(void *name)
{
	usleep(20000);
	MUST(write(made(name), text, 81));
	return NULL;
}

static void ways_to_end(void)
{
	pthread_t thread;
	int fd, other;

	fd = made("replaced"), other = made("other");
	MUST(write(fd, text, 41)), MUST(dup2(other, fd)), MUST(dup2(fd, fd));
	MUST(write(fd, text, 42));
	close(fd), close(other);
	fd = made("ranged");
	MUST(write(fd, text, 43));
	close_range((unsigned)fd, ~0u, 0);
	fd = made("removed");
	MUST(write(fd, text, 44)), MUST(unlink("removed"));
	close(fd);
	fd = made("before");
	MUST(write(fd, text, 45)), MUST(rename("before", "after")), MUST(write(fd, text, 5));
	close(fd);
	fd = made("again");
	for (int i = 0; i < 1000; i++)
		MUST(write(fd, text, 1000));
	close(fd);

	if (!child("exited")) {
		MUST(write(made("left-open"), text, 51)), MUST(write(made("left-open-too"), text, 52));
		_exit(0);
	}
	wait(NULL);
	if (!child("killed")) {
		MUST(write(made("killed"), text, 53));
		raise(SIGKILL);
	}
	wait(NULL);
	fd = made("inherited");
	MUST(write(fd, text, 54));
	if (!child("heir")) {
		MUST(write(fd, text, 55));
		_exit(0);
	}
	wait(NULL);
	close(fd);
	if (!child("executed")) {
		fd = made("kept");
		MUST(fcntl(fd, F_SETFD, 0)), MUST(write(fd, text, 56)), MUST(write(made("closed-by-exec"), text, 57));
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	wait(NULL);
	if (!child("threads")) {
		MUST(pthread_create(&thread, NULL, write_last, "by-a-thread"));
		MUST(write(made("by-the-leader"), text, 82));
		syscall(SYS_exit, 0);
	}
	wait(NULL);
}

static void ways_to_change(void)
{
	int fd;

	MUST(mkdir("directory", 0751)), MUST(mkdirat(AT_FDCWD, "directory/sub", 0700));
	MUST(mknod("pipe", S_IFIFO | 0600, 0)), MUST(mknodat(AT_FDCWD, "null", S_IFCHR | 0666, makedev(1, 3)));
	fd = made("cut");
	MUST(ftruncate(fd, 10)), MUST(truncate("cut", 5));
	MUST(fsetxattr(fd, "trusted.hushwatch", "secret", 6, 0)), MUST(setxattr("cut", "trusted.other", "x", 1, 0));
	MUST(lremovexattr("cut", "trusted.other")), MUST(fremovexattr(fd, "trusted.hushwatch"));
	close(fd);

	MUST(mknod("disk", S_IFBLK | 0600, makedev(7, 0)));
	fd = open("disk", O_RDONLY);
	printf("disk %d\n", fd >= 0);
	close(fd);
	MUST(mknod("memory", S_IFCHR | 0600, makedev(1, 1)));
	fd = open("memory", O_RDONLY);
	printf("memory %d\n", fd >= 0);
	close(fd);
	MUST(fd = open("/proc/self/mem", O_RDONLY));
	close(fd);
	MUST(fd = open("/proc/self/maps", O_RDONLY));
	close(fd);
	MUST(fd = open("/proc/sys/vm/swappiness", O_RDWR));
	ssize_t length = read(fd, text, 100);
	MUST(pwrite(fd, text, (size_t)length, 0));
	printf("parameter %zd\n", length);
	close(fd);
}

static void below_four_gigabytes(void)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long fd = made("thirty-two"), result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(4), "b"(fd), "c"(low), "d"(32) : "memory", "r8", "r9", "r10", "r11");
	MUST(result);
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(6), "b"(fd) : "memory", "r8", "r9", "r10", "r11");
	MUST(result);
}

static void mounted(void)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_NOEXEC };
	int fs, mount_fd;

	MUST(unshare(CLONE_NEWNS));
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(mkdir("one", 0700)), MUST(mkdir("two", 0700)), MUST(mkdir("three", 0700));
	MUST(mount("hushwatch", "one", "tmpfs", MS_NOSUID | MS_RDONLY, NULL));
	MUST(mount("one", "two/../two", NULL, MS_BIND, NULL));
	MUST(mount(NULL, "one", NULL, MS_REMOUNT | MS_NOEXEC, NULL));
	MUST(fs = (int)syscall(SYS_fsopen, "tmpfs", 0));
	MUST(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", "new-way", 0));
	MUST(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	MUST(mount_fd = (int)syscall(SYS_fsmount, fs, 0, MOUNT_ATTR_NODEV));
	MUST(syscall(SYS_move_mount, mount_fd, "", AT_FDCWD, "three", MOVE_MOUNT_F_EMPTY_PATH));
	MUST(syscall(SYS_mount_setattr, AT_FDCWD, "three", 0, &attributes, sizeof(attributes)));
	MUST(umount2("two", MNT_DETACH));
	MUST(mkdir("three/old", 0700)), MUST(chdir("three"));
	MUST(syscall(SYS_pivot_root, ".", "old"));
}

static char name[8];
static volatile int racing = 1;

static void *rewrite(void *nothing)
{
	for (unsigned i = 0; racing; i++)
		*(volatile char *)name = i & 1 ? 'a' : 'b';
	return nothing;
}

static void *exchange(void *nothing)
{
	while (racing)
		renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE);
	return nothing;
}

/* Prints the inode that the kernel opened, each time. */
static void raced(int count)
{
	void *(*ways[])(void *) = { rewrite, exchange };
	pthread_t thread;
	struct stat file;

	strcpy(name, "a/x");
	MUST(mkdir("a", 0700)), MUST(mkdir("b", 0700));
	close(made("a/x")), close(made("b/x"));
	for (int way = 0; way < 2; way++) {
		racing = 1;
		MUST(pthread_create(&thread, NULL, ways[way], NULL));
		for (int i = 0; i < count; i++) {
			int fd = i & 1 ? creat(name, 0600) : open(name, O_WRONLY);

			MUST(fd), MUST(fstat(fd, &file));
			printf("opened %lu\n", file.st_ino);
			close(fd);
		}
		racing = 0;
		pthread_join(thread, NULL);
	}
}

static void appended(int count)
{
	for (int i = 0; i < count; i++) {
		int fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);

		MUST(fd), MUST(write(fd, text, 10));
		close(fd);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b ? -1 : 1;
}

#define BLOCKS 400
#define BLOCK 250

/* Nanoseconds of one deed: the median of the faster half of many short blocks, which nobody else interrupted. */
#define TIMED(what, deed) do { \
	static double blocks[BLOCKS]; \
	for (int block = 0; block < BLOCKS; block++) { \
		double from = now(); \
		for (int i = 0; i < BLOCK; i++) { deed; } \
		blocks[block] = (now() - from) / BLOCK; \
	} \
	qsort(blocks, BLOCKS, sizeof(*blocks), by_size); \
	printf("%s %.1f\n", what, blocks[BLOCKS / 4]); \
} while (0)

static void timed(void)
{
	int pair[2], pipes[2], file, null;

	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)), MUST(pipe(pipes));
	MUST(file = open("/tmp", O_TMPFILE | O_RDWR, 0600)), MUST(null = open("/dev/null", O_WRONLY));
	TIMED("null", write(null, text, 1));
	TIMED("pipe", write(pipes[1], text, 64); read(pipes[0], text, 64));
	TIMED("socket", write(pair[1], text, 64); read(pair[0], text, 64));
	TIMED("file", pwrite(file, text, 64, 0));
	TIMED("getppid", syscall(SYS_getppid));
	TIMED("dup+close", close(dup(null)));
}

int main(int argc, char **argv)
{
	const char *deed = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 2)
		MUST(chdir(argv[2]));
	if (!strcmp(deed, "written")) {
		ways_to_write();
		ways_to_end();
	} else if (!strcmp(deed, "thirty-two")) {
		below_four_gigabytes();
	} else if (!strcmp(deed, "changed")) {
		ways_to_change();
	} else if (!strcmp(deed, "mounted")) {
		mounted();
	} else if (!strcmp(deed, "raced")) {
		raced(atoi(argv[3]));
	} else if (!strcmp(deed, "appended")) {
		appended(atoi(argv[3]));
	} else if (!strcmp(deed, "time")) {
		timed();
	} else {
		return 2;
	}
	return 0;
}
