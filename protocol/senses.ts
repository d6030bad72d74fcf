/**
 * What each event rests on: which hook sees it, since which kernel, what that costs, and what it does not see.
 *
 * One row an event; the compiler asks for every row. `VOCABULARY.md` is made of this and of the vocabulary, and is what a
 * reader should open.
 */
import type { Source } from './statement.ts';
import { ATTRIBUTES, EVENTS, isEventName, type EventName } from './vocabulary.ts';

/** Who tells an event: one each, so nothing is told twice where two could see it. `agent`: what it concludes, and of itself. */
export const TELLERS = ['sensor', 'journal', 'host', 'agent'] as const;
export type Teller = (typeof TELLERS)[number];

/** How the sensor's part is seen: by BPF, or by one of those that see less. */
export const MODES = ['ebpf', 'proc-connector', 'proc'] as const;
export type Mode = (typeof MODES)[number];

/** What is left of the sensor's part where there is no BPF. */
export const LEFT_OF_SENSOR: Readonly<Record<Exclude<Mode, 'ebpf'>, readonly EventName[]>> = {
  'proc-connector': ['process.fork', 'process.exec', 'process.exit', 'process.credentials.change', 'process.trace'],
  proc: ['process.exec', 'process.exit'],
};

export interface Sense {
  readonly source: Teller;
  /** Tracepoint, system calls, journal field or file that the event comes from. */
  readonly hook: string;
  /** First kernel that has the hook, or `any`. */
  readonly kernel: string;
  /** What it costs, and whom. */
  readonly cost: string;
  /** What an attacker can do without being seen here, said plainly. */
  readonly blind: string;
}

const CALL = 'one table look-up on every system call, about 1 µs on those that are told';
const NAMED = `${CALL}; 40 to 60 ns on whatever the kernel frees from one of its caches`;
const TOLD = 'about 1 µs, on those alone that are told';
const NAME =
  'The path is the name that the kernel used, links in it not followed (`file.path.origin`: `name`). It is the caller’s string, which another thread can have changed (`argument`), where it is longer than 4,000 bytes, where the kernel’s copy found no room, and where a relative one starts from what a thread or another process shares.';
const NAMES = 'the names from tp_btf/kmem_cache_free';
const RING = 'The same done through io_uring is not a system call and is not seen.';
const JOURNAL = 'one line of journalctl, on those alone that can matter';
const WRITER = 'Root can write any line.';
const PACKET = 'about 15 ns on each packet, 0.1 µs on each UDP datagram that is sent, 1 µs on those that are told';
const DATAGRAM =
  'A datagram that waited for its neighbour’s address and left before the call that sent it ended has no sender, and is told with the next one; so is what threads of the kernel send.';
const NOTHING = 'Nothing that we know of, short of root.';

const UNITS = 'systemd’s unit directories (units, drop-ins, links that enable), /etc/init.d, /etc/rc*.d';
const SCHEDULES = '/etc/crontab, /etc/anacrontab, /etc/cron.*, /var/spool/cron, /var/spool/at, systemd’s timers';
const SYSTEMD =
  ' What is asked of systemd over D-Bus names systemd as the actor. Transient units are not told; their processes are, with `systemd.unit`.';

const accounts = (how: string, more = ''): Sense => ({
  source: 'agent',
  hook: `${how}, when a file event names an account file and once a second`,
  kernel: '5.5',
  cost: 'four stat calls a second; 0.1 ms when something changed',
  blind: `Accounts of containers and chroots. Accounts that are kept elsewhere (LDAP). What happens while the agent is not running, and what is undone within the milliseconds before it looks. Where tools follow each other faster than it can look, it says of each that it changed something, and what only of one of them. Without a file event (io_uring, a descriptor that was passed on) the change is told and who did it is not.${more}`,
});
const things = (places: string, more: string): Sense => ({
  source: 'agent',
  hook: `file events on ${places}`,
  kernel: '5.5',
  cost: 'one look at each path of a file event; one stat call for each that is told',
  blind: `What no file event tells: io_uring, paths through links (for renames and deletions), descriptors that were passed on. Where the agent may not look, a container’s file cannot be told from the node’s: \`file.path.verified\` is false.${more}`,
});

