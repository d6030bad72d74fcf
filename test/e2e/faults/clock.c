/*
 * LD_PRELOAD: the wall clock of one process stands as many seconds off as the file named by HUSHWATCH_CLOCK says, from one moment
 * to the next, as when somebody sets it. The clocks that only run forward are left alone, as they are then.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* A signed 64-bit number of seconds, mapped: a step takes effect at once. */
static const volatile long long *offset;

__attribute__((constructor)) static void open_offset(void)
{
	static const long long none;
	const char *path = getenv("HUSHWATCH_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);

	offset = at == MAP_FAILED ? &none : at;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int failed = (int)syscall(SYS_clock_gettime, clock, now);

	if (!failed && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += *offset;
	return failed;
}

int gettimeofday(struct timeval *now, void *zone)
{
	struct timespec exact;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &exact))
		return -1;
	now->tv_sec = exact.tv_sec;
	now->tv_usec = exact.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *also)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (also)
		*also = now.tv_sec;
	return now.tv_sec;
}
