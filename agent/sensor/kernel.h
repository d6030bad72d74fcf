/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The few kernel structures that the sensor reads, and of them only the fields it reads. Where a field really lies is put
 * in when the programs are loaded (CO-RE), so this is neither a copy of a kernel header nor tied to one kernel.
 */
#ifndef HUSHWATCH_KERNEL_H
#define HUSHWATCH_KERNEL_H

#include <linux/bpf.h>
#include <stdbool.h>

typedef int pid_t;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernel_id {
	__u32 val;
};

struct list_head {
	struct list_head *next;
	struct list_head *prev;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

/* A tree over numbers, as the kernel keeps process ids. */
struct xarray {
	void *xa_head;
};

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct idr {
	struct xarray idr_rt;
};

struct qstr {
	union {
		struct {
			__u32 hash;
			__u32 len;
		};
		__u64 hash_len;
	};
	const unsigned char *name;
};

struct file_system_type {
	const char *name;
};

struct super_block {
	__u32 s_dev;
	struct file_system_type *s_type;
	unsigned long s_magic;
};

struct inode {
	__u16 i_mode;
	struct kernel_id i_uid;
	struct kernel_id i_gid;
	unsigned int i_flags;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	__u32 i_rdev;
	void *i_private;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
	int mnt_flags;
};

struct rb_node {
	struct rb_node *rb_right;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	const char *mnt_devname;
	struct rb_node mnt_node;
};

/* Before Linux 6.8. */
struct mount___before {
	struct list_head mnt_list;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	unsigned int f_mode;
	struct inode *f_inode;
	struct path f_path;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct kernel_count {
	int counter;
};

struct files_struct {
	struct kernel_count count;
	struct fdtable *fdt;
};

struct fs_struct {
	int users;
	struct path root;
	struct path pwd;
};

struct ns_common {
	__u32 ns_type;
	unsigned int inum;
};

/* Before Linux 6.18. */
struct proc_ns_operations___before {
	int type;
};

struct ns_common___before {
	struct proc_ns_operations___before *ops;
};

struct mnt_namespace {
	struct ns_common ns;
	struct rb_root mounts;
};

/* Before Linux 6.8. */
struct mnt_namespace___before {
	struct list_head list;
};

struct net {
	struct ns_common ns;
};

struct user_namespace {
	struct ns_common ns;
};

struct pid_namespace {
	struct idr idr;
	unsigned int level;
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
	struct pid_namespace *pid_ns_for_children;
	void *uts_ns;
	void *ipc_ns;
	void *cgroup_ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct hlist_head tasks[4];
	struct upid numbers[1];
};

struct kernel_capabilities {
	__u64 val;
};

struct cred {
	struct kernel_id uid, gid, suid, euid, egid;
	struct kernel_capabilities cap_effective;
	void *security;
	struct user_namespace *user_ns;
};

struct kernfs_node {
	struct kernfs_node *__parent;
	const char *name;
	__u64 id;
};

/* Before Linux 6.15. */
struct kernfs_node___before {
	struct kernfs_node *parent;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	unsigned long start_brk;
	unsigned long brk;
	struct file *exe_file;
};

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	unsigned long vm_flags;
	void *anon_vma;
	struct file *vm_file;
};

struct signal_struct {
	struct kernel_count live;
	int nr_threads;
	unsigned long long sum_sched_runtime;	/* of threads that have ended */
	int group_exit_code;
	unsigned int flags;
};

struct thread_info {
	unsigned long flags;
	__u32 status;
};

struct task_struct {
	struct thread_info thread_info;
	void *stack;
	unsigned int flags;
	struct mm_struct *mm;
	int exit_code;
	pid_t pid;
	pid_t tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct list_head ptraced;
	struct list_head ptrace_entry;
	struct pid *thread_pid;
	struct hlist_node pid_links[4];
	unsigned int personality;
	__u64 start_boottime;
	const struct cred *cred;
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct kernel_id loginuid;
	unsigned int sessionid;
	struct css_set *cgroups;
	void *audit_context;
};

struct seq_file {
	void *private;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct linux_binprm {
	struct file *file;
	int argc;
	const char *filename;
	const char *interp;
};

struct module {
	char name[56];
};

struct bpf_prog_aux {
	char name[16];
};

struct bpf_prog {
	enum bpf_prog_type type;
	struct bpf_prog_aux *aux;
};

struct bpf_map {
	enum bpf_map_type map_type;
	char name[16];
};

struct bpf_link {
	__u32 id;
	enum bpf_link_type type;
	struct bpf_prog *prog;
};

/* Only its address is passed on. */
struct kernel_siginfo {
	int si_code;
};

struct perf_event_attr {
	__u32 type;
};

struct hw_perf_event {
	struct task_struct *target;
};

struct perf_event {
	struct perf_event_attr attr;
	__u32 orig_type;
	struct hw_perf_event hw;
	int cpu;
};

struct filename {
	const char *name;
	const char *uptr;
	const char iname[1];
};

struct kmem_cache {
	const char *name;
};

struct io_ring_ctx {
	unsigned int flags;
};

/* A request of io_uring begins with what is particular to its operation. */
struct io_kiocb {
	struct file *file;
	__u8 opcode;
};

struct io_uring_cqe {
	__s32 res;
};

struct io_open {
	int dfd;
	struct filename *filename;
};

struct io_unlink {
	int dfd;
	struct filename *filename;
};

struct io_mkdir {
	int dfd;
	struct filename *filename;
};

struct io_rename {
	int old_dfd;
	int new_dfd;
	struct filename *oldpath;
	struct filename *newpath;
};

struct io_link {
	int old_dfd;
	int new_dfd;
	struct filename *oldpath;
	struct filename *newpath;
};

struct kernel_in6 {
	__u8 bytes[16];
};

struct network {
	struct net *net;
};

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport;
	__u16 skc_num;
	__u16 skc_family;
	unsigned char skc_state;
	struct kernel_in6 skc_v6_daddr;
	struct kernel_in6 skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	struct {
		struct kernel_count refs;
	} sk_wmem_alloc;
	__u16 sk_protocol;
	__u16 sk_type;
	struct socket *sk_socket;
};

struct inet_sock {
	__u16 inet_sport;
};

struct tcp_sock {
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u64 bytes_received;
};

struct net_device {
	struct network nd_net;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	__u16 protocol;
	__u16 transport_header;
	__u16 network_header;
	__u32 tail;
	unsigned char *head;
	unsigned char *data;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct unix_name {
	__u16 sun_family;
	char sun_path[108];
};

struct unix_address {
	int len;
	struct unix_name name[1];
};

struct unix_sock {
	struct unix_address *addr;
	struct path path;
	struct sock *peer;
};

#pragma clang attribute pop

/* Numbers that have not changed since Linux 4.19. */
#define FMODE_WRITE 0x2
#define FMODE_PATH 0x4000
#define FMODE_CREATED 0x100000
#define SIGNAL_GROUP_EXIT 0x4
#define VM_WRITE 0x2
#define VM_EXEC 0x4
#define VM_GROWSDOWN 0x100
#define READ_IMPLIES_EXEC 0x400000
#define PF_KTHREAD 0x200000
#define PF_IO_WORKER 0x10
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_PRIVATE 0x200		/* i_flags: an inode of the kernel's own, as that of an eventfd */
#define PROC_SUPER_MAGIC 0x9fa0
#define DEVICE(major, minor) ((__u32)(major) << 20 | (minor))
#define DEVICE_NULL DEVICE(1, 3)
#define MNT_NOSUID 0x1
#define MNT_NODEV 0x2
#define MNT_NOEXEC 0x4
#define MNT_READONLY 0x40

#endif
