/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The system calls that matter: which program deals with each, and where its arguments stand. Numbers are positions of
 * arguments; NONE where there is none. CALLS is the table of the native calls, COMPAT_CALLS that of 32-bit ones (i386).
 */
#ifndef HUSHWATCH_CALLS_H
#define HUSHWATCH_CALLS_H

#define NONE 7
#define CALL_LIMIT 512

enum handler {
	HANDLE_NOTHING,
	HANDLE_OPEN,
	HANDLE_PATH,
	HANDLE_DESCRIPTOR,
	HANDLE_SOCKET,
	HANDLE_CREDENTIALS,
	HANDLE_TRACE,
	HANDLE_BPF,
	HANDLE_MEMFD,
	HANDLE_REFUSED_MODULE,
	HANDLE_SEND,
	HANDLE_WRITE,
	HANDLE_CLOSE,
	HANDLE_CLOSE_RANGE,
	HANDLE_MOUNT,
	HANDLE_ACCESS,
	HANDLE_SIGNAL,
	HANDLE_MEMORY,
	HANDLE_NAMESPACE,
	HANDLE_KEY,
	HANDLE_KEXEC,
	HANDLE_RING,
	HANDLE_PERF,
	HANDLER_COUNT,
};

enum value_meaning { VALUE, CREAT, HOW, HANDLE, MAPS, MAPS_STRUCT, MAPS_SHARED_MEMORY, PROTECTS,
		     NODE, DIRECTORY, REMOVED, ATTACHED };

struct call {
	__u8 handler;
	__u8 kind;
	__u8 class;
	__u8 meaning;	/* of an open: where its flags are; of others: which of them it is, or what is done there */
	__u8 base;	/* descriptor of the directory that a relative path starts from */
	__u8 path;
	__u8 base2;
	__u8 path2;
	__u8 value;	/* mode, owner, flags, request, command; of a write or a close: the descriptor */
};

#define OPEN(base, path, value, meaning) \
	{ HANDLE_OPEN, FRAME_OPEN, CLASS_FILE, meaning, base, path, NONE, NONE, value }
#define PATH(kind, base, path, value) \
	{ HANDLE_PATH, kind, CLASS_FILE, VALUE, base, path, NONE, NONE, value }
#define PATHS(kind, base, path, base2, path2) \
	{ HANDLE_PATH, kind, CLASS_FILE, VALUE, base, path, base2, path2, NONE }
#define MADE(meaning, base, path, value) \
	{ HANDLE_PATH, FRAME_OPEN, CLASS_FILE, meaning, base, path, NONE, NONE, value }
#define XATTR(meaning, base, path, name) \
	{ HANDLE_PATH, FRAME_XATTR, CLASS_FILE, meaning, base, path, NONE, name, NONE }
#define FXATTR(meaning) \
	{ HANDLE_DESCRIPTOR, FRAME_XATTR, CLASS_FILE, meaning, NONE, NONE, NONE, 1, NONE }
#define WRITE(value) CALL(HANDLE_WRITE, FRAME_MODIFY, CLASS_FILE, value)
#define CLOSE(value) CALL(HANDLE_CLOSE, FRAME_MODIFY, CLASS_FILE, value)
#define MOUNT(kind, meaning, base, path, base2, path2, value) \
	{ HANDLE_MOUNT, kind, CLASS_KERNEL, meaning, base, path, base2, path2, value }
#define EXEC(base, path) \
	{ HANDLE_PATH, FRAME_EXEC_REFUSED, CLASS_PROCESS, VALUE, base, path, NONE, NONE, NONE }
#define CALL(handler, kind, class, value) \
	{ handler, kind, class, VALUE, NONE, NONE, NONE, NONE, value }
