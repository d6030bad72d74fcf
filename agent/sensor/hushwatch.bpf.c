// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * The sensor's kernel half. Read this file first: what is seen, where, and what is told about it.
 *
 *	fork, exec, exit, module load	each at its own tracepoint
 *	system calls			all at sys_exit, which leaves after one table look-up (calls.h) for those that do not matter
 *
 * A handler decides whether its event counts, asks admit() (economy.h), builds the record from the end to the beginning
 * (record.h), and emits it. What it tells comes from kernel objects; where none is left at the exit of a call (the path of an
 * unlink), the argument is read and marked as such.
 */
#define HUSHWATCH_KERNEL_HALF
#include "arch.h"
#include <asm-generic/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "economy.h"
#include "watch.h"
#include "calls.h"

#define AT_FDCWD -100
#define O_ACCMODE 3
#define O_TRUNC 01000
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define PTRACE_TRACEME 0
#define PTRACE_POKETEXT 4
#define PTRACE_POKEUSR 6
#define PTRACE_SETREGS 13
#define PTRACE_SETFPREGS 15
#define PTRACE_ATTACH 16
#define PTRACE_SETREGSET 0x4205
#define PTRACE_SEIZE 0x4206
#define BPF_PROG_LOAD_COMMAND 5

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct call calls[CALL_LIMIT] = CALLS;
const volatile struct call compat_calls[CALL_LIMIT] = COMPAT_CALLS;

/* ---- What is told about a process ---- */

static __always_inline void fill_object(struct frame_object *object, struct inode *inode)
{
	struct super_block *super = GET(inode, i_sb);

	object->inode = GET(inode, i_ino);
	object->device = GET(super, s_dev);
	object->mode = GET(inode, i_mode);
	object->uid = GET(inode, i_uid.val);
	object->gid = GET(inode, i_gid.val);
	object->links = GET(inode, i_nlink);
	object->zero = 0;
}

static __always_inline void fill_credentials(struct frame_credentials *to, struct task_struct *task)
{
	const struct cred *cred = task->cred;
	__u64 capabilities = 0;

	bpf_core_read(&capabilities, sizeof(capabilities), &cred->cap_effective);
	to->real_uid = cred->uid.val;
	to->effective_uid = cred->euid.val;
	to->saved_uid = cred->suid.val;
	to->effective_gid = cred->egid.val;
	to->effective_capabilities = capabilities;
	to->login_uid = bpf_core_field_exists(task->loginuid) ? task->loginuid.val : ~0u;
	to->audit_session = bpf_core_field_exists(task->sessionid) ? task->sessionid : ~0u;
}

static __always_inline __u32 pid_namespace_of(struct task_struct *task)
{
	struct pid *pid = task->thread_pid;
	struct pid_namespace *namespace = 0;
	__u32 level = pid->level;

	bpf_core_read(&namespace, sizeof(namespace), (void *)&pid->numbers[0].ns + level * bpf_core_type_size(struct upid));
	return namespace ? GET(namespace, ns.inum) : 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *forker, struct task_struct *child)
{
	struct frame_fork *f;
	struct record r;
	struct event e;

	if (child->pid != child->tgid || !class_watched(CLASS_PROCESS) || !event_begin(&e, CLASS_PROCESS))
		return 0;
	if (!admit(&e, 0, true))
		return 0;
	if (!record_begin(&r, e.processor)) {
		give_up(&e);
		return 0;
	}
	f = PUSH_FIXED(&r, struct frame_fork);
	fill_actor(&f->actor, child, 0, 0);
	f->parent_start_ns = child->real_parent->group_leader->start_boottime;
	f->parent_pid = child->real_parent->tgid;
	f->zero = 0;
	emit(&e, &r, FRAME_FORK);
	return 0;
}

