/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether this kernel, and what we may do on it, will do: found out before anything is loaded, and said in one line with what
 * to do about it. User-space half.
 *
 *	needed		types in the kernel (BTF), the tracepoint of system calls, bpf_loop (Linux 5.17), CAP_BPF and CAP_PERFMON
 *	nice to have	every other tracepoint: without it its events are missing, and --check says which
 *
 * From 5.11 on memory of BPF counts as that of the control group, so RLIMIT_MEMLOCK is nobody's business any more.
 */
#ifndef HUSHWATCH_FIT_H
#define HUSHWATCH_FIT_H

#include <sys/utsname.h>

/* One line that says what is wrong, one that says what to do. */
#define refuse(hint, ...) do { say(__VA_ARGS__); fputs("hint: " hint "\n", stderr); exit(EXIT_UNSUPPORTED); } while (0)

static const char *kernel_release(void)
{
	static struct utsname names;

	return uname(&names) ? "of unknown release" : names.release;
}

/* Capabilities that a user namespace of our own gave us count for nothing outside of it. */
static bool in_user_namespace(void)
{
	unsigned long inside, outside, count = 0;
	FILE *map = fopen("/proc/self/uid_map", "re");
	bool known = map && fscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3;

	if (map)
		fclose(map);
	return known && count != 4294967295ul;
}

static void need_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};
	uint64_t held;

	if (syscall(SYS_capget, &header, data))
		die(EXIT_UNSUPPORTED, "cannot read own capabilities: %s", strerror(errno));
	held = data[0].effective | (uint64_t)data[1].effective << 32;
	if (!(held >> CAP_SYS_ADMIN & 1) && (!(held >> CAP_BPF & 1) || !(held >> CAP_PERFMON & 1)))
		refuse("start it as root, or give it both (systemd: AmbientCapabilities=CAP_BPF CAP_PERFMON)",
		       "needs the capabilities CAP_BPF and CAP_PERFMON");
	if (in_user_namespace())
		refuse("start it outside of the container, in the machine's own user namespace",
		       "its capabilities are those of a user namespace, and BPF asks for those of the machine");
}

static int call_arguments(const struct btf *btf, const char *tracepoint)
{
	int id = btf__find_by_name_kind(btf, tracepoint, BTF_KIND_TYPEDEF);
	const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);

	while (type && (btf_is_typedef(type) || btf_is_ptr(type)))
		type = btf__type_by_id(btf, type->type);
	return type && btf_is_func_proto(type) ? btf_vlen(type) : -1;
}

/* By the kernel's own list of them, not by its number: distributions bring helpers to older kernels. */
static bool has_helper(const struct btf *btf, const char *helper)
{
	int id = btf__find_by_name_kind(btf, "bpf_func_id", BTF_KIND_ENUM);
	const struct btf_type *list = id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);

	for (unsigned i = 0; list && i < btf_vlen(list); i++)
		if (!strcmp(btf__str_by_offset(btf, btf_enum(list)[i].name_off), helper))
			return true;
	return false;
}

static void need_kernel(const struct btf *btf)
{
	if (!btf)
		refuse("use a kernel built with CONFIG_DEBUG_INFO_BTF, as Debian's, Ubuntu's and Fedora's are",
		       "Linux %s does not describe its types (no /sys/kernel/btf/vmlinux)", kernel_release());
	if (!has_helper(btf, "BPF_FUNC_loop"))
		refuse("use Linux 5.17 or later; 6.1 and later are tried", "Linux %s is too old: it has no bpf_loop", kernel_release());
	if (call_arguments(btf, "btf_trace_sys_exit") < 0)
		refuse("use a kernel built with CONFIG_FTRACE_SYSCALLS", "Linux %s has no tracepoint of system calls", kernel_release());
}

static bool locked_down(void)
{
	FILE *state = fopen("/sys/kernel/security/lockdown", "re");
	char text[128] = "";
	bool locked = state && fgets(text, sizeof(text), state) && strstr(text, "[confidentiality]");

	if (state)
		fclose(state);
	return locked;
}

/* Everything was there and the kernel still said no. */
static void refused(int error)
{
	if (locked_down())
		refuse("boot with lockdown=integrity, which protects the kernel from writing all the same",
		       "kernel lockdown (confidentiality) forbids to read what is seen");
	if (error == EPERM)
		refuse("look for a seccomp filter or a security module that forbids the system call bpf",
		       "Linux %s does not let us load BPF programs: %s", kernel_release(), strerror(error));
	refuse("run hushwatch-sensor --check, and send what it prints to the maintainers",
	       "Linux %s refuses the programs: %s", kernel_release(), strerror(error));
}

#endif
