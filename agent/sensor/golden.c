// SPDX-License-Identifier: Apache-2.0
/* Writes one frame of every kind, each field with a value of its own, as the sensor would: the bytes that both sides are tested with. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "frame.h"

static uint8_t buffer[FRAME_MAX];
static uint32_t filled;
static uint32_t value;

static struct frame_head head(uint16_t kind)
{
	uint32_t n = value += 10;

	return (struct frame_head){ .version = FRAME_VERSION, .kind = kind, .at_ns = 1000000000000ull + n + 1, .lost = n + 2 };
}

static struct frame_actor actor(void)
{
	uint32_t n = value += 10;

	return (struct frame_actor){ .start_ns = 900000000000ull + n + 1, .pid = n + 2, .tid = n + 3, .uid = n + 4,
				     .gid = n + 5, .error = 13, .repeats = n + 6 };
}

static struct frame_object object(void)
{
	uint32_t n = value += 10;

	return (struct frame_object){ .inode = 5000000000ull + n + 1, .device = 254u << 20 | 3, .mode = 0104755, .uid = n + 2,
				      .gid = n + 3, .links = n + 4 };
}

static struct frame_credentials credentials(void)
{
	uint32_t n = value += 10;

	return (struct frame_credentials){ .real_uid = n + 1, .effective_uid = n + 2, .saved_uid = n + 3,
					   .effective_gid = n + 4, .login_uid = n + 5, .audit_session = ~0u,
					   .effective_capabilities = 0x1ffffffffff };
}

static void begin(const void *fixed, uint32_t size)
{
	memcpy(buffer, fixed, size);
	filled = size;
}

static void text(const char *bytes, uint16_t length)
{
	memcpy(buffer + filled, &length, sizeof(length));
	memcpy(buffer + filled + sizeof(length), bytes, length);
	filled += sizeof(length) + length;
}

#define TEXT(literal) text(literal, sizeof(literal) - 1)

static void end(void)
{
	memcpy(buffer, &filled, sizeof(filled));
	fwrite(buffer, 1, filled, stdout);
}

static void file(uint16_t kind, uint32_t flags)
{
	struct frame_file f = { head(kind), actor(), { 0 }, flags, 0640 };

	if (flags & FRAME_OBJECT)
		f.object = object();
	begin(&f, sizeof(f));
}

static void socket(uint16_t kind, uint16_t family, uint16_t protocol)
{
	struct frame_socket f = { .head = head(kind), .actor = actor(), .family = family, .protocol = protocol };

	if (family == 2) {
		memcpy(f.peer, (uint8_t[]){ 203, 0, 113, 7 }, 4);
		memcpy(f.local, (uint8_t[]){ 192, 0, 2, 10 }, 4);
	} else if (family == 10) {
		memcpy(f.peer, (uint8_t[]){ 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1 }, 16);
		memcpy(f.local, (uint8_t[]){ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 10 }, 16);
	}
	f.peer_port = 443;
	f.local_port = 48122;
	f.type = family == 1 ? 5 : 1;
	begin(&f, sizeof(f));
}

/* vsock: context id and port in place of an address. */
static void vsock(uint16_t kind, uint16_t flags)
{
	struct frame_socket f = { .head = head(kind), .actor = actor(), .family = 40, .type = 1, .flags = flags };

	memcpy(f.peer, (uint32_t[]){ 2, 1024 }, 8);
	memcpy(f.local, (uint32_t[]){ ~0u, 70000 }, 8);
	begin(&f, sizeof(f));
}

static void datagram(uint16_t kind, uint16_t flags)
{
	struct frame_socket f = { .head = head(kind), .actor = actor(), .peer = { 192, 0, 2, 53 }, .local = { 192, 0, 2, 10 },
				  .peer_port = 53, .local_port = 48122, .family = 2, .protocol = 17, .type = 2, .flags = flags };

	begin(&f, sizeof(f));
}

#define QUESTION "\3WwW\7example\3org\0\0\1\0\1"

