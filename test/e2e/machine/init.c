/*
 * The first and only program of a small virtual machine that boots another kernel. It carries out `/plan`, a line at a time:
 *
 *	start NAME USER COMMAND...	in the background
 *	stop NAME			SIGTERM, and wait for its end
 *	do NAME USER COMMAND...		start, and wait for its end
 *	record				listen at /run/agent.sock; what comes there goes out of the second serial line as it is
 *	heard				wait until something was recorded
 *	write FILE TEXT			into /proc/sys, say
 *	hide DIRECTORY			behind an empty one
 *	facts				what a test must know about this machine
 *
 * USER is root, nobody, or nobody with capabilities: `sensor` has the two it needs, `half` one of them. The third serial
 * line tells: `begin NAME`, what it said, `end NAME PID STATUS`. Then the machine is switched off.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define NOBODY 65534
#define SOCKET "/run/agent.sock"
#define PATIENCE_S 120
#define WORDS_MAX 32

struct child {
	char name[32];
	pid_t pid;
};

/* What the recorder, a process of its own, has done. */
struct progress {
	volatile size_t bytes;		/* since the last `heard` */
	volatile unsigned begun, over;	/* connections */
};

static struct child children[16];
static FILE *story;
static struct progress *progress;

/* Nothing that goes wrong in here may look like a test that passed. */
static void give_up(const char *what)
{
	fprintf(story ? story : stdout, "broken %s: %s\n", what, strerror(errno));
	fflush(NULL);
	reboot(RB_POWER_OFF);
	_exit(1);
}

#define MUST(what) do { if ((long)(what) < 0) give_up(#what); } while (0)

static int serial_line(const char *path)
{
	struct termios raw;
	int fd;

	MUST(fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC));
	MUST(tcgetattr(fd, &raw));
	cfmakeraw(&raw);
	MUST(tcsetattr(fd, TCSANOW, &raw));
	return fd;
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd;

	MUST(fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	MUST(ioctl(fd, SIOCSIFFLAGS, &request));
	close(fd);
}

static void set_up(void)
{
	int fd;

	MUST(mount("dev", "/dev", "devtmpfs", 0, NULL));
	MUST(mount("proc", "/proc", "proc", 0, NULL));
	MUST(mount("sys", "/sys", "sysfs", 0, NULL));
	MUST(mount("security", "/sys/kernel/security", "securityfs", 0, NULL));
	MUST(mount("run", "/run", "tmpfs", 0, "mode=755"));
	MUST(chmod("/tmp", 01777));
	MUST(fd = serial_line("/dev/ttyS2"));
	if (!(story = fdopen(fd, "w")))
		give_up("the story");
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		give_up("mmap");
	loopback_up();
}

/* ---- Who runs ---- */

static void become(const char *user)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};
	const struct rlimit nothing = {};
	__u32 upper = 1u << (CAP_BPF - 32);

	if (!strcmp(user, "root"))
		return;
	if (!strcmp(user, "sensor"))
		upper |= 1u << (CAP_PERFMON - 32);
	else if (!strcmp(user, "nobody"))
		upper = 0;
	else if (strcmp(user, "half"))
		give_up("no such user");
	MUST(setrlimit(RLIMIT_MEMLOCK, &nothing));	/* what BPF takes must not be counted by it */
	MUST(setgroups(0, NULL));
	MUST(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
	MUST(setresgid(NOBODY, NOBODY, NOBODY));
	MUST(setresuid(NOBODY, NOBODY, NOBODY));
	data[1].effective = data[1].permitted = data[1].inheritable = upper;
	MUST(syscall(SYS_capset, &header, data));
	for (unsigned capability = 32; capability < 64; capability++)
		if (upper >> (capability - 32) & 1)
			MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0));
}

static struct child *child_named(const char *name)
{
	for (struct child *c = children; c < children + sizeof(children) / sizeof(*children); c++)
		if (!strcmp(c->name, name))
			return c;
	give_up("no such child");
	return NULL;
}

static void output_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, "/run/said-%s", name);
}

static void start(char **words)
{
	struct child *c = child_named("");
	static char *environment[] = { "PATH=/bin", NULL };
	char path[64];
	int said;

	snprintf(c->name, sizeof(c->name), "%s", words[0]);
	output_path(path, sizeof(path), c->name);
	MUST(said = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));	/* here: what the child opens is told of it */
	MUST(c->pid = fork());
	if (c->pid) {
		close(said);
		return;
	}
	MUST(dup2(said, 1));
	MUST(dup2(said, 2));
	become(words[1]);
	execve(words[2], words + 2, environment);
	perror(words[2]);
	_exit(127);
}