/* The new program's arguments lie in its own, freshly written stack: whatever the caller did to its copy is past. */
static __always_inline bool push_arguments(struct record *r, struct task_struct *task)
{
	unsigned long start = task->mm->arg_start, end = task->mm->arg_end;
	__u32 length = end - start < ARGS_BYTES ? end - start : ARGS_BYTES - 1, stop = r->at;

	r->at -= length;
	if (bpf_probe_read_user(AT(r), length & (ARGS_BYTES - 1), (void *)start)) {
		r->at = stop;
		string_end(r, stop);
		return false;
	}
	string_end(r, stop);
	return length == end - start;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old, struct linux_binprm *bprm)
{
	struct file *file = bprm->file;
	struct nsproxy *namespaces = task->nsproxy;
	struct frame_exec *f;
	struct record r;
	struct event e;
	bool whole;

	if (!class_watched(CLASS_PROCESS) || !event_begin(&e, CLASS_PROCESS) || !admit(&e, 0, false))
		return 0;
	if (!record_begin(&r, e.processor)) {
		give_up(&e);
		return 0;
	}
	whole = push_arguments(&r, task);
	push_cgroup(&r, e.processor, task->cgroups->dfl_cgrp->kn);
	push_path(&r, e.processor, task->fs, task->fs->pwd.dentry, task->fs->pwd.mnt);
	push_path(&r, e.processor, task->fs, GET(file, f_path.dentry), GET(file, f_path.mnt));

	f = PUSH_FIXED(&r, struct frame_exec);
	fill_actor(&f->actor, task, 0, 0);
	fill_credentials(&f->credentials, task);
	fill_object(&f->object, GET(file, f_inode));
	f->parent_start_ns = task->real_parent->group_leader->start_boottime;
	f->parent_pid = task->real_parent->tgid;
	f->args_count = bprm->argc;
	f->mnt_namespace = namespaces->mnt_ns->ns.inum;
	f->net_namespace = namespaces->net_ns->ns.inum;
	f->user_namespace = task->cred->user_ns->ns.inum;
	f->pid_namespace = pid_namespace_of(task);
	f->flags = FRAME_OBJECT | (whole ? 0 : FRAME_ARGS_CUT);
	f->zero = 0;
	emit(&e, &r, FRAME_EXEC);
	return 0;
}

static __always_inline int process_ended(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct frame_exit *f;
	struct record r;
	struct event e;
	int code;

	if (!class_watched(CLASS_PROCESS) || !event_begin(&e, CLASS_PROCESS) || !admit(&e, 0, false))
		return 0;
	if (!record_begin(&r, e.processor)) {
		give_up(&e);
		return 0;
	}
	code = task->signal->flags & SIGNAL_GROUP_EXIT ? task->signal->group_exit_code : leader->exit_code;
	f = PUSH_FIXED(&r, struct frame_exit);
	fill_actor(&f->actor, task, 0, 0);
	f->code = code >> 8 & 0xff;
	f->signal = code & 0x7f;
	emit(&e, &r, FRAME_EXIT);
	return 0;
}

/* Since Linux 6.15 the kernel says itself which thread was the last. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task, bool group_dead)
{
	return group_dead ? process_ended(task) : 0;
}

/* Before, two last threads may both find nobody else alive; the first to say so reports. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} ended SEC(".maps");

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit_before, struct task_struct *task)
{
	__u64 start = task->group_leader->start_boottime, key = mix(start, task->tgid);

	if (task->signal->live.counter || bpf_map_update_elem(&ended, &key, &start, BPF_NOEXIST))
		return 0;
	return process_ended(task);
}

static __always_inline int named(struct event *e, const char *name, __u32 limit, __u32 kind, __u32 type, __u32 error)
{
	struct frame_named *f;
	struct record r;

	if (!record_begin(&r, e->processor)) {
		give_up(e);
		return 0;
	}
	if (name)
		push_kernel_string(&r, e->processor->text, name, limit);
	else
		push_empty(&r);
	f = PUSH_FIXED(&r, struct frame_named);
	fill_actor(&f->actor, e->task, error, e->repeats);
	f->type = type;
	f->zero = 0;
	emit(e, &r, kind);
	return 0;
}

SEC("tp_btf/module_load")
int BPF_PROG(on_module_load, struct module *module)
{
	struct event e;

	if (!class_watched(CLASS_KERNEL) || !event_begin(&e, CLASS_KERNEL) || !admit(&e, 0, true))
		return 0;
	return named(&e, module->name, sizeof(module->name), FRAME_MODULE_LOAD, 0, 0);
}

/* ---- System calls ---- */

struct made_call {
	struct pt_regs *regs;
	struct event event;
	struct call what;
	bool compat;
	__u32 error;
	long result;
};

static __always_inline __u64 argument(struct made_call *c, __u32 n)
{
	return call_argument(c->regs, c->compat, n);
}

