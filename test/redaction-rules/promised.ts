/** What each shipped ruleset promises, attribute by attribute; written from what reviewers were told, not from its rules. */
import type { RulesetPromises } from './promises.ts';
import type { Places, Promised } from './promises-of-values.ts';
import { GUEST, HOST } from './promised-of-nodes.ts';
import { about, nothing, number, roughly, table, who, words } from './promising.ts';

/** Accounts that Debian or a package of it makes, and our own. */
const ACCOUNTS = words(
  `root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc nobody _apt messagebus sshd syslog
  systemd-network systemd-resolve systemd-timesync systemd-coredump polkitd rtkit ntp chrony _chrony postfix dnsmasq tcpdump tss
  uuidd postgres mysql redis nginx apache docker nogroup hushwatch hushwatch-ship hushwatch-collector`,
);
const GROUPS = words(
  'root daemon sys adm tty disk sudo wheel shadow staff users kmem docker lxd libvirt kvm systemd-journal ssl-cert',
);
const INTERFACES = words(
  `lo eth0 eth1 eth2 eth3 ens3 ens4 ens5 ens18 ens192 enp0s3 enp1s0 enp2s0 wlan0 docker0 virbr0 br0 bond0`,
);
/** Extended attributes that the kernel itself reads. */
const EXTENDED = words(
  `security.capability security.selinux security.ima security.evm security.apparmor security.SMACK64 system.posix_acl_access
  system.posix_acl_default trusted.overlay.opaque trusted.overlay.redirect trusted.overlay.origin`,
);

/** Where a Linux server has names that a distribution, the kernel or a package chose. */
const SERVER: Places = {
  named: [
    '/bin',
    '/sbin',
    '/usr/bin',
    '/usr/sbin',
    '/usr/games',
    '/boot',
    '/dev',
    '/proc',
    '/sys',
    '/lib/**',
    '/lib32/**',
    '/lib64/**',
    '/usr/lib/**',
    '/usr/lib32/**',
    '/usr/lib64/**',
    '/usr/libexec/**',
    '/usr/share/**',
    '/usr/include/**',
    '/etc/pam.d',
    '/etc/security',
    '/etc/selinux/**',
    '/etc/audit',
    '/etc/logrotate.d',
    '/etc/systemd',
    '/var/cache/apt/**',
    '/var/lib/dpkg',
    '/var/lib/dpkg/info',
    '/var/lib/systemd',
    '/var/log/apt',
    '/var/log/nginx',
    '/var/log/apache2',
    '/run/containerd',
    '/run/systemd/**',
    '/proc/#',
    '/proc/#/ns',
    '/proc/#/task/#',
    '/proc/self',
    '/proc/net',
    '/proc/sys/kernel/**',
    '/proc/sys/vm/**',
    '/proc/sys/fs/**',
    '/sys/kernel/**',
    '/sys/module/**',
    '/system.slice',
  ],
  numbered: [
    '/proc/#/task',
    '/proc/#/fd',
    '/proc/self/fd',
    '/dev/pts',
    '/dev/tcp/*',
    '/dev/udp/*',
    '/dev/tcp/#',
    '/dev/udp/#',
  ],
  users: ['/home', '/media', '/var/mail', '/var/spool/cron', '/var/spool/cron/crontabs', '/var/spool/mail'],
};

const place: Promised = { says: 'place', families: { names: 'path', users: 'user' }, places: SERVER };
const group: Promised = { says: 'place', families: { names: 'cgroup', users: 'cgroup' }, places: SERVER };
const command: Promised = {
  says: 'command',
  families: { names: 'path', users: 'user', values: 'value', hosts: 'host' },
  places: SERVER,
  digits: 5,
  values: 'pseudonym',
};
const address: Promised = { says: 'address', family: 'address', readable: ['loopback', 'unspecified'] };
const context: Promised = { says: 'without', parts: [['zanzibar_u:staff_r:staff_t:s0', 'zanzibar']] };
const unit: Promised = {
  says: 'without',
  parts: [
    ['backup@zanzibar.service', 'zanzibar'],
    ['user-1000.slice', '1000'],
    ['job-4711.service', '4711'],
  ],
};