#define SOCKET(kind) CALL(HANDLE_SOCKET, kind, CLASS_NETWORK, NONE)
#define SEND CALL(HANDLE_SEND, FRAME_SEND, CLASS_NETWORK, NONE)
#define CREDENTIALS CALL(HANDLE_CREDENTIALS, FRAME_CREDENTIALS, CLASS_PRIVILEGE, NONE)
#define MODULE CALL(HANDLE_REFUSED_MODULE, FRAME_MODULE_LOAD, CLASS_KERNEL, NONE)
#define PRIVILEGE(handler, kind, meaning) \
	{ handler, kind, CLASS_PRIVILEGE, meaning, NONE, NONE, NONE, NONE, NONE }
#define ACCESS(access) PRIVILEGE(HANDLE_ACCESS, FRAME_ACCESS, access)
#define MEMORY(meaning) PRIVILEGE(HANDLE_MEMORY, FRAME_MEMORY, meaning)
#define NAMESPACE(change) PRIVILEGE(HANDLE_NAMESPACE, FRAME_NAMESPACE, change)
#define KEY(call) PRIVILEGE(HANDLE_KEY, FRAME_KEY, call)
#define SIGNAL(pidfd, pid, signal) \
	{ HANDLE_SIGNAL, FRAME_SIGNAL, CLASS_PRIVILEGE, VALUE, pidfd, pid, NONE, NONE, signal }

#if defined(HUSHWATCH_X86_64)

