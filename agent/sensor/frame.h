/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause OR GPL-2.0 */
/*
 * Frames: what the sensor says to the agent. Little-endian, fixed part first, then strings. The second contract of Hushwatch;
 * agent/sources/frames.ts reads it, and `make check` holds both to the same golden bytes.
 *
 * A string is its length (u16) and its bytes, without terminator. A path is two strings, directory and name:
 *	the kernel walked it	directory = the whole path, name empty
 *	as the kernel used it	FRAME_NAME; directory = what a relative name starts from (walked), name = the kernel's copy of it
 *	as the caller said it	FRAME_ARGUMENT; the same, but the name, or the directory, can have changed since the kernel used it
 * A walked path that was too long begins with "..." instead of "/".
 */
#ifndef HUSHWATCH_FRAME_H
#define HUSHWATCH_FRAME_H

#include <linux/types.h>

#define FRAME_VERSION 2
#define FRAME_MAX 16384

enum frame_kind {
	FRAME_HELLO = 1,
	FRAME_COUNTERS,
	FRAME_FORK,
	FRAME_EXEC,
	FRAME_EXEC_REFUSED,
	FRAME_EXIT,
	FRAME_CREDENTIALS,
	FRAME_CAPABILITIES,
	FRAME_TRACE,
	FRAME_OPEN,
	FRAME_DELETE,
	FRAME_RENAME,
	FRAME_LINK,
	FRAME_SYMLINK,
	FRAME_CHMOD,
	FRAME_CHOWN,
	FRAME_MEMFD,
	FRAME_CONNECT,
	FRAME_ACCEPT,
	FRAME_LISTEN,
	FRAME_MODULE_LOAD,
	FRAME_BPF_LOAD,
	/* files */
	FRAME_MODIFY,		/* a written file was closed */
	FRAME_TRUNCATE,
	FRAME_XATTR,
	FRAME_MOUNT,
	FRAME_UNMOUNT,
	FRAME_PIVOT_ROOT,
	/* sockets */
	FRAME_BIND,
	FRAME_SEND,		/* first datagram to a peer */
	FRAME_FLOW,		/* a connection ended */
	FRAME_SOCKET,		/* raw and packet sockets */
	FRAME_DNS,
	/* processes and privilege */
	FRAME_ACCESS,		/* process_vm_*, pidfd_getfd */
	FRAME_SIGNAL,
	FRAME_MEMORY,		/* made executable */
	FRAME_IMAGE,		/* mapped executable from an unusual place */
	FRAME_NAMESPACE,
	FRAME_KEY,
	/* kernel */
	FRAME_MODULE_UNLOAD,
	FRAME_BPF_OBJECT,	/* map, pin, link, attach */
	FRAME_KEXEC,
	FRAME_IO_URING,
	FRAME_PERF,
	/* no event: a process that lives, told in full once to each agent that connects, and again after losses */
	FRAME_PROCESS,
};

enum frame_class {
	CLASS_FILE,
	CLASS_NETWORK,
	CLASS_PROCESS,
	CLASS_KERNEL,
	CLASS_PRIVILEGE,
	CLASS_COUNT,
};

enum frame_flag {
	FRAME_ARGUMENT = 1 << 0,	/* the path is what the caller said */
	FRAME_OBJECT = 1 << 1,		/* `object` is filled in */
	FRAME_WRITE = 1 << 2,
	FRAME_CREATED = 1 << 3,
	FRAME_TRUNCATED = 1 << 4,	/* the open emptied the file */
	FRAME_ARGS_CUT = 1 << 5,	/* more arguments than fit */
	FRAME_NODE = 1 << 6,		/* open: made, and not opened (mkdir, mknod); `value` is its mode, type included */
	FRAME_NAME = 1 << 7,		/* the path is the name that the kernel used */
};

enum socket_flag {
	SOCKET_ARGUMENT = 1 << 0,	/* the peer (of a bind: the own address) is what the caller said */
	SOCKET_ACCEPTED = 1 << 1,	/* of a flow: the other side began it */
	SOCKET_ANSWER = 1 << 2,		/* of DNS: the message was received */
};

struct frame_head {
	__u32 size;		/* of the whole frame */
	__u16 version;
	__u16 kind;
	__u64 at_ns;		/* CLOCK_BOOTTIME */
	__u64 lost;		/* events lost so far, all classes */
};

