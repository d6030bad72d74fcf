/*
 * Names that a second thread changes while the kernel is called with them, for the real sensor to see. Each call is printed as
 * it really went, found out afterwards from the disk: "KIND PATH [TARGET]", in order.
 *
 *	actions-paths names DIRECTORY COUNT	the text of names, in memory
 *	actions-paths places DIRECTORY COUNT	where relative names start from: descriptor and working directory
 *
 * The last line of `names`, "changed N", says after how many calls the text was not any more what the kernel had used.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MUST(what) must((long)(what), #what)

static void must(long result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(1);
}

/* "DIRECTORY/KIND-a" or "-b": the last letter changes all the time. Each kind keeps its place, so that no change comes late. */
struct name {
	const char *kind;
	char text[512];
	volatile char *letter;
};

static struct name all[16];
static struct name *volatile one = all, *volatile two = all;
static char directory[400];
static volatile bool racing;
static unsigned changed;

static void *change(void *nothing)
{
	for (unsigned i = 0; racing; i++) {
		*one->letter = i & 1 ? 'b' : 'a';
		*two->letter = i & 2 ? 'b' : 'a';
	}
	return nothing;
}

static struct name *named(const char *kind)
{
	struct name *name = all;

	while (name->kind && strcmp(name->kind, kind))
		name++;
	if (!name->kind) {
		snprintf(name->text, sizeof(name->text), "%s/%s-a", directory, kind);
		name->letter = name->text + strlen(name->text) - 1;
		name->kind = kind;
	}
	return name;
}

static const char *path(const char *kind, char letter)
{
	static char texts[4][512];
	static unsigned next;
	char *text = texts[next++ % 4];

	snprintf(text, 512, "%s/%s-%c", directory, kind, letter);
	return text;
}

static struct stat status(const char *name)
{
	struct stat got = {};

	if (lstat(name, &got))
		got.st_ino = 0;
	return got;
}

static bool is_there(const char *kind, char letter)
{
	return status(path(kind, letter)).st_ino;
}

/* Which of the two there is, or is not any more. */
static char which(const char *kind, bool there)
{
	return is_there(kind, 'a') == there ? 'a' : 'b';
}

static void compare(const struct name *name, char used)
{
	changed += *name->letter != used;
}