static void tell(const char *name)
{
	char path[64], line[4096];
	FILE *said;

	output_path(path, sizeof(path), name);
	said = fopen(path, "r");
	while (said && fgets(line, sizeof(line), said))
		fputs(line, story);
	if (said)
		fclose(said);
}

static void end(const char *name)
{
	struct child *c = child_named(name);
	int status;

	MUST(waitpid(c->pid, &status, 0));
	fprintf(story, "begin %s\n", name);
	tell(name);
	fprintf(story, "end %s %d %d\n", name, c->pid, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	c->name[0] = 0;
}

/* ---- What is recorded ---- */

static void copy_all(int from, int to)
{
	static char buffer[65536];

	for (ssize_t got; (got = read(from, buffer, sizeof(buffer))) > 0; progress->bytes += (size_t)got)
		for (ssize_t at = 0, put; at < got; at += put)
			MUST(put = write(to, buffer + at, (size_t)(got - at)));
}

/* One sensor after another. */
static void record(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int listener, line = serial_line("/dev/ttyS1");

	MUST(listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	MUST(bind(listener, (struct sockaddr *)&address, sizeof(address)));
	MUST(chmod(SOCKET, 0666));
	MUST(listen(listener, 4));
	switch (fork()) {
	case -1: give_up("fork");
	case 0: break;
	default: return;
	}
	for (;;) {
		int from = accept(listener, NULL, NULL);

		progress->begun++;
		copy_all(from, line);
		MUST(tcdrain(line));
		progress->over++;
		close(from);
	}
}

/* Who is waited for later, and whose end is not worth waiting any more. */
static bool someone_ended(void)
{
	siginfo_t who = {};

	return !waitid(P_ALL, 0, &who, WEXITED | WNOHANG | WNOWAIT) && who.si_pid;
}

static void heard(void)
{
	for (int i = 0; i < PATIENCE_S * 100 && !someone_ended(); i++) {
		if (progress->bytes > 0) {
			progress->bytes = 0;
			return;
		}
		usleep(10000);
	}
	fputs("broken: nothing was recorded\n", story);
}

static void facts(void)
{
	static const char *const namespaces[] = { "mnt", "pid", "net", "user" };
	struct stat shadow;

	for (unsigned i = 0; i < 4; i++) {
		char path[64];
		struct stat of;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", namespaces[i]);
		MUST(stat(path, &of));
		fprintf(story, "fact %s %lu\n", namespaces[i], of.st_ino);
	}
	MUST(stat("/etc/shadow", &shadow));
	fprintf(story, "fact shadow %lu\n", shadow.st_ino);
}

static void write_file(char **words)
{
	int fd;

	MUST(fd = open(words[0], O_WRONLY | O_CLOEXEC));
	MUST(write(fd, words[1], strlen(words[1])));
	close(fd);
}

static void carry_out(char *line)
{
	char *words[WORDS_MAX] = {}, *verb = strtok(line, " \n");

	for (int i = 0; i < WORDS_MAX - 1 && (words[i] = strtok(NULL, " \n")); i++)
		;
	if (!verb || *verb == '#')
		return;
	if (!strcmp(verb, "start") || !strcmp(verb, "do"))
		start(words);
	if (!strcmp(verb, "stop"))
		kill(child_named(words[0])->pid, SIGTERM);
	if (!strcmp(verb, "do") || !strcmp(verb, "stop"))
		end(words[0]);
	if (!strcmp(verb, "record"))
		record();
	if (!strcmp(verb, "heard"))
		heard();
	if (!strcmp(verb, "write"))
		write_file(words);
	if (!strcmp(verb, "hide"))
		MUST(mount("nothing", words[0], "tmpfs", 0, NULL));
	if (!strcmp(verb, "facts"))
		facts();
	fflush(story);
}

int main(void)
{
	char line[1024];
	FILE *plan;

	set_up();
	if (!(plan = fopen("/plan", "re")))
		give_up("the plan");
	while (fgets(line, sizeof(line), plan))
		carry_out(line);
	while (progress->begun > progress->over)	/* the recorder hears a sensor's end a moment after we do */
		usleep(10000);
	fputs("over\n", story);
	fflush(story);
	tcdrain(fileno(story));
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