#define CALLS { \
	[2] = OPEN(NONE, 0, 1, VALUE),			/* open */ \
	[85] = OPEN(NONE, 0, NONE, CREAT),		/* creat */ \
	[257] = OPEN(0, 1, 2, VALUE),			/* openat */ \
	[437] = OPEN(0, 1, 2, HOW),			/* openat2 */ \
	[304] = OPEN(NONE, NONE, 2, HANDLE),		/* open_by_handle_at */ \
	[87] = PATH(FRAME_DELETE, NONE, 0, NONE),	/* unlink */ \
	[84] = PATH(FRAME_DELETE, NONE, 0, NONE),	/* rmdir */ \
	[263] = PATH(FRAME_DELETE, 0, 1, NONE),		/* unlinkat */ \
	[82] = PATHS(FRAME_RENAME, NONE, 0, NONE, 1),	/* rename */ \
	[264] = PATHS(FRAME_RENAME, 0, 1, 2, 3),	/* renameat */ \
	[316] = PATHS(FRAME_RENAME, 0, 1, 2, 3),	/* renameat2 */ \
	[86] = PATHS(FRAME_LINK, NONE, 0, NONE, 1),	/* link */ \
	[265] = PATHS(FRAME_LINK, 0, 1, 2, 3),		/* linkat */ \
	[88] = PATHS(FRAME_SYMLINK, NONE, 0, NONE, 1),	/* symlink */ \
	[266] = PATHS(FRAME_SYMLINK, NONE, 0, 1, 2),	/* symlinkat */ \
	[90] = PATH(FRAME_CHMOD, NONE, 0, 1),		/* chmod */ \
	[268] = PATH(FRAME_CHMOD, 0, 1, 2),		/* fchmodat */ \
	[452] = PATH(FRAME_CHMOD, 0, 1, 2),		/* fchmodat2 */ \
	[92] = PATH(FRAME_CHOWN, NONE, 0, 1),		/* chown */ \
	[94] = PATH(FRAME_CHOWN, NONE, 0, 1),		/* lchown */ \
	[260] = PATH(FRAME_CHOWN, 0, 1, 2),		/* fchownat */ \
	[91] = CALL(HANDLE_DESCRIPTOR, FRAME_CHMOD, CLASS_FILE, 1),	/* fchmod */ \
	[93] = CALL(HANDLE_DESCRIPTOR, FRAME_CHOWN, CLASS_FILE, 1),	/* fchown */ \
	[1] = WRITE(0),					/* write */ \
	[18] = WRITE(0),				/* pwrite64 */ \
	[20] = WRITE(0),				/* writev */ \
	[296] = WRITE(0),				/* pwritev */ \
	[328] = WRITE(0),				/* pwritev2 */ \
	[40] = WRITE(0),				/* sendfile */ \
	[326] = WRITE(2),				/* copy_file_range */ \
	[275] = WRITE(2),				/* splice */ \
	[3] = CLOSE(0),					/* close */ \
	[33] = CLOSE(1),				/* dup2 */ \
	[292] = CLOSE(1),				/* dup3 */ \
	[436] = CALL(HANDLE_CLOSE_RANGE, FRAME_MODIFY, CLASS_FILE, 0),	/* close_range */ \
	[76] = PATH(FRAME_TRUNCATE, NONE, 0, NONE),	/* truncate */ \
	[77] = CALL(HANDLE_DESCRIPTOR, FRAME_TRUNCATE, CLASS_FILE, NONE),	/* ftruncate */ \
	[83] = MADE(DIRECTORY, NONE, 0, 1),		/* mkdir */ \
	[258] = MADE(DIRECTORY, 0, 1, 2),		/* mkdirat */ \
	[133] = MADE(NODE, NONE, 0, 1),			/* mknod */ \
	[259] = MADE(NODE, 0, 1, 2),			/* mknodat */ \
	[188] = XATTR(VALUE, NONE, 0, 1),		/* setxattr */ \
	[189] = XATTR(VALUE, NONE, 0, 1),		/* lsetxattr */ \
	[190] = FXATTR(VALUE),				/* fsetxattr */ \
	[463] = XATTR(VALUE, 0, 1, 3),			/* setxattrat */ \
	[197] = XATTR(REMOVED, NONE, 0, 1),		/* removexattr */ \
	[198] = XATTR(REMOVED, NONE, 0, 1),		/* lremovexattr */ \
	[199] = FXATTR(REMOVED),			/* fremovexattr */ \
	[466] = XATTR(REMOVED, 0, 1, 3),		/* removexattrat */ \
	[165] = MOUNT(FRAME_MOUNT, VALUE, NONE, 0, NONE, 1, 3),	/* mount */ \
	[429] = MOUNT(FRAME_MOUNT, ATTACHED, 0, 1, 2, 3, NONE),	/* move_mount */ \
	[442] = MOUNT(FRAME_MOUNT, HOW, NONE, NONE, 0, 1, 3),	/* mount_setattr */ \
	[166] = MOUNT(FRAME_UNMOUNT, VALUE, NONE, NONE, NONE, 0, NONE),	/* umount2 */ \
	[155] = MOUNT(FRAME_PIVOT_ROOT, VALUE, NONE, 0, NONE, 1, NONE),	/* pivot_root */ \
	[59] = EXEC(NONE, 0),				/* execve */ \
	[322] = EXEC(0, 1),				/* execveat */ \
	[42] = SOCKET(FRAME_CONNECT), \
	[43] = SOCKET(FRAME_ACCEPT),			/* accept */ \
	[288] = SOCKET(FRAME_ACCEPT),			/* accept4 */ \
	[50] = SOCKET(FRAME_LISTEN), \
	[49] = SOCKET(FRAME_BIND), \
	[41] = SOCKET(FRAME_SOCKET), \
	[44] = SEND,					/* sendto */ \
	[46] = SEND,					/* sendmsg */ \
	[307] = SEND,					/* sendmmsg */ \
	[105] = CREDENTIALS,				/* setuid */ \
	[106] = CREDENTIALS,				/* setgid */ \
	[113] = CREDENTIALS,				/* setreuid */ \
	[114] = CREDENTIALS,				/* setregid */ \
	[117] = CREDENTIALS,				/* setresuid */ \
	[119] = CREDENTIALS,				/* setresgid */ \
	[126] = CALL(HANDLE_CREDENTIALS, FRAME_CAPABILITIES, CLASS_PRIVILEGE, NONE),	/* capset */ \
	[101] = CALL(HANDLE_TRACE, FRAME_TRACE, CLASS_PRIVILEGE, 0),	/* ptrace */ \
	[321] = CALL(HANDLE_BPF, FRAME_BPF_LOAD, CLASS_KERNEL, 0),	/* bpf */ \
	[319] = CALL(HANDLE_MEMFD, FRAME_MEMFD, CLASS_FILE, NONE),	/* memfd_create */ \
	[175] = MODULE,					/* init_module */ \
	[313] = MODULE,					/* finit_module */ \
	[176] = CALL(HANDLE_REFUSED_MODULE, FRAME_MODULE_UNLOAD, CLASS_KERNEL, NONE),	/* delete_module */ \
	[246] = CALL(HANDLE_KEXEC, FRAME_KEXEC, CLASS_KERNEL, NONE),	/* kexec_load */ \
	[320] = CALL(HANDLE_KEXEC, FRAME_KEXEC, CLASS_KERNEL, 0),	/* kexec_file_load */ \
	[425] = CALL(HANDLE_RING, FRAME_IO_URING, CLASS_KERNEL, NONE),	/* io_uring_setup */ \
	[298] = CALL(HANDLE_PERF, FRAME_PERF, CLASS_KERNEL, NONE),	/* perf_event_open */ \
	[310] = ACCESS(ACCESS_READ),			/* process_vm_readv */ \
	[311] = ACCESS(ACCESS_WRITE),			/* process_vm_writev */ \
	[438] = ACCESS(ACCESS_DESCRIPTOR),		/* pidfd_getfd */ \
	[434] = ACCESS(ACCESS_HANDLE),			/* pidfd_open */ \
	[62] = SIGNAL(NONE, 0, 1),			/* kill */ \
	[200] = SIGNAL(NONE, 0, 1),			/* tkill */ \
	[234] = SIGNAL(NONE, 1, 2),			/* tgkill */ \
	[129] = SIGNAL(NONE, 0, 1),			/* rt_sigqueueinfo */ \
	[297] = SIGNAL(NONE, 1, 2),			/* rt_tgsigqueueinfo */ \
	[424] = SIGNAL(0, NONE, 1),			/* pidfd_send_signal */ \
	[9] = MEMORY(MAPS),				/* mmap */ \
	[10] = MEMORY(PROTECTS),			/* mprotect */ \
	[329] = MEMORY(PROTECTS),			/* pkey_mprotect */ \
	[30] = MEMORY(MAPS_SHARED_MEMORY),		/* shmat */ \
	[308] = NAMESPACE(NAMESPACE_JOINED),		/* setns */ \
	[272] = NAMESPACE(NAMESPACE_UNSHARED),		/* unshare */ \
	[248] = KEY(1),					/* add_key */ \
	[249] = KEY(2),					/* request_key */ \
	[250] = KEY(0),					/* keyctl */ \
}