static void sockets(void)
{
	struct frame_flow flow = { { .head = { 0 } }, 1280, 5000000000, 1250000000 };

	value = 20000;
	vsock(FRAME_BIND, 0), TEXT(""), end();
	datagram(FRAME_SEND, 0), TEXT(""), end();
	socket(FRAME_SEND, 1, 0), ((struct frame_socket *)buffer)->flags = SOCKET_ARGUMENT, TEXT("@hidden"), end();
	flow.socket = (struct frame_socket){ .head = head(FRAME_FLOW), .actor = actor(), .peer = { 203, 0, 113, 7 }, .local = { 192, 0, 2, 10 },
					     .peer_port = 443, .local_port = 48122, .family = 2, .protocol = 6, .type = 1,
					     .flags = SOCKET_ACCEPTED };
	begin(&flow, sizeof(flow)), end();
	socket(FRAME_SOCKET, 17, 0x0300), ((struct frame_socket *)buffer)->type = 3, TEXT(""), end();
	datagram(FRAME_DNS, 0), TEXT("\x12\x34\1\0\0\1\0\0\0\0\0\0" QUESTION), end();
	datagram(FRAME_DNS, SOCKET_ANSWER);
	TEXT("\x12\x34\x81\x80\0\1\0\2\0\0\0\0" QUESTION "\xc0\14\0\1\0\1\0\0\0\x3c\0\4\xcb\0\x71\7"
	     "\xc0\14\0\x1c\0\1\0\0\0\x3c\0\x10\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
	end();
	datagram(FRAME_DNS, SOCKET_ANSWER), TEXT("GET / HTTP/1.0\r\n"), end();
}

static void observed(void)
{
	struct frame_fork fork = { head(FRAME_FORK), actor(), 800000000001ull, 71, 0 };
	struct frame_exec exec = { head(FRAME_EXEC), actor(), 800000000002ull, 72, 3, 41, 42, 43, 44, credentials(), object(),
				   FRAME_OBJECT | FRAME_ARGS_CUT, 412 };
	struct frame_exit exit = { head(FRAME_EXIT), actor(), 3, 9 };
	struct frame_change change = { head(FRAME_CREDENTIALS), actor(), credentials() };
	struct frame_change capabilities = { head(FRAME_CAPABILITIES), actor(), credentials() };
	struct frame_trace trace = { head(FRAME_TRACE), actor(), 800000000003ull, 73, 16 };
	struct frame_named module = { head(FRAME_MODULE_LOAD), actor(), 0, 0 };
	struct frame_named bpf = { head(FRAME_BPF_LOAD), actor(), 26, 0 };

	begin(&fork, sizeof(fork)), end();
	begin(&exec, sizeof(exec));
	TEXT("/usr/bin/caf\303\251"), TEXT("/home/\377x"), TEXT("/system.slice/cron.service"), TEXT("caf\303\251\0-p\0\0"), TEXT("./run.sh"), end();
	file(FRAME_EXEC_REFUSED, FRAME_NAME), TEXT("/srv"), TEXT("./x/../run"), TEXT(""), TEXT(""), end();
	begin(&exit, sizeof(exit)), end();
	begin(&change, sizeof(change)), end();
	begin(&capabilities, sizeof(capabilities)), end();
	begin(&trace, sizeof(trace)), end();
	file(FRAME_OPEN, FRAME_OBJECT | FRAME_WRITE | FRAME_CREATED | FRAME_TRUNCATED);
	TEXT("/etc/ssh/sshd_config"), TEXT(""), TEXT(""), TEXT(""), end();
	file(FRAME_OPEN, FRAME_ARGUMENT), TEXT(""), TEXT("//etc/./shadow"), TEXT(""), TEXT(""), end();
	file(FRAME_DELETE, FRAME_NAME), TEXT("/tmp"), TEXT("a"), TEXT(""), TEXT(""), end();
	file(FRAME_RENAME, FRAME_ARGUMENT), TEXT("/tmp"), TEXT("a"), TEXT("/srv/b"), TEXT("../c"), end();
	file(FRAME_LINK, FRAME_ARGUMENT), TEXT("/tmp"), TEXT("a"), TEXT(""), TEXT("/b"), end();
	file(FRAME_SYMLINK, FRAME_NAME), TEXT(""), TEXT("../text"), TEXT("/etc"), TEXT("cron.d/x"), end();
	file(FRAME_CHMOD, FRAME_ARGUMENT), TEXT(""), TEXT("/tmp/x"), TEXT(""), TEXT(""), end();
	file(FRAME_CHOWN, FRAME_OBJECT), TEXT("/tmp/x"), TEXT(""), TEXT(""), TEXT(""), end();
	file(FRAME_MEMFD, FRAME_OBJECT), TEXT("memfd:payload"), TEXT(""), TEXT(""), TEXT(""), end();
	socket(FRAME_CONNECT, 2, 6), TEXT(""), end();
	socket(FRAME_ACCEPT, 10, 6), TEXT(""), end();
	socket(FRAME_LISTEN, 1, 0), TEXT("/run/dbus/system_bus_socket"), end();
	begin(&module, sizeof(module)), TEXT("veth"), end();
	begin(&bpf, sizeof(bpf)), TEXT("on_exit"), end();
}

static void mount(uint16_t kind, uint32_t flags, uint32_t options)
{
	struct frame_mount f = { head(kind), actor(), flags, options };

	begin(&f, sizeof(f));
}

static void files(void)
{
	value = 10000;
	struct frame_modify walked = { head(FRAME_MODIFY), actor(), object(), 6000000000ull, FRAME_OBJECT, 0 };
	struct frame_modify gone = { head(FRAME_MODIFY), actor(), object(), 1, FRAME_OBJECT, 0 };

	begin(&walked, sizeof(walked)), TEXT("/etc/ssh/sshd_config"), TEXT(""), end();
	begin(&gone, sizeof(gone)), TEXT(""), TEXT(""), end();
	file(FRAME_TRUNCATE, FRAME_OBJECT), TEXT("/tmp/x"), TEXT(""), TEXT(""), TEXT(""), end();
	file(FRAME_XATTR, FRAME_ARGUMENT), TEXT("/usr"), TEXT("bin/ping"), TEXT(""), TEXT("security.capability"), end();
	file(FRAME_OPEN, FRAME_NAME | FRAME_NODE), TEXT("/dev"), TEXT("sda"), TEXT(""), TEXT(""), end();
	mount(FRAME_MOUNT, 0, 3), TEXT(""), TEXT("tmpfs"), TEXT("/mnt"), TEXT(""), TEXT("tmpfs"), end();
	mount(FRAME_UNMOUNT, FRAME_NAME, 0), TEXT(""), TEXT(""), TEXT("/srv"), TEXT("../mnt"), TEXT(""), end();
	mount(FRAME_PIVOT_ROOT, FRAME_ARGUMENT, 0), TEXT("/"), TEXT("new"), TEXT("/"), TEXT("new/old"), TEXT(""), end();
}

static void target(uint16_t kind, uint32_t uid, uint32_t what, uint32_t more)
{
	struct frame_target f = { head(kind), actor(), 800000000004ull, 74, uid, what, more };

	begin(&f, sizeof(f)), end();
}

static void named(uint16_t kind, uint32_t type, uint32_t number)
{
	struct frame_named f = { head(kind), actor(), type, number };

	begin(&f, sizeof(f));
}

static void privilege(void)
{
	struct frame_memory memory, image;
	struct frame_namespace namespace;

	value = 30000;
	target(FRAME_ACCESS, 1000, ACCESS_WRITE, 0);
	target(FRAME_SIGNAL, ~0u, 9, 0);
	memory = (struct frame_memory){ head(FRAME_MEMORY), actor(), { 0 }, 8192, MEMORY_STACK, FRAME_WRITE };
	begin(&memory, sizeof(memory)), TEXT(""), end();
	image = (struct frame_memory){ head(FRAME_IMAGE), actor(), object(), 4096, MEMORY_FILE, FRAME_OBJECT };
	begin(&image, sizeof(image)), TEXT("/tmp/hook.so"), end();
	namespace = (struct frame_namespace){ head(FRAME_NAMESPACE), actor(), 51, 52, 53, 54, 0x10020000, NAMESPACE_UNSHARED };
	begin(&namespace, sizeof(namespace)), end();
	named(FRAME_KEY, KEY_ADD, 0), TEXT("logon"), end();
}

static void kernel(void)
{
	value = 40000;
	named(FRAME_MODULE_UNLOAD, 0, 0), TEXT("veth"), end();
	named(FRAME_BPF_OBJECT, 6, 27), TEXT("events"), TEXT("/sys/fs/bpf"), TEXT("./pinned"), end();
	file(FRAME_KEXEC, FRAME_OBJECT), TEXT("/boot/vmlinuz"), TEXT(""), TEXT(""), TEXT(""), end();
	named(FRAME_IO_URING, 0, 2), TEXT(""), TEXT(""), end();
	named(FRAME_IO_URING, 19, 0), TEXT("/srv"), TEXT("../etc/x"), end();
	named(FRAME_IO_URING, 36, 0), TEXT("/srv"), TEXT("a"), TEXT(""), TEXT("/b"), end();
	target(FRAME_PERF, 0, 1, ~0u);
}

static void lineage(void)
{
	struct frame_exec process, thread;

	value = 50000;
	process = (struct frame_exec){ head(FRAME_PROCESS), actor(), 800000000004ull, 74, 0, 51, 52, 53, 54, credentials(), object(),
				       FRAME_OBJECT, 0 };
	thread = (struct frame_exec){ head(FRAME_PROCESS), actor(), 0, 0, 0, 51, 52, 53, 54, credentials(), { 0 }, 0, 0 };
	begin(&process, sizeof(process));
	TEXT("/usr/sbin/sshd"), TEXT("/"), TEXT("/system.slice/ssh.service"), TEXT("sshd\0-D\0"), TEXT(""), end();
	begin(&thread, sizeof(thread)), TEXT(""), TEXT(""), TEXT(""), TEXT(""), TEXT(""), end();
}

int main(void)
{
	struct frame_hello hello = { head(FRAME_HELLO), 0x0123456789abcdefull };
	struct frame_counters counters = { .head = head(FRAME_COUNTERS), .unread = 7 };

	for (unsigned class = 0; class < CLASS_COUNT; class++)
		counters.classes[class] = (struct class_counters){ 1000 * class + 10, 1000 * class + 4, 3, 2, 1 };
	begin(&hello, sizeof(hello)), TEXT("0.1.0"), end();
	begin(&counters, sizeof(counters)), end();
	observed();
	files();
	sockets();
	privilege();
	kernel();
	lineage();
	return 0;
}