/* Of every frame that a process caused. */
struct frame_actor {
	__u64 start_ns;		/* of the process: with pid, one process for ever */
	__u32 pid;
	__u32 tid;
	__u32 uid;		/* effective */
	__u32 gid;
	__u32 error;		/* errno of a refused operation */
	__u32 repeats;		/* identical ones merged into this one since the last */
};

struct frame_object {
	__u64 inode;
	__u32 device;		/* major << 20 | minor */
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 links;
	__u32 zero;
};

struct frame_credentials {
	__u32 real_uid;
	__u32 effective_uid;
	__u32 saved_uid;
	__u32 effective_gid;
	__u32 login_uid;
	__u32 audit_session;
	__u64 effective_capabilities;
};

/* hello: string version */
struct frame_hello {
	struct frame_head head;
	__u64 instance;		/* new each time the programs are loaded */
};

struct class_counters {
	__u64 seen;
	__u64 emitted;
	__u64 merged;
	__u64 sampled;
	__u64 lost;
};

/* Emitted counts the frames that stand before this one in the stream; seen is the sum of the others. */
struct frame_counters {
	struct frame_head head;
	__u32 unread;		/* 32-bit socketcalls whose arguments could not be read */
	__u32 last;		/* 1: a goodbye, nothing follows; who is killed says none */
	struct class_counters classes[CLASS_COUNT];
};

/* fork: the actor is the child */
struct frame_fork {
	struct frame_head head;
	struct frame_actor actor;
	__u64 parent_start_ns;
	__u32 parent_pid;
	__u32 zero;
};

/*
 * exec, process: strings executable, working directory, cgroup, arguments (each ended by NUL), script (what was asked for when that
 * is no program by itself: its first line named the executable; a description does not know). A process that is no program (a
 * kernel thread) has an empty executable and no FRAME_OBJECT.
 */
struct frame_exec {
	struct frame_head head;
	struct frame_actor actor;
	__u64 parent_start_ns;
	__u32 parent_pid;
	__u32 args_count;
	__u32 mnt_namespace;
	__u32 pid_namespace;
	__u32 net_namespace;
	__u32 user_namespace;
	struct frame_credentials credentials;
	struct frame_object object;
	__u32 flags;
	__u32 domain;		/* SELinux: the kernel's number of what the process may do; 0 where there is none, or it is not known */
};

struct frame_exit {
	struct frame_head head;
	struct frame_actor actor;
	__u32 code;
	__u32 signal;
};

/* credentials, capabilities: as they are afterwards */
struct frame_change {
	struct frame_head head;
	struct frame_actor actor;
	struct frame_credentials credentials;
};

/* trace: of a TRACEME the target is the tracer */
struct frame_trace {
	struct frame_head head;
	struct frame_actor actor;
	__u64 target_start_ns;
	__u32 target_pid;
	__u32 request;
};

/*
 * exec-refused, open, delete, rename, link, symlink, chmod, chown, memfd, truncate, xattr, kexec: path, second path. Of a
 * symlink the first is its text; of an xattr the second is the attribute's name, and `value` 1 where it was removed.
 */
struct frame_file {
	struct frame_head head;
	struct frame_actor actor;
	struct frame_object object;
	__u32 flags;
	__u32 value;		/* mode or owner that was asked for; of a kexec 1: from a file */
};

/* modify: path, empty where the kernel's object was gone; `bytes` also of the merged ones */
struct frame_modify {
	struct frame_head head;
	struct frame_actor actor;
	struct frame_object object;
	__u64 bytes;
	__u32 flags;
	__u32 zero;
};

/* mount, unmount, pivot-root: paths of the source (the new root) and of the target; string type of the file system */
struct frame_mount {
	struct frame_head head;
	struct frame_actor actor;
	__u32 flags;
	__u32 options;		/* as mount(2) has them */
};

/*
 * connect, accept, listen, bind, send, socket: path of a Unix socket (one string; "@" begins an abstract name).
 * dns: the message, as far as it was kept. Of vsock an address is a context id and a port, both u32.
 */