/* False: the event is not for us. Everything before this is what each system call of the machine costs. */
static __always_inline bool call_begin(struct made_call *c, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 number = call_number(regs);

	if (number >= CALL_LIMIT)
		return false;
	c->regs = regs;
	c->result = result;
	c->error = result < 0 && result != -EINPROGRESS ? -result : 0;
	c->compat = call_is_compat(task);
	__builtin_memcpy(&c->what, (const void *)(c->compat ? &compat_calls[number] : &calls[number]), sizeof(c->what));
	if (c->what.class >= CLASS_COUNT || !class_watched(c->what.class))
		return false;
	if (c->what.class <= CLASS_NETWORK && is_excluded(task->tgid))
		return false;
	return event_begin(&c->event, c->what.class);
}

static __always_inline struct file *file_of(struct task_struct *task, __u32 descriptor)
{
	struct fdtable *table = task->files->fdt;

	return descriptor < table->max_fds ? (void *)load64(table->fd + descriptor) : 0;
}

#define HANDLER(name) SEC("tp_btf/sys_exit") int BPF_PROG(name, struct pt_regs *regs, long result)

/* A path as the caller said it: the argument, before it the directory that a relative one starts from. */
static __always_inline void push_argument_path(struct made_call *c, struct record *r, __u32 base, __u32 path)
{
	struct task_struct *task = c->event.task;
	struct dentry *dentry = task->fs->pwd.dentry;
	struct vfsmount *mnt = task->fs->pwd.mnt;
	char *text = c->event.processor->text;
	struct file *file;
	__u32 length;

	if (path == NONE) {
		push_empty(r);
		push_empty(r);
		return;
	}
	length = push_user_string(r, text, (void *)argument(c, path));
	if (length && text[0] == '/') {
		push_empty(r);
		return;
	}
	if (base != NONE && (__s32)argument(c, base) != AT_FDCWD) {
		file = file_of(task, argument(c, base));
		if (!file) {
			push_empty(r);
			return;
		}
		dentry = GET(file, f_path.dentry);
		mnt = GET(file, f_path.mnt);
	}
	push_path(r, c->event.processor, task->fs, dentry, mnt);
}

static __always_inline void emit_file(struct made_call *c, struct record *r, struct inode *inode, __u32 flags, __u32 value)
{
	struct frame_file *f = PUSH_FIXED(r, struct frame_file);

	if (inode) {
		fill_object(&f->object, inode);
		flags |= FRAME_OBJECT;
	} else {
		__builtin_memset(&f->object, 0, sizeof(f->object));
	}
	fill_actor(&f->actor, c->event.task, c->error, c->event.repeats);
	f->flags = flags;
	f->value = value;
	emit(&c->event, r, c->what.kind);
}

static __always_inline __u64 open_flags(struct made_call *c)
{
	__u64 flags = 0;

	switch (c->what.meaning) {
	case CREAT:
		return O_TRUNC | 1;
	case HOW:
		bpf_probe_read_user(&flags, sizeof(flags), (void *)argument(c, c->what.value));
		return flags;
	}
	return argument(c, c->what.value);
}

static __always_inline int open_refused(struct made_call *c)
{
	__u64 flags = open_flags(c);
	struct record r;

	if (!admit(&c->event, 0, true))
		return 0;
	if (!record_begin(&r, c->event.processor)) {
		give_up(&c->event);
		return 0;
	}
	push_empty(&r);
	push_empty(&r);
	push_argument_path(c, &r, c->what.base, c->what.path);
	emit_file(c, &r, 0, FRAME_ARGUMENT | (flags & O_ACCMODE ? FRAME_WRITE : 0) | (flags & O_TRUNC ? FRAME_TRUNCATED : 0), 0);
	return 0;
}

static __always_inline __u64 file_identity(struct made_call *c, struct dentry *dentry, struct inode *inode, __u32 flags)
{
	__u64 process = process_identity(c->event.task, c->what.kind, flags);

	/* The name's hash is salted with its directory: a file renamed or made anew is another object. */
	return mix(mix(mix(process, as_number(c->event.processor, dentry)), GET(dentry, d_name.hash_len)), GET(inode, i_ino)) | 1;
}