export const SENSES: Readonly<Record<EventName, Sense>> = {
  // Processes.
  'process.fork': { source: 'sensor', hook: 'tp_btf/sched_process_fork', kernel: '5.5', cost: TOLD, blind: NOTHING },
  'process.exec': {
    source: 'sensor',
    hook: `tp_btf/sched_process_exec; refused: exit of execve, execveat; ${NAMES}`,
    kernel: '5.5',
    cost: '3 to 5 µs: arguments, three walked paths',
    blind:
      'Arguments beyond 8 KiB. A program that loads another into its own memory starts none. `file.path.origin` is that of a refused program’s path. The SELinux context, here and on every event, is that of the last exec: a process that changes its own (setcon) is told by the old one. Which context it is, the agent asks a living process that has it: where none lived long enough it is missing, and one that was asked of a process which had just become another program is wrong until the second look, a second later. The weaker sources know none.',
  },
  'process.exit': { source: 'sensor', hook: 'tp_btf/sched_process_exit', kernel: '5.5', cost: TOLD, blind: NOTHING },

  'process.image.load': {
    source: 'sensor',
    hook: 'exit of mmap, mprotect, pkey_mprotect; the file from the kernel’s mapping',
    kernel: '5.17',
    cost: '0.7 µs on each executable mapping of a library, nothing more on other calls',
    blind:
      'What lies in a usual place (/usr/lib, /lib and their like, as the process sees them) is not told, nor is a library that was loaded before it was replaced. Code that is copied into memory is process.memory.executable.',
  },

  // Privilege.
  'process.access': {
    source: 'sensor',
    hook: 'exit of process_vm_readv, process_vm_writev, pidfd_getfd, pidfd_open',
    kernel: '5.5',
    cost: CALL,
    blind:
      'The number is looked up in the caller’s pid namespace at the exit: a process that ended meanwhile is told by number only. /proc/PID/mem is file.open. Opening a pidfd of one’s own user’s process is not told.',
  },
  'process.signal': {
    source: 'sensor',
    hook: 'tp_btf/signal_generate; refused: exit of kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal',
    kernel: '5.15',
    cost: '0.3 µs on every signal that is sent, its system call included; 1 µs on those that are told',
    blind:
      'Signals within one user. Signals that another cause raises on a process’s behalf: a terminal, a timer, F_SETOWN, the death of a parent.',
  },
  'process.memory.executable': {
    source: 'sensor',
    hook: 'exit of mmap, mprotect, pkey_mprotect, shmat; the kernel’s mapping by bpf_find_vma',
    kernel: '5.17',
    cost: 'under 0.1 µs on every such call, 0.3 to 0.5 µs where execution is asked for; merged by process and kind',
    blind:
      'A range of more than 16 mappings is looked at in its first 16. Writing into executable memory through /proc/PID/mem or ptrace is told there. A memory file that is written by one mapping and executed by another is process.image.load. Just-in-time compilers do this all day. mremap of what is executable already.',
  },
  'process.namespace.change': {
    source: 'sensor',
    hook: 'exit of setns, unshare; tp_btf/sched_process_fork for clone',
    kernel: '5.5',
    cost: CALL,
    blind: 'A time namespace that clone3 makes.',
  },
  'process.key.use': {
    source: 'sensor',
    hook: 'exit of keyctl, add_key, request_key',
    kernel: '5.5',
    cost: CALL,
    blind:
      'The type is the caller’s string, read at the exit: another thread can change it. Which key was used is not read. Failures other than refusals. Keys that file systems ask for themselves.',
  },
  'process.trace': {
    source: 'sensor',
    hook: 'exit of ptrace',
    kernel: '5.5',
    cost: CALL,
    blind: 'Reading by PEEKTEXT is not told; taking hold is.',
  },
  'process.credentials.change': {
    source: 'sensor',
    hook: 'exit of setuid, setgid, setreuid, setregid, setresuid, setresgid',
    kernel: '5.5',
    cost: CALL,
    blind: 'setfsuid and setgroups are not told. A setuid program shows in process.exec.',
  },
  'process.capabilities.change': {
    source: 'sensor',
    hook: 'exit of capset',
    kernel: '5.5',
    cost: CALL,
    blind: NOTHING,
  },

  // Files.
  'file.open': {
    source: 'sensor',
    hook: 'exit of open, openat, openat2, creat, open_by_handle_at',
    kernel: '5.5',
    cost: CALL,
    blind: `Reads of what is neither watched nor a block device, /dev/mem, /dev/kmem, /dev/port or a /proc/PID/mem; descriptors that were inherited or passed. Of a refused open the path is the caller’s string, read at the exit (\`argument\`). ${RING}`,
  },
  'file.delete': {
    source: 'sensor',
    hook: `exit of unlink, unlinkat, rmdir; ${NAMES}`,
    kernel: '5.5',
    cost: NAMED,
    blind: `${NAME} ${RING}`,
  },
  'file.rename': {
    source: 'sensor',
    hook: `exit of rename, renameat, renameat2; ${NAMES}`,
    kernel: '5.5',
    cost: NAMED,
    blind: `${NAME} ${RING}`,
  },
  'file.link': {
    source: 'sensor',
    hook: `exit of link, linkat, symlink, symlinkat; ${NAMES}`,
    kernel: '5.5',
    cost: NAMED,
    blind: `${NAME} ${RING}`,
  },
  'file.mode.change': {
    source: 'sensor',
    hook: `exit of chmod, fchmod, fchmodat, fchmodat2; ${NAMES}`,
    kernel: '5.5',
    cost: NAMED,
    blind: NAME,
  },
  'file.owner.change': {
    source: 'sensor',
    hook: `exit of chown, fchown, lchown, fchownat; ${NAMES}`,
    kernel: '5.5',
    cost: NAMED,
    blind: NAME,
  },
  'file.create': {
    source: 'sensor',
    hook: `exit of mkdir, mkdirat, mknod, mknodat; ${NAMES}`,
    kernel: '5.5',
    cost: NAMED,
    blind: `${NAME} ${RING}`,
  },
  'file.modify': {
    source: 'sensor',
    hook: 'exit of write, pwrite64, writev, pwritev, pwritev2, sendfile, copy_file_range, splice; told at close, close_range, dup2, dup3, tp_btf/sched_process_exec, tp_btf/sched_process_exit',
    kernel: '5.17',
    cost: 'about 40 ns on a write to a socket or pipe, 130 ns on one to a file, 45 ns on a close; about 1 µs on those that are told',
    blind: `Writes to mapped memory. ${RING} Each process tells what it wrote itself: what an inherited or passed descriptor’s other owners wrote, they tell. Of files that stay open nothing is told until they are closed. A file whose object was gone at the close has the path of its open, if that was seen. A change of a kernel parameter (sysctl) shows here and in file.open, as a file below /proc/sys.`,
  },
  'file.truncate': {
    source: 'sensor',
    hook: `exit of truncate, ftruncate; ${NAMES}`,
    kernel: '5.5',
    cost: NAMED,
    blind: `By path: ${NAME} ${RING}`,
  },
  'file.attribute.change': {
    source: 'sensor',
    hook: `exit of setxattr, lsetxattr, fsetxattr, setxattrat, removexattr, lremovexattr, fremovexattr, removexattrat; ${NAMES}`,
    kernel: '5.5',
    cost: NAMED,
    blind: `The attribute’s name is the caller’s string. By path: ${NAME} ${RING}`,
  },
  'file.memory.create': { source: 'sensor', hook: 'exit of memfd_create', kernel: '5.5', cost: CALL, blind: NOTHING },

  'file.inspect': {
    source: 'agent',
    hook: 'the agent reads what process.exec names, if a file.open wrote it before',
    kernel: '5.5',
    cost: 'aside from the line: about 4 ms a mebibyte, once for each content, 64 MiB at most',
    blind:
      'What the agent’s user may not read (`unreadable`; memory files always), what is on FUSE or a network, what was there before us or is no longer among the last 8,192 written, scripts reached through a linked directory or read from standard input. Told once until it is written again. Who can write the file can set its times back and put other content there before it is read.',
  },

  // What files mean.
  'user.account.create': accounts('The agent compares /etc/passwd'),
  'user.account.change': accounts(
    'The agent compares /etc/passwd; /etc/shadow it cannot read: that it changed alone is a change of password or expiry',
    ' Whose password it was is known only where a command line names one account.',
  ),
  'user.account.delete': accounts('The agent compares /etc/passwd'),
  'user.group.create': accounts('The agent compares /etc/group'),
  'user.group.change': accounts(
    'The agent compares /etc/group; that /etc/gshadow changed alone is a change of password',
  ),
  'user.group.delete': accounts('The agent compares /etc/group'),
  'user.credential.change': things(
    '.ssh/authorized_keys in any home',
    ' Which key came or went. Keys in other places that sshd’s configuration names.',
  ),
  'service.create': things(UNITS, SYSTEMD),
  'service.change': things(UNITS, SYSTEMD),
  'service.delete': things(UNITS, SYSTEMD),
  'task.schedule.create': things(SCHEDULES, SYSTEMD),
  'task.schedule.change': things(SCHEDULES, SYSTEMD),
  'task.schedule.delete': things(SCHEDULES, SYSTEMD),
  // File systems.
  'system.filesystem.mount': {
    source: 'sensor',
    hook: `exit of mount, move_mount, mount_setattr; ${NAMES}`,
    kernel: '5.5',
    cost: NAMED,
    blind:
      'Of two mounts made at once in one namespace on directories of one name, each may be told with the other’s path. Of a remount, a move and a refused call the paths are names (`name`, or `argument` as with file.delete); the type and the source of a refused call are the caller’s words (`argument`), and so are the options of mount_setattr. Mounts that the kernel makes by itself (automount).',
  },
  'system.filesystem.unmount': {
    source: 'sensor',
    hook: `exit of umount, umount2; ${NAMES}`,
    kernel: '5.5',
    cost: NAMED,
    blind: `${NAME} Mounts that end with their namespace.`,
  },
  'system.filesystem.root.change': {
    source: 'sensor',
    hook: `exit of pivot_root; ${NAMES}`,
    kernel: '5.5',
    cost: NAMED,
    blind: `${NAME} chroot is not told.`,
  },

  // Network.
  'network.connect': {
    source: 'sensor',
    hook: 'exit of connect; tp_btf/io_uring_complete; a peer that did not answer: tp_btf/inet_sock_set_state',
    kernel: '5.5',
    cost: CALL,
    blind: `A call that never returns is seen when it does. Of one that was refused before anything was sent the address is the caller’s, read at the exit; \`network.peer.origin\` says so; through io_uring it is told without an address (kernel.io_uring.operation).`,
  },
  'network.accept': {
    source: 'sensor',
    hook: 'exit of accept, accept4; tp_btf/io_uring_complete',
    kernel: '5.5',
    cost: CALL,
    blind: 'Through io_uring: one that is kept as a registered file, without a descriptor.',
  },
  'network.listen': { source: 'sensor', hook: 'exit of listen', kernel: '5.5', cost: CALL, blind: RING },
  'network.bind': {
    source: 'sensor',
    hook: 'exit of bind',
    kernel: '5.5',
    cost: CALL,
    blind: `Streams, which are told when they listen or connect; netlink. A datagram socket that sends without binding is given a port by the kernel: network.send. ${RING}`,
  },
  'network.send': {
    source: 'sensor',
    hook: 'tp_btf/net_dev_queue for UDP; exit of sendto, sendmsg, sendmmsg for Unix sockets and what was refused',
    kernel: '5.15',
    cost: PACKET,
    blind: `${DATAGRAM} Only the first to each peer; a peer’s bytes are not counted. Unix: the path is the caller’s, of several messages in one call only the first, and none of a socket that was connected. UDP-Lite, ICMP, raw and packet sockets (their making is told), other families.`,
  },
  'network.socket.create': {
    source: 'sensor',
    hook: 'exit of socket',
    kernel: '5.5',
    cost: CALL,
    blind: `Sockets that were inherited or passed; netlink but audit and connector. \`socketpair\` makes none of these. ${RING}`,
  },
  'network.flow.end': {
    source: 'sensor',
    hook: 'tp_btf/inet_sock_set_state; its process from the exit of connect or accept',
    kernel: '5.5',
    cost: 'about 0.2 µs on connect and accept, 1 µs when the connection ends',
    blind:
      'Connections older than the sensor, and those beyond 16,384 at a time (the oldest are forgotten); those that nobody accepted; subflows of MPTCP. UDP, of which no bytes are counted: the kernel keeps no count by peer, our own would cost each datagram that arrives a look-up (about 0.1 µs, more than all else that we do to it), and nothing says when a peer is over. Who passes a connected socket on stays its process.',
  },
  'dns.query': {
    source: 'sensor',
    hook: 'tp_btf/net_dev_queue, UDP to ports 53, 5353 (multicast DNS) and 5355 (LLMNR)',
    kernel: '5.15',
    cost: `${PACKET}; 2 µs for each question`,
    blind: `${DATAGRAM} Names asked for by TCP, TLS (DoT), HTTPS (DoH), QUIC, or at another port: the connection is told (network.connect, network.flow.end), what is asked over it lies where a packet hook cannot read it. Of a question to many (multicast DNS) with several names the first. Messages beyond 1,472 bytes are cut.`,
  },
  'dns.answer': {
    source: 'sensor',
    hook: 'tp_btf/netif_receive_skb, UDP from port 53 that a question waits for',
    kernel: '5.15',
    cost: PACKET,
    blind:
      'As dns.query. Answers to what was asked of many are not told. An answer is told once, the first that matches in server, port and id. What a network driver leaves in pages of its own (long answers on virtio and others) is not read: the addresses that stand there are missing.',
  },

  // Kernel.
  'kernel.module.load': {
    source: 'sensor',
    hook: 'tp_btf/module_load; refused: exit of init_module, finit_module',
    kernel: '5.5',
    cost: TOLD,
    blind: 'A module can hide from everything from then on.',
  },
  'kernel.module.unload': {
    source: 'sensor',
    hook: 'tp_btf/module_free; refused: exit of delete_module',
    kernel: '5.5',
    cost: TOLD,
    blind: 'The name of a refused one is the caller’s string. A module can hide itself without being unloaded.',
  },
  'kernel.bpf.object': {
    source: 'sensor',
    hook: 'exit of bpf: maps made, pins, attachments, links, objects taken by id',
    kernel: '5.5',
    cost: CALL,
    blind:
      'Reading and writing of maps. The path of a pin and the descriptor of an attachment stand in the caller’s memory: another thread can change them. Attaching by netlink (tc) or by ioctl of a performance event.',
  },
  'kernel.kexec': {
    source: 'sensor',
    hook: 'exit of kexec_load, kexec_file_load',
    kernel: '5.5',
    cost: CALL,
    blind: 'A kernel that answers that it has no such call has done nothing, and nothing is told.',
  },
  'kernel.io_uring.create': {
    source: 'sensor',
    hook: 'exit of io_uring_setup',
    kernel: '5.5',
    cost: CALL,
    blind: NOTHING,
  },
  'kernel.io_uring.operation': {
    source: 'sensor',
    hook: 'tp_btf/io_uring_submit_req, before 6.4 tp_btf/io_uring_submit_sqe; refused: tp_btf/io_uring_complete',
    kernel: '6.0',
    cost: 'about 50 ns on every operation and as much on its completion, 1 µs on those that are told',
    blind:
      'Failures other than refusals (EPERM, EACCES), which are told apart from the operation and without its names. What was sent to whom, where no datagram shows it. Reading and writing. Where a name is relative to a registered descriptor it stays relative.',
  },
  'kernel.perf_event.open': {
    source: 'sensor',
    hook: 'exit of perf_event_open; type and target from the kernel’s event',
    kernel: '5.5',
    cost: CALL,
    blind: 'Of a refused one type and target are the caller’s words.',
  },
  'kernel.bpf.load': {
    source: 'sensor',
    hook: 'exit of bpf',
    kernel: '5.5',
    cost: CALL,
    blind: 'Programs that were there before us.',
  },

  // Log-ons, changes of user, denials.
  'session.start': {
    source: 'journal',
    hook: 'journal: sshd “Accepted …” joined with logind “New session …” by process id; login and display managers by PAM “session opened”',
    kernel: 'any',
    cost: JOURNAL,
    blind: `Held for two seconds to join both lines. A log-on through a program that tells neither logind nor PAM. ${WRITER}`,
  },
  'session.end': {
    source: 'journal',
    hook: 'journal: logind “Removed session …”; PAM “session closed” where logind has none',
    kernel: 'any',
    cost: JOURNAL,
    blind: `A process left behind keeps the session open. ${WRITER}`,
  },
  'session.failure': {
    source: 'journal',
    hook: 'journal: sshd “Failed …”, or the end of a connection that never failed nor was let in; login “FAILED LOGIN”; PAM “authentication failure” of display managers',
    kernel: 'any',
    cost: JOURNAL,
    blind: `Names of users that do not exist are never read: people type passwords there. Keys that sshd refuses one by one at its default log level. ${WRITER}`,
  },
  'user.switch': {
    source: 'journal',
    hook: 'journal: the line of sudo or su itself, not of PAM',
    kernel: 'any',
    cost: JOURNAL,
    blind: `Wrong passwords before a right one; a command longer than about 900 characters is cut; pkexec, doas, runuser. A user can forge such a line about themselves, in a namespace of their own where another program stands at the path of sudo. ${WRITER}`,
  },
  'security.avc.denied': {
    source: 'journal',
    hook: 'journal: kernel lines “audit: type=1400”, or audit records AVC and USER_AVC; whichever comes first',
    kernel: 'any',
    cost: JOURNAL,
    blind: `What the policy marks dontaudit; what the kernel drops above its own rate limit; records that auditd keeps to itself. ${WRITER}`,
  },
  'security.seccomp.denied': {
    source: 'journal',
    hook: 'journal: kernel lines “audit: type=1326”, or audit records SECCOMP; whichever comes first',
    kernel: 'any',
    cost: JOURNAL,
    blind: `Filters that answer with an error number and do not ask for a log. ${WRITER}`,
  },

  // The machine.
  'host.inventory': {
    source: 'host',
    hook: '/proc (net/dev, diskstats, mounts of the first process; cmdline), /etc/os-release',
    kernel: 'any',
    cost: 'every six hours, and when a look every 30 s finds another interface, disk, mount or command line',
    blind:
      'What the machine says of itself. What came and went between two looks. Other network and mount namespaces than the first; where /proc/1 is hidden (hidepid, ProtectProc) neither interfaces nor mounts, which is said.',
  },
  'host.load': {
    source: 'host',
    hook: '/proc, /proc/pressure',
    kernel: 'any; pressure: 4.20',
    cost: 'every 30 s',
    blind: 'What the machine says of itself. Processes that /proc hides are not counted.',
  },
  'host.disk': {
    source: 'host',
    hook: '/proc/diskstats, /sys/block',
    kernel: 'any',
    cost: 'every 30 s, one event a disk that did something; the sixteen busiest, then one sum',
    blind: 'Whose reads and writes they are. What the page cache answers. A disk in its first 30 s.',
  },
  'host.network': {
    source: 'host',
    hook: '/proc/1/net/dev',
    kernel: 'any',
    cost: 'every 30 s, one event an interface that did something; the sixteen busiest, then one sum',
    blind:
      'Whose packets they are, and to whom. Interfaces of other network namespaces, but for their other ends here. What passes by the kernel (XDP, DPDK). An interface in its first 30 s.',
  },

  // Hushwatch itself.
  'hushwatch.start': {
    source: 'agent',
    hook: 'the agent',
    kernel: 'any',
    cost: 'none',
    blind: 'Between two lives nothing is seen; it says for how long at most.',
  },
  'hushwatch.crash': {
    source: 'agent',
    hook: 'agent: a mark in the spool directory that an orderly end removes; sensor: another one came and the one before had said no goodbye',
    kernel: 'any',
    cost: 'one small file at each start',
    blind:
      'A sensor that ended while no agent listened. Whoever may write the spool can remove the mark; the silence stays.',
  },
  'hushwatch.ruleset.change': {
    source: 'agent',
    hook: 'the agent compares its rules with the last statement it signed',
    kernel: 'any',
    cost: 'none',
    blind: 'A node without a last statement: its first rules are no change. Every statement names its rules anyway.',
  },
  'hushwatch.stop': {
    source: 'agent',
    hook: 'the agent',
    kernel: 'any',
    cost: 'none',
    blind: 'A killed agent says nothing; silence and the next start do.',
  },
  'hushwatch.canary': {
    source: 'agent',
    hook: 'the agent, at its start and every ten minutes',
    kernel: 'any',
    cost: 'about 30 ms of processor time each time, in small pieces',
    blind:
      'Says that the redaction in this process holds for secrets of a few forms in every attribute that is not told nearly as it is; not that a rule says what its reviewer meant, nor anything of an agent that lies.',
  },
  'hushwatch.sum': {
    source: 'agent',
    hook: 'the agent, at the end of each window, where a ruleset has sums',
    kernel: 'any',
    cost: 'none',
    blind:
      'What one of the summed processes did, and when within the window. Noise stands in each number; below the floor nothing is told yet. Whoever makes a program look like one that is summed hides its starts and ends, not what it does besides, and not what a rule on the node matches.',
  },
  'hushwatch.source.report': {
    source: 'agent',
    hook: 'the agent',
    kernel: 'any',
    cost: 'none',
    blind:
      'What is gone from the journal can be counted, not told; the number takes in entries that were none of ours. Of the machine’s own numbers: that reading failed is said when it begins, changes or ends. Of another exporter’s file that was rotated away unread only the time is known; laurel and Tracee do not write there what they lost.',
  },
  'hushwatch.spool.damage': {
    source: 'agent',
    hook: 'the agent, when the shipper or the collector could not read a batch and it cannot either',
    kernel: 'any',
    cost: 'none',
    blind:
      'Whoever may write in the spool can damage a batch, and an agent that lies can say that one was: what is gone is gone, and the alert about the hole stays. How many events it held follows from the counters before and after.',
  },
};