/* Packs the calls of sockets: which, and where their arguments lie. */
#define SOCKETCALL 102

#define COMPAT_CALLS { \
	[5] = OPEN(NONE, 0, 1, VALUE), \
	[8] = OPEN(NONE, 0, NONE, CREAT), \
	[295] = OPEN(0, 1, 2, VALUE), \
	[437] = OPEN(0, 1, 2, HOW), \
	[342] = OPEN(NONE, NONE, 2, HANDLE), \
	[10] = PATH(FRAME_DELETE, NONE, 0, NONE), \
	[40] = PATH(FRAME_DELETE, NONE, 0, NONE), \
	[301] = PATH(FRAME_DELETE, 0, 1, NONE), \
	[38] = PATHS(FRAME_RENAME, NONE, 0, NONE, 1), \
	[302] = PATHS(FRAME_RENAME, 0, 1, 2, 3), \
	[353] = PATHS(FRAME_RENAME, 0, 1, 2, 3), \
	[9] = PATHS(FRAME_LINK, NONE, 0, NONE, 1), \
	[303] = PATHS(FRAME_LINK, 0, 1, 2, 3), \
	[83] = PATHS(FRAME_SYMLINK, NONE, 0, NONE, 1), \
	[304] = PATHS(FRAME_SYMLINK, NONE, 0, 1, 2), \
	[15] = PATH(FRAME_CHMOD, NONE, 0, 1), \
	[306] = PATH(FRAME_CHMOD, 0, 1, 2), \
	[452] = PATH(FRAME_CHMOD, 0, 1, 2), \
	[182] = PATH(FRAME_CHOWN, NONE, 0, 1), \
	[212] = PATH(FRAME_CHOWN, NONE, 0, 1), \
	[16] = PATH(FRAME_CHOWN, NONE, 0, 1), \
	[198] = PATH(FRAME_CHOWN, NONE, 0, 1), \
	[298] = PATH(FRAME_CHOWN, 0, 1, 2), \
	[94] = CALL(HANDLE_DESCRIPTOR, FRAME_CHMOD, CLASS_FILE, 1), \
	[95] = CALL(HANDLE_DESCRIPTOR, FRAME_CHOWN, CLASS_FILE, 1), \
	[207] = CALL(HANDLE_DESCRIPTOR, FRAME_CHOWN, CLASS_FILE, 1), \
	[4] = WRITE(0),					/* write */ \
	[181] = WRITE(0),				/* pwrite64 */ \
	[146] = WRITE(0),				/* writev */ \
	[334] = WRITE(0),				/* pwritev */ \
	[379] = WRITE(0),				/* pwritev2 */ \
	[187] = WRITE(0),				/* sendfile */ \
	[239] = WRITE(0),				/* sendfile64 */ \
	[377] = WRITE(2),				/* copy_file_range */ \
	[313] = WRITE(2),				/* splice */ \
	[6] = CLOSE(0),					/* close */ \
	[63] = CLOSE(1),				/* dup2 */ \
	[330] = CLOSE(1),				/* dup3 */ \
	[436] = CALL(HANDLE_CLOSE_RANGE, FRAME_MODIFY, CLASS_FILE, 0),	/* close_range */ \
	[92] = PATH(FRAME_TRUNCATE, NONE, 0, NONE),	/* truncate */ \
	[193] = PATH(FRAME_TRUNCATE, NONE, 0, NONE),	/* truncate64 */ \
	[93] = CALL(HANDLE_DESCRIPTOR, FRAME_TRUNCATE, CLASS_FILE, NONE),	/* ftruncate */ \
	[194] = CALL(HANDLE_DESCRIPTOR, FRAME_TRUNCATE, CLASS_FILE, NONE),	/* ftruncate64 */ \
	[39] = MADE(DIRECTORY, NONE, 0, 1),		/* mkdir */ \
	[296] = MADE(DIRECTORY, 0, 1, 2),		/* mkdirat */ \
	[14] = MADE(NODE, NONE, 0, 1),			/* mknod */ \
	[297] = MADE(NODE, 0, 1, 2),			/* mknodat */ \
	[226] = XATTR(VALUE, NONE, 0, 1),		/* setxattr */ \
	[227] = XATTR(VALUE, NONE, 0, 1),		/* lsetxattr */ \
	[228] = FXATTR(VALUE),				/* fsetxattr */ \
	[235] = XATTR(REMOVED, NONE, 0, 1),		/* removexattr */ \
	[236] = XATTR(REMOVED, NONE, 0, 1),		/* lremovexattr */ \
	[237] = FXATTR(REMOVED),			/* fremovexattr */ \
	[463] = XATTR(VALUE, 0, 1, 3),			/* setxattrat */ \
	[466] = XATTR(REMOVED, 0, 1, 3),		/* removexattrat */ \
	[21] = MOUNT(FRAME_MOUNT, VALUE, NONE, 0, NONE, 1, 3),	/* mount */ \
	[429] = MOUNT(FRAME_MOUNT, ATTACHED, 0, 1, 2, 3, NONE),	/* move_mount */ \
	[442] = MOUNT(FRAME_MOUNT, HOW, NONE, NONE, 0, 1, 3),	/* mount_setattr */ \
	[52] = MOUNT(FRAME_UNMOUNT, VALUE, NONE, NONE, NONE, 0, NONE),	/* umount2 */ \
	[22] = MOUNT(FRAME_UNMOUNT, VALUE, NONE, NONE, NONE, 0, NONE),	/* umount */ \
	[217] = MOUNT(FRAME_PIVOT_ROOT, VALUE, NONE, 0, NONE, 1, NONE),	/* pivot_root */ \
	[11] = EXEC(NONE, 0), \
	[358] = EXEC(0, 1), \
	[362] = SOCKET(FRAME_CONNECT), \
	[364] = SOCKET(FRAME_ACCEPT), \
	[363] = SOCKET(FRAME_LISTEN), \
	[361] = SOCKET(FRAME_BIND), \
	[359] = SOCKET(FRAME_SOCKET), \
	[369] = SEND, \
	[370] = SEND, \
	[345] = SEND, \
	[SOCKETCALL] = SOCKET(0), \
	[23] = CREDENTIALS, \
	[46] = CREDENTIALS, \
	[70] = CREDENTIALS, \
	[71] = CREDENTIALS, \
	[164] = CREDENTIALS, \
	[170] = CREDENTIALS, \
	[203] = CREDENTIALS, \
	[204] = CREDENTIALS, \
	[208] = CREDENTIALS, \
	[210] = CREDENTIALS, \
	[213] = CREDENTIALS, \
	[214] = CREDENTIALS, \
	[185] = CALL(HANDLE_CREDENTIALS, FRAME_CAPABILITIES, CLASS_PRIVILEGE, NONE), \
	[26] = CALL(HANDLE_TRACE, FRAME_TRACE, CLASS_PRIVILEGE, 0), \
	[357] = CALL(HANDLE_BPF, FRAME_BPF_LOAD, CLASS_KERNEL, 0), \
	[356] = CALL(HANDLE_MEMFD, FRAME_MEMFD, CLASS_FILE, NONE), \
	[128] = MODULE, \
	[350] = MODULE, \
	[129] = CALL(HANDLE_REFUSED_MODULE, FRAME_MODULE_UNLOAD, CLASS_KERNEL, NONE), \
	[283] = CALL(HANDLE_KEXEC, FRAME_KEXEC, CLASS_KERNEL, NONE), \
	[425] = CALL(HANDLE_RING, FRAME_IO_URING, CLASS_KERNEL, NONE), \
	[336] = CALL(HANDLE_PERF, FRAME_PERF, CLASS_KERNEL, NONE), \
	[347] = ACCESS(ACCESS_READ), \
	[348] = ACCESS(ACCESS_WRITE), \
	[438] = ACCESS(ACCESS_DESCRIPTOR), \
	[434] = ACCESS(ACCESS_HANDLE), \
	[37] = SIGNAL(NONE, 0, 1), \
	[238] = SIGNAL(NONE, 0, 1), \
	[270] = SIGNAL(NONE, 1, 2), \
	[178] = SIGNAL(NONE, 0, 1), \
	[335] = SIGNAL(NONE, 1, 2), \
	[424] = SIGNAL(0, NONE, 1), \
	[90] = MEMORY(MAPS_STRUCT), \
	[192] = MEMORY(MAPS), \
	[125] = MEMORY(PROTECTS), \
	[380] = MEMORY(PROTECTS), \
	[397] = MEMORY(MAPS_SHARED_MEMORY), \
	[346] = NAMESPACE(NAMESPACE_JOINED), \
	[310] = NAMESPACE(NAMESPACE_UNSHARED), \
	[286] = KEY(1), \
	[287] = KEY(2), \
	[288] = KEY(0), \
}

#else
#error "system calls of this architecture are not listed yet"
#endif

#endif