static __always_inline int open_for_write(struct made_call *c, struct file *file, struct dentry *dentry, __u32 mode)
{
	struct inode *inode = GET(file, f_inode);
	__u32 flags = mode & FMODE_WRITE ? FRAME_WRITE : 0;
	__u64 identity = 0;
	struct record r;

	if (open_flags(c) & O_TRUNC)
		flags |= FRAME_TRUNCATED;
	if (mode & FMODE_CREATED)
		flags |= FRAME_CREATED;
	else
		identity = file_identity(c, dentry, inode, flags);
	if (!admit(&c->event, identity, true))
		return 0;
	if (!record_begin(&r, c->event.processor)) {
		give_up(&c->event);
		return 0;
	}
	push_empty(&r);
	push_empty(&r);
	push_empty(&r);
	push_path(&r, c->event.processor, c->event.task->fs, dentry, GET(file, f_path.mnt));
	emit_file(c, &r, inode, flags, 0);
	return 0;
}

static __always_inline int open_for_read(struct made_call *c, struct file *file, struct dentry *dentry)
{
	struct inode *inode = GET(file, f_inode);
	struct record r;
	__u32 end;

	if (!record_begin(&r, c->event.processor))
		return 0;
	push_empty(&r);
	push_empty(&r);
	push_empty(&r);
	end = r.at;
	push_path(&r, c->event.processor, c->event.task->fs, dentry, GET(file, f_path.mnt));
	if (!is_watched(c->event.processor, AT(&r) + 2, end - r.at - 2, dentry) ||
	    !admit(&c->event, file_identity(c, dentry, inode, 0), true)) {
		record_end(c->event.processor);
		return 0;
	}
	emit_file(c, &r, inode, 0, 0);
	return 0;
}

static __always_inline bool is_null_device(struct file *file)
{
	struct inode *inode = GET(file, f_inode);

	return (GET(inode, i_mode) & S_IFMT) == S_IFCHR && GET(inode, i_rdev) == DEVICE_NULL;
}

/* Most opens are to read what nobody watches: they leave before anything else is looked at. */
HANDLER(open_ended)
{
	struct dentry *dentry;
	struct made_call c;
	struct file *file;
	__u32 mode;
	bool read;

	if (result < 0)
		return call_begin(&c, regs, result) ? open_refused(&c) : 0;
	file = file_of(bpf_get_current_task_btf(), result);
	if (!file)
		return 0;
	mode = GET(file, f_mode);
	dentry = GET(file, f_path.dentry);
	read = !(mode & (FMODE_WRITE | FMODE_CREATED));
	if (mode & FMODE_PATH || (read ? !may_be_watched(dentry) : is_null_device(file)) || !call_begin(&c, regs, result))
		return 0;
	return read ? open_for_read(&c, file, dentry) : open_for_write(&c, file, dentry, mode);
}

HANDLER(path_ended)
{
	struct made_call c;
	struct record r;

	if (!call_begin(&c, regs, result) || (c.what.kind == FRAME_EXEC_REFUSED && result >= 0))
		return 0;
	if (!admit(&c.event, 0, true))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	push_argument_path(&c, &r, c.what.base2, c.what.path2);
	if (c.what.kind == FRAME_SYMLINK) {
		push_user_string(&r, c.event.processor->text, (void *)argument(&c, c.what.path));
		push_empty(&r);
	} else {
		push_argument_path(&c, &r, c.what.base, c.what.path);
	}
	emit_file(&c, &r, 0, FRAME_ARGUMENT, argument(&c, c.what.value));
	return 0;
}

HANDLER(descriptor_ended)
{
	struct dentry *dentry;
	struct inode *inode;
	struct made_call c;
	struct file *file;
	struct record r;
	__u32 value;

	if (!call_begin(&c, regs, result))
		return 0;
	file = file_of(c.event.task, argument(&c, 0));
	if (!file)
		return 0;
	value = argument(&c, c.what.value);
	inode = GET(file, f_inode);
	dentry = GET(file, f_path.dentry);
	if (!admit(&c.event, mix(file_identity(&c, dentry, inode, c.error), value), true))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	push_empty(&r);
	push_empty(&r);
	push_empty(&r);
	push_path(&r, c.event.processor, c.event.task->fs, dentry, GET(file, f_path.mnt));
	emit_file(&c, &r, inode, 0, value);
	return 0;
}

HANDLER(memfd_ended)
{
	struct dentry *dentry;
	struct made_call c;
	struct file *file;
	struct record r;
	__u32 end;

	if (!call_begin(&c, regs, result) || result < 0)
		return 0;
	file = file_of(c.event.task, result);
	if (!file || !admit(&c.event, 0, true))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	dentry = GET(file, f_path.dentry);
	push_empty(&r);
	push_empty(&r);
	push_empty(&r);
	end = r.at;
	push_bytes(&r, GET(dentry, d_name.name), GET(dentry, d_name.len) & 0xff);
	string_end(&r, end);
	emit_file(&c, &r, GET(file, f_inode), 0, 0);
	return 0;
}