/** Tracepoints that an event rests on, the exit of system calls being one; none for what the sensor does not see. */
export function tracepointsOf({ hook }: Sense): readonly string[] {
  const named = [...hook.matchAll(/\btp_btf\/([a-z0-9_]+)/g)].map((match) => match[1] ?? '');
  return /\bexit of\b/.test(hook) ? [...named, 'sys_exit'] : named;
}

/** The one source, as statements name it, that tells this event; undefined where nobody does. */
export function sourceIn(mode: Mode, name: EventName): Source | 'agent' | undefined {
  const { source } = SENSES[name];
  if (source !== 'sensor') return source;
  return mode === 'ebpf' || LEFT_OF_SENSOR[mode].includes(name) ? mode : undefined;
}

/** Which events each source tells, a row each, by how the kernel is watched. */
export function sourceTable(): string {
  const row = (who: string, of: (mode: Mode) => string): string => `| ${who} | ${MODES.map(of).join(' | ')} |`;
  const listed = (names: readonly EventName[]): string => names.map((name) => `\`${name}\``).join(', ');
  const toldBy = (source: Teller): readonly EventName[] =>
    Object.keys(EVENTS)
      .filter(isEventName)
      .filter((name) => SENSES[name].source === source);
  return [
    `| told by | ${MODES.map((mode) => `\`source: ${mode}\``).join(' | ')} |`,
    '|---|---|---|---|',
    row('the sensor’s part', (mode) =>
      mode === 'ebpf' ? `all ${toldBy('sensor').length} of the kernel` : listed(LEFT_OF_SENSOR[mode]),
    ),
    row('the journal', (mode) => (mode === 'ebpf' ? listed(toldBy('journal')) : 'the same')),
    row('the host', (mode) => (mode === 'ebpf' ? listed(toldBy('host')) : 'the same')),
    row('the agent', (mode) => AGENT[mode]),
  ].join('\n');
}

const AGENT: Readonly<Record<Mode, string>> = {
  ebpf: 'what file events mean, contents of what was written and run, Hushwatch itself',
  'proc-connector': 'changed accounts (without who), Hushwatch itself',
  proc: 'Hushwatch itself',
};

/** `protocol/VOCABULARY.md`. */
export function vocabularyPage(): string {
  const rows = Object.keys(EVENTS).filter(isEventName).map(eventSection);
  return `# Vocabulary