const GENERIC = table([
  [
    nothing,
    'process.executable.inode process.executable.device process.parent.command_args file.inode file.device file.hashes host.name hushwatch.sum.name hushwatch.sum.of hushwatch.sum.count hushwatch.sum.duration',
  ],
  [who('entity', 12), 'process.entity.id process.parent.entity.id process.target.entity.id'],
  [
    place,
    'process.executable.path process.parent.executable.path process.ancestors process.working_directory process.target.executable.path',
  ],
  [
    place,
    'process.script.path file.path file.target.path service.name task.name system.device system.filesystem.mountpoint network.unix.path host.disks host.mountpoints',
  ],
  [group, 'process.linux.cgroup'],
  [command, 'process.command_args user.switch.command_args'],
  [
    number('user id'),
    'process.executable.owner.id process.user.id process.real_user.id process.saved_user.id process.audit.user.id process.target.user.id',
  ],
  [number('user id'), 'file.owner.id user.id'],
  [number('group id'), 'process.group.id file.group.id user.group.id'],
  [
    who('user', 16, ACCOUNTS),
    'process.user.name file.owner.name user.name user.effective.name user.group.members.added user.group.members.removed',
  ],
  [who('group', 16, GROUPS), 'user.group.name'],
  [who('path', 10), 'file.name'],
  [who('container'), 'container.id'],
  [who('content', 26), 'file.script.hash.sha256'],
  [who('key'), 'session.key.fingerprint'],
  [address, 'network.peer.address network.local.address source.address dns.answers'],
  [who('host', 10), 'dns.question.name'],
  [{ says: 'one of', listed: EXTENDED }, 'file.attribute.name'],
  [{ says: 'one of', listed: INTERFACES }, 'host.interfaces'],
  [unit, 'systemd.unit'],
  [context, 'process.selinux.context security.source.context security.target.context'],
  [about(0.1), 'process.lifetime'],
  [about(1024), 'file.size'],
  [about(0.5), 'file.entropy system.cpu.load_average.1m'],
  [about(4096), 'file.bytes_written'],
  [about(2 ** 30), 'host.memory.size'],
  [about(0.05), 'system.cpu.utilization system.memory.utilization system.filesystem.utilization'],
  [about(3600), 'system.uptime'],
  [about(0.05), 'system.paging.utilization'],
  [about(0.1), 'system.pressure.cpu system.pressure.memory system.pressure.io'],
  [about(50), 'system.process.count'],
  [roughly(2 ** 22), 'system.disk.io.read system.disk.io.write system.network.io.receive system.network.io.transmit'],
  [roughly(500), 'system.disk.operations.read system.disk.operations.write'],
  [roughly(5000), 'system.network.packet.receive system.network.packet.transmit'],
  [who('interface', 16, INTERFACES), 'network.interface.name'],
  [{ ...command, digits: 3 }, 'os.kernel.command_args'],
  [about(65_536), 'network.flow.sent.size network.flow.received.size'],
  [about(10), 'network.flow.duration'],
  [about(0.001), 'hushwatch.blind.duration'],
  // Numbers that the kernel counts, and of which the ruleset says why they may be told.
  [{ says: 'clear' }, 'process.audit.session.id session.id event.repeats'],
]);

export const PROMISED: Readonly<Record<string, RulesetPromises>> = {
  'generic-linux': { resolution: 1e3, epoch: 30 * 8.64e10, attributes: GENERIC },
  guestos: {
    resolution: 1e6,
    epoch: 7 * 8.64e10,
    attributes: GUEST,
    shared: new Set(['program', 'program user', 'content']),
  },
  hostos: { resolution: 1e5, epoch: 30 * 8.64e10, attributes: HOST },
};