/* ---- Sockets ---- */

struct socket_address {
	__u16 family;
	union {
		struct {
			__u16 port;
			__u32 v4;
		};
		struct {
			__u16 port6;
			__u32 flow;
			__u8 v6[16];
		};
	};
};

static __always_inline struct sock *sock_of(struct task_struct *task, __u32 descriptor)
{
	struct file *file = file_of(task, descriptor);
	struct inode *inode = file ? GET(file, f_inode) : 0;
	struct socket *socket;

	if (!inode || (GET(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = GET(file, private_data);
	return socket ? GET(socket, sk) : 0;
}

/* The Unix socket that bears the name: for connect the other side, else the own one. */
static __always_inline struct unix_sock *named_unix_sock(struct sock *sock, __u32 kind)
{
	struct unix_sock *unix = (void *)sock;

	return kind == FRAME_CONNECT ? (void *)GET(unix, peer) : unix;
}

static __always_inline void push_unix_path(struct made_call *c, struct record *r, struct unix_sock *unix)
{
	struct unix_address *address = unix ? GET(unix, addr) : 0;
	struct dentry *dentry = unix ? GET(unix, path.dentry) : 0;
	__u32 end = r->at;
	int length;

	if (dentry) {
		push_path(r, c->event.processor, c->event.task->fs, dentry, GET(unix, path.mnt));
		return;
	}
	length = address ? GET(address, len) - 3 : 0;	/* family and the zero that makes it abstract */
	if (length > 0 && length < 108) {
		push_bytes(r, (void *)address + bpf_core_field_offset(struct unix_address, name) + 3, length & 0x7f);
		r->at--;
		*AT(r) = '@';
	}
	string_end(r, end);
}

static __always_inline void fill_inet(struct frame_socket *f, struct sock *sock, __u32 kind)
{
	f->local_port = GET(sock, __sk_common.skc_num);
	f->peer_port = kind == FRAME_LISTEN ? 0 : __builtin_bswap16(GET(sock, __sk_common.skc_dport));
	if (f->family == AF_INET) {
		*(__u32 *)f->local = GET(sock, __sk_common.skc_rcv_saddr);
		*(__u32 *)f->peer = kind == FRAME_LISTEN ? 0 : GET(sock, __sk_common.skc_daddr);
	} else if (bpf_core_field_exists(sock->__sk_common.skc_v6_daddr)) {
		bpf_core_read(f->local, sizeof(f->local), &sock->__sk_common.skc_v6_rcv_saddr);
		if (kind != FRAME_LISTEN)
			bpf_core_read(f->peer, sizeof(f->peer), &sock->__sk_common.skc_v6_daddr);
	}
}

/* A connect that was refused has left nothing in the socket: all that is known is whom it asked for. */
static __always_inline void fill_asked_for(struct frame_socket *f, const void *address)
{
	struct socket_address asked = {};

	bpf_probe_read_user(&asked, sizeof(asked), address);
	f->peer_port = __builtin_bswap16(asked.port);
	if (f->family == AF_INET)
		*(__u32 *)f->peer = asked.v4;
	else
		__builtin_memcpy(f->peer, asked.v6, sizeof(f->peer));
}

static __always_inline __u64 socket_identity(struct made_call *c, struct sock *sock, struct unix_sock *unix, __u32 family)
{
	__u64 identity = process_identity(c->event.task, c->what.kind, c->error);

	if (c->error)
		return 0;
	if (family == AF_INET) {
		identity = mix(identity, (__u64)GET(sock, __sk_common.skc_daddr) << 32 | GET(sock, __sk_common.skc_dport));
	} else if (family == AF_INET6) {
		__u64 peer[2] = {};

		if (bpf_core_field_exists(sock->__sk_common.skc_v6_daddr))
			bpf_core_read(peer, sizeof(peer), &sock->__sk_common.skc_v6_daddr);
		identity = mix(mix(mix(identity, peer[0]), peer[1]), GET(sock, __sk_common.skc_dport));
	} else if (family == AF_UNIX && unix) {
		identity = mix(identity, as_number(c->event.processor, GET(unix, addr)));
	} else {
		return 0;
	}
	if (c->what.kind != FRAME_CONNECT)
		identity = mix(identity, GET(sock, __sk_common.skc_num));
	return mix(identity, (__u64)GET(sock, sk_protocol) << 16 | family) | 1;
}

HANDLER(socket_ended)
{
	struct unix_sock *unix = 0;
	struct frame_socket *f;
	struct made_call c;
	struct sock *sock;
	struct record r;
	__u32 family;

	if (!call_begin(&c, regs, result) || (c.error && c.what.kind == FRAME_ACCEPT))
		return 0;
	sock = sock_of(c.event.task, c.what.kind == FRAME_ACCEPT ? result : argument(&c, 0));
	if (!sock)
		return 0;
	family = GET(sock, __sk_common.skc_family);
	if (family == AF_UNIX && bpf_core_type_exists(struct unix_sock))
		unix = named_unix_sock(sock, c.what.kind);
	if (!admit(&c.event, socket_identity(&c, sock, unix, family), true))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	if (family == AF_UNIX && c.error && c.what.kind == FRAME_CONNECT)
		push_user_string(&r, c.event.processor->text, (void *)argument(&c, 1) + 2);
	else if (family == AF_UNIX && bpf_core_type_exists(struct unix_sock))
		push_unix_path(&c, &r, unix);
	else
		push_empty(&r);

	f = PUSH_FIXED(&r, struct frame_socket);
	__builtin_memset(f, 0, sizeof(*f));
	fill_actor(&f->actor, c.event.task, c.error, c.event.repeats);
	f->family = family;
	f->protocol = GET(sock, sk_protocol);
	if (family == AF_INET || family == AF_INET6) {
		fill_inet(f, sock, c.what.kind);
		if (c.error && c.what.kind == FRAME_CONNECT)
			fill_asked_for(f, (void *)argument(&c, 1));
	}
	emit(&c.event, &r, c.what.kind);
	return 0;
}

/* ---- Privilege ---- */

HANDLER(credentials_ended)
{
	struct frame_change *f;
	struct made_call c;
	struct record r;
	__u64 identity;

	if (!call_begin(&c, regs, result))
		return 0;
	identity = process_identity(c.event.task, c.what.kind, c.error);
	identity = mix(identity, (__u64)c.event.task->cred->uid.val << 32 | c.event.task->cred->euid.val);
	identity = mix(identity, (__u64)c.event.task->cred->suid.val << 32 | c.event.task->cred->egid.val);
	if (c.what.kind == FRAME_CAPABILITIES)
		identity = 0;
	if (!admit(&c.event, identity, true))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	f = PUSH_FIXED(&r, struct frame_change);
	fill_actor(&f->actor, c.event.task, c.error, c.event.repeats);
	fill_credentials(&f->credentials, c.event.task);
	emit(&c.event, &r, c.what.kind);
	return 0;
}

static __always_inline bool takes_hold(__u64 request)
{
	return request == PTRACE_TRACEME || (request >= PTRACE_POKETEXT && request <= PTRACE_POKEUSR) ||
	       request == PTRACE_SETREGS || request == PTRACE_SETFPREGS || request == PTRACE_ATTACH ||
	       request == PTRACE_SETREGSET || request == PTRACE_SEIZE;
}

struct search {
	struct list_head *entry;
	struct list_head *head;
	struct task_struct *found;
	__u32 level;
	__s32 number;
};

static long search_step(__u32 step, struct search *s)
{
	struct task_struct *task = (void *)s->entry - bpf_core_field_offset(struct task_struct, ptrace_entry);
	__u32 offset = s->level * bpf_core_type_size(struct upid);
	struct pid *pid;
	__s32 number = 0;

	if (!s->entry || s->entry == s->head)
		return 1;
	pid = GET(task, thread_pid);
	bpf_core_read(&number, sizeof(number), (void *)&pid->numbers[0].nr + offset);
	if (number == s->number) {
		s->found = task;
		return 1;
	}
	s->entry = GET(s->entry, next);
	return 0;
}

/* The tracee by the number that the tracer gives it: it stands in the tracer's own list. */
static __always_inline struct task_struct *tracee(struct processor *p, struct task_struct *task, __s32 number)
{
	struct search s = {
		.entry = (void *)as_number(p, task->ptraced.next),
		.head = (void *)as_number(p, &task->ptraced),
		.level = task->thread_pid->level & 31,
		.number = number,
	};

	bpf_loop(256, search_step, &s, 0);
	return s.found;
}

HANDLER(trace_ended)
{
	struct task_struct *target = 0;
	__u64 request, start = 0;
	struct frame_trace *f;
	struct made_call c;
	struct record r;
	__u32 pid;

	if (!call_begin(&c, regs, result))
		return 0;
	request = argument(&c, 0);
	pid = argument(&c, 1);
	if (!takes_hold(request))
		return 0;
	if (request == PTRACE_TRACEME)
		target = c.event.task->real_parent;
	else if (!c.error)
		target = tracee(c.event.processor, c.event.task, pid);
	if (target) {
		struct task_struct *leader = GET(target, group_leader);

		pid = GET(target, tgid);
		start = GET(leader, start_boottime);
	}
	if (!admit(&c.event, mix(process_identity(c.event.task, c.what.kind, c.error), request << 32 | pid) | 1, true))
		return 0;
	if (!record_begin(&r, c.event.processor)) {
		give_up(&c.event);
		return 0;
	}
	f = PUSH_FIXED(&r, struct frame_trace);
	fill_actor(&f->actor, c.event.task, c.error, c.event.repeats);
	f->target_start_ns = start;
	f->target_pid = pid;
	f->request = request;
	emit(&c.event, &r, FRAME_TRACE);
	return 0;
}

HANDLER(bpf_ended)
{
	struct bpf_prog *program = 0;
	struct made_call c;
	struct file *file;
	const char *name = 0;
	__u32 type = 0;

	if (!call_begin(&c, regs, result) || argument(&c, 0) != BPF_PROG_LOAD_COMMAND)
		return 0;
	if (!c.error) {
		file = file_of(c.event.task, result);
		program = file ? GET(file, private_data) : 0;
	}
	if (program) {
		struct bpf_prog_aux *aux = GET(program, aux);

		type = GET(program, type);
		name = (void *)aux + bpf_core_field_offset(struct bpf_prog_aux, name);
	}
	if (!admit(&c.event, 0, true))
		return 0;
	return named(&c.event, name, 16, FRAME_BPF_LOAD, type, c.error);
}

HANDLER(module_refused)
{
	struct made_call c;

	if (result >= 0 || !call_begin(&c, regs, result) || !admit(&c.event, 0, true))
		return 0;
	return named(&c.event, 0, 0, FRAME_MODULE_LOAD, 0, c.error);
}

#define SOCKETCALL_CONNECT 3
#define SOCKETCALL_ACCEPT 5
#define SOCKETCALL_ACCEPT4 18

/* socketcall packs others and is not unpacked: counted, so that the blind spot shows. */
HANDLER(unread)
{
	struct made_call c;
	__u64 packed;

	if (!call_begin(&c, regs, result))
		return 0;
	packed = argument(&c, 0);
	if ((packed >= SOCKETCALL_CONNECT && packed <= SOCKETCALL_ACCEPT) || packed == SOCKETCALL_ACCEPT4)
		c.event.processor->unread++;
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, HANDLER_COUNT);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} handlers SEC(".maps") = {
	.values = {
		[HANDLE_OPEN] = (void *)&open_ended,
		[HANDLE_PATH] = (void *)&path_ended,
		[HANDLE_DESCRIPTOR] = (void *)&descriptor_ended,
		[HANDLE_SOCKET] = (void *)&socket_ended,
		[HANDLE_CREDENTIALS] = (void *)&credentials_ended,
		[HANDLE_TRACE] = (void *)&trace_ended,
		[HANDLE_BPF] = (void *)&bpf_ended,
		[HANDLE_MEMFD] = (void *)&memfd_ended,
		[HANDLE_REFUSED_MODULE] = (void *)&module_refused,
		[HANDLE_UNREAD] = (void *)&unread,
	},
};

HANDLER(on_sys_exit)
{
	__u64 number = call_number(regs);
	__u32 handler;

	if (number >= CALL_LIMIT || !(calls[number].handler | compat_calls[number].handler))
		return 0;
	if (result < 0 && result != -EPERM && result != -EACCES && result != -EINPROGRESS)
		return 0;
	if (call_is_compat(bpf_get_current_task_btf()))
		handler = compat_calls[number].handler;
	else
		handler = calls[number].handler;
	bpf_tail_call(ctx, &handlers, handler);
	return 0;
}