static void make(const char *name)
{
	int fd;

	MUST(fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	close(fd);
}

static void made(const char *kind, int (*call)(void))
{
	char used;

	one = named(kind);
	MUST(call());
	used = which(kind, true);
	compare(one, used);
	printf("create %s\n", path(kind, used));
	printf("delete %s\n", path(kind, used));
	MUST(remove(path(kind, used)));
}

static int made_directory(void)
{
	return mkdir(one->text, 0700);
}

static int made_pipe(void)
{
	return mknod(one->text, S_IFIFO | 0600, 0);
}

static void symbolic(void)
{
	char text[512] = "", used;

	one = named("text"), two = named("symbolic");
	MUST(symlink(one->text, two->text));
	used = which("symbolic", true);
	compare(two, used);
	MUST(readlink(path("symbolic", used), text, sizeof(text) - 1));
	printf("symlink %s %s\n", text, path("symbolic", used));
	printf("delete %s\n", path("symbolic", used));
	MUST(unlink(path("symbolic", used)));
}

static void linked(void)
{
	char from, to;

	one = named("file"), two = named("linked");
	MUST(link(one->text, two->text));
	to = which("linked", true);
	from = status(path("linked", to)).st_ino == status(path("file", 'a')).st_ino ? 'a' : 'b';
	compare(one, from), compare(two, to);
	printf("link %s %s\n", path("file", from), path("linked", to));
	printf("delete %s\n", path("linked", to));
	MUST(unlink(path("linked", to)));
}

static void renamed(void)
{
	char from, to;

	one = named("file"), two = named("renamed");
	MUST(rename(one->text, two->text));
	from = which("file", false), to = which("renamed", true);
	compare(one, from), compare(two, to);
	printf("rename %s %s\n", path("file", from), path("renamed", to));
	printf("rename %s %s\n", path("renamed", to), path("file", from));
	MUST(rename(path("renamed", to), path("file", from)));
}

static void deleted(void)
{
	char used;

	one = named("file");
	MUST(unlink(one->text));
	used = which("file", false);
	compare(one, used);
	printf("delete %s\n", path("file", used));
	make(path("file", used));
	one = named("empty");
	MUST(rmdir(one->text));
	used = which("empty", false);
	compare(one, used);
	printf("delete %s\n", path("empty", used));
	printf("create %s\n", path("empty", used));
	MUST(mkdir(path("empty", used), 0700));
}

static void attributes(unsigned round)
{
	char used, value[16];

	one = named("file");
	MUST(chmod(one->text, round & 0777));
	used = (status(path("file", 'a')).st_mode & 0777) == (round & 0777) ? 'a' : 'b';
	compare(one, used);
	printf("chmod %s\n", path("file", used));
	printf("chmod %s\n", path("file", used));
	MUST(chmod(path("file", used), 07000));

	MUST(chown(one->text, round, -1));
	used = status(path("file", 'a')).st_uid == round ? 'a' : 'b';
	compare(one, used);
	printf("chown %s\n", path("file", used));

	MUST(truncate(one->text, round));
	used = status(path("file", 'a')).st_size == round ? 'a' : 'b';
	compare(one, used);
	printf("truncate %s\n", path("file", used));

	MUST(setxattr(one->text, "trusted.hushwatch", "1", 1, 0));
	used = getxattr(path("file", 'a'), "trusted.hushwatch", value, sizeof(value)) == 1 ? 'a' : 'b';
	compare(one, used);
	printf("xattr %s\n", path("file", used));
	printf("xattr %s\n", path("file", used));
	MUST(removexattr(path("file", used), "trusted.hushwatch"));
}

/* Of the two only one is there, and may not be run. */
static void refused(void)
{
	one = named("program");
	if (!execl(one->text, "program", NULL) || (errno != EACCES && errno != ENOENT))
		exit(1);
	compare(one, errno == EACCES ? 'a' : 'b');
	if (errno == EACCES)
		printf("exec-refused %s\n", path("program", 'a'));
}

static void mounts(void)
{
	dev_t under = status(directory).st_dev;
	char from, to;

	one = named("empty"), two = named("empty");
	MUST(mount("hushwatch", one->text, "tmpfs", 0, ""));
	to = status(path("empty", 'a')).st_dev == under ? 'b' : 'a';
	compare(one, to);
	printf("mount %s\nunmount %s\n", path("empty", to), path("empty", to));
	MUST(umount(path("empty", to)));

	one = named("shown"), two = named("empty");
	MUST(mount(one->text, two->text, "", MS_BIND, ""));
	to = status(path("empty", 'a')).st_ino == status(path("shown", 'a')).st_ino ||
	     status(path("empty", 'a')).st_ino == status(path("shown", 'b')).st_ino ? 'a' : 'b';
	from = status(path("empty", to)).st_ino == status(path("shown", 'a')).st_ino ? 'a' : 'b';
	compare(one, from), compare(two, to);
	printf("mount %s %s\n", path("empty", to), path("shown", from));
	printf("unmount %s\n", path("empty", to));
	MUST(umount(path("empty", to)));

	MUST(mount("hushwatch", path("empty", 'a'), "tmpfs", 0, ""));
	MUST(mount("hushwatch", path("empty", 'b'), "tmpfs", 0, ""));
	printf("mount %s\nmount %s\n", path("empty", 'a'), path("empty", 'b'));
	one = named("empty");
	MUST(umount2(one->text, MNT_DETACH));
	to = status(path("empty", 'a')).st_dev == under ? 'a' : 'b';
	compare(one, to);
	printf("unmount %s\nunmount %s\n", path("empty", to), path("empty", to == 'a' ? 'b' : 'a'));
	MUST(umount(path("empty", to == 'a' ? 'b' : 'a')));
}

static void names(unsigned count)
{
	pthread_t thread;

	for (char letter = 'a'; letter <= 'b'; letter++) {
		make(path("file", letter));
		MUST(mkdir(path("empty", letter), 0700)), MUST(mkdir(path("shown", letter), 0700));
		printf("create %s\ncreate %s\n", path("empty", letter), path("shown", letter));
	}
	make(path("program", 'a'));
	one = named("file"), two = named("linked");
	racing = true;
	MUST(pthread_create(&thread, NULL, change, NULL));
	for (unsigned i = 1; i <= count; i++) {
		made("directory", made_directory), made("pipe", made_pipe);
		symbolic(), linked(), renamed(), deleted(), attributes(i), refused();
		if (i % 8 == 0)
			mounts();
	}
	racing = false;
	pthread_join(thread, NULL);
	printf("changed %u\n", changed);
}

/* ---- Where relative names start from ---- */

static int places[2], moving;

static void *move(void *nothing)
{
	for (unsigned i = 0; racing; i++) {
		MUST(dup2(places[i & 1], moving));
		MUST(fchdir(places[i & 1]));
	}
	return nothing;
}

/* Moves it once, and is gone. */
static int move_once(void *to)
{
	dup2(*(int *)to, moving);
	return 0;
}

static void *move_in_thread(void *to)
{
	move_once(to);
	return NULL;
}

static void made_there(bool by_descriptor)
{
	struct stat got;
	char text[512];
	int first;

	MUST(by_descriptor ? mkdirat(moving, "there", 0700) : mkdir("there", 0700));
	first = !fstatat(places[0], "there", &got, 0);
	snprintf(text, sizeof(text), "%s/there", path("place", first ? 'a' : 'b'));
	printf("create %s\ndelete %s\n", text, text);
	MUST(rmdir(text));
}

static void still_there(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		MUST(dup2(places[i & 1], moving));
		MUST(fchdir(places[i & 1]));
		made_there(i & 2);
	}
}

