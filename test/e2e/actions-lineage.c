// SPDX-License-Identifier: Apache-2.0
/*
 * A line of processes that stands before anybody looks: `a b c` runs b with c, and so on. The last one does its deeds for every
 * byte that it reads: a child that runs a program, a grandchild whose parent has ended, a second thread that runs a program.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_true(void)
{
	execl("/bin/true", "true", (char *)0);
	_exit(1);
}

static void *second_thread(void *unused)
{
	(void)unused;
	run_true();
	return 0;
}

static void in_child(const char *name, void (*deed)(void))
{
	pid_t child = fork();

	if (!child) {
		deed();
		_exit(1);
	}
	dprintf(1, "%s %d\n", name, child);
	waitpid(child, 0, 0);
}

static void run_in_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, 0, second_thread, 0);
	pthread_join(thread, 0);
}

static void leave_orphan(void)
{
	pid_t parent = getpid(), orphan = fork();

	if (!orphan) {
		while (getppid() == parent)
			usleep(1000);
		dprintf(1, "orphan %d\nreaper %d\n", getpid(), getppid());
		run_true();
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	char byte;

	if (argc > 1) {
		if (!fork()) {
			execv(argv[1], argv + 1);
			_exit(1);
		}
		wait(0);
		return 0;
	}
	dprintf(1, "last %d\n", getpid());
	while (read(0, &byte, 1) == 1) {
		in_child("child", run_true);
		in_child("thread", run_in_thread);
		in_child("parent", leave_orphan);
		usleep(50000);
		dprintf(1, "done 0\n");
	}
	return 0;
}