Every event, its attributes, and what it rests on. Made from \`vocabulary.ts\` and \`senses.ts\`; a test holds it to them.
Names follow the OpenTelemetry semantic conventions where these have one. What leaves a node of all this is decided by a ruleset.

## Who tells what

One event, one source, however many could see it.

${sourceTable()}

${rows.join('\n')}`;
}

function eventSection(name: EventName): string {
  const { class: cls, brief, attributes } = EVENTS[name];
  const { source, hook, kernel, cost, blind } = SENSES[name];
  const weaker = MODES.filter((mode) => mode !== 'ebpf' && source === 'sensor' && sourceIn(mode, name) !== undefined);
  const table = attributes.map((attribute) => {
    const { type, sensitivity, brief: what } = ATTRIBUTES[attribute];
    return `| \`${attribute}\` | ${type} | ${sensitivity} | ${what} |`;
  });
  return `## \`${name}\`

${brief}

- class: ${cls}
- told by: the ${source}${weaker.length === 0 ? '' : `; also with ${weaker.map((mode) => `\`${mode}\``).join(', ')}`}
- seen at: ${hook}
- kernel: ${kernel}
- costs: ${cost}
- does not see: ${blind}

| attribute | type | sensitivity | what it is |
|---|---|---|---|
${table.join('\n')}
`;
}