static void moved_by_others(unsigned count)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	pthread_t thread;

	for (unsigned i = 0; i < count; i++) {
		pid_t other;

		MUST(other = clone(move_once, stack + sizeof(stack), CLONE_FILES | SIGCHLD, &places[i & 1]));
		made_there(true);
		waitpid(other, NULL, 0);
	}
	for (unsigned i = 0; i < count; i++) {
		MUST(pthread_create(&thread, NULL, move_in_thread, &places[i & 1]));
		made_there(true);
		pthread_join(thread, NULL);
	}
	racing = true;
	MUST(pthread_create(&thread, NULL, move, NULL));
	for (unsigned i = 0; i < count; i++)
		made_there(i & 1);
	racing = false;
	pthread_join(thread, NULL);
}

/* First by one that is alone: what it names is certain. */
static void all_places(unsigned count)
{
	for (char letter = 'a'; letter <= 'b'; letter++) {
		printf("create %s\n", path("place", letter));
		MUST(mkdir(path("place", letter), 0700));
		MUST(places[letter - 'a'] = open(path("place", letter), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	}
	MUST(moving = dup(places[0]));
	still_there(count);
	printf("others\n");
	moved_by_others(count);
}

int main(int argc, char **argv)
{
	static char buffer[1 << 22];

	if (argc != 4)
		return 2;
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	snprintf(directory, sizeof(directory), "%s", argv[2]);
	MUST(unshare(CLONE_NEWNS));
	if (!strcmp(argv[1], "names"))
		names((unsigned)atoi(argv[3]));
	else
		all_places((unsigned)atoi(argv[3]));
	return 0;
}