struct frame_socket {
	struct frame_head head;
	struct frame_actor actor;
	__u8 peer[16];
	__u8 local[16];
	__u16 peer_port;
	__u16 local_port;
	__u16 family;
	__u16 protocol;
	__u16 type;
	__u16 flags;
	__u32 zero;
};

struct frame_flow {
	struct frame_socket socket;
	__u64 sent;		/* payload, each byte once */
	__u64 received;
	__u64 lasted_ns;
};

/* access, signal, perf: what was done to which process; target_start_ns 0: by number only, the process was not found */
struct frame_target {
	struct frame_head head;
	struct frame_actor actor;
	__u64 target_start_ns;
	__u32 target_pid;
	__u32 target_uid;	/* real; ~0 where unknown */
	__u32 what;		/* enum access, signal number, type of a perf event */
	__u32 more;		/* processor of a perf event, ~0 for all */
};

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_DESCRIPTOR, ACCESS_HANDLE };

/* memory, image: path of what is mapped, as one string */
struct frame_memory {
	struct frame_head head;
	struct frame_actor actor;
	struct frame_object object;
	__u64 bytes;
	__u32 memory;		/* enum memory */
	__u32 flags;		/* FRAME_OBJECT; FRAME_WRITE: it may be written while it may be executed */
};

enum memory { MEMORY_UNKNOWN, MEMORY_ANONYMOUS, MEMORY_FILE, MEMORY_STACK, MEMORY_HEAP };

/* namespace: where the process is afterwards */
struct frame_namespace {
	struct frame_head head;
	struct frame_actor actor;
	__u32 mnt;
	__u32 pid;		/* of its children */
	__u32 net;
	__u32 user;
	__u32 types;		/* CLONE_NEW* that were entered */
	__u32 how;		/* enum namespace_change */
};

enum namespace_change { NAMESPACE_JOINED, NAMESPACE_UNSHARED, NAMESPACE_BORN };

/* Beside the numbers of keyctl(2): calls of their own. */
enum key_call { KEY_ADD = 1000, KEY_REQUEST };

/* module-load, module-unload, bpf-load, key: string name. bpf-object: `type` the command; strings name, path (as of a file).
 * io-uring: `type` 0 made, else opcode + 1; `value` flags of a ring that was made; strings path, of a rename or link a second
 * path. With an error: it was refused, whatever it named. */
struct frame_named {
	struct frame_head head;
	struct frame_actor actor;
	__u32 type;
	__u32 value;		/* bpf-object: type of the map, program or link */
};

_Static_assert(sizeof(struct frame_head) == 24, "frame layout is a contract");
_Static_assert(sizeof(struct frame_actor) == 32, "frame layout is a contract");
_Static_assert(sizeof(struct frame_object) == 32, "frame layout is a contract");
_Static_assert(sizeof(struct frame_credentials) == 32, "frame layout is a contract");
_Static_assert(sizeof(struct frame_hello) == 32, "frame layout is a contract");
_Static_assert(sizeof(struct frame_counters) == 32 + 40 * CLASS_COUNT, "frame layout is a contract");
_Static_assert(sizeof(struct frame_fork) == 72, "frame layout is a contract");
_Static_assert(sizeof(struct frame_exec) == 160, "frame layout is a contract");
_Static_assert(sizeof(struct frame_exit) == 64, "frame layout is a contract");
_Static_assert(sizeof(struct frame_change) == 88, "frame layout is a contract");
_Static_assert(sizeof(struct frame_trace) == 72, "frame layout is a contract");
_Static_assert(sizeof(struct frame_file) == 96, "frame layout is a contract");
_Static_assert(sizeof(struct frame_modify) == 104, "frame layout is a contract");
_Static_assert(sizeof(struct frame_mount) == 64, "frame layout is a contract");
_Static_assert(sizeof(struct frame_socket) == 104, "frame layout is a contract");
_Static_assert(sizeof(struct frame_flow) == 128, "frame layout is a contract");
_Static_assert(sizeof(struct frame_named) == 64, "frame layout is a contract");
_Static_assert(sizeof(struct frame_target) == 80, "frame layout is a contract");
_Static_assert(sizeof(struct frame_memory) == 104, "frame layout is a contract");
_Static_assert(sizeof(struct frame_namespace) == 80, "frame layout is a contract");

#endif
