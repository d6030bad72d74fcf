/** What `guestos` and `hostos` promise, attribute by attribute; written from what IC-OS is, not from their rules. */
import type { RulesetPromises } from './promises.ts';
import type { Places, Promised } from './promises-of-values.ts';
import { about, nothing, number, roughly, table, who, words } from './promising.ts';

const DISTRIBUTION = `root daemon bin sys sync man lp mail news uucp proxy www-data list irc nobody _apt messagebus sshd syslog systemd-network
  systemd-resolve systemd-timesync systemd-coredump systemd-journal-gateway _chrony tss uuidd node_exporter metrics-proxy
  admin readonly backup hushwatch hushwatch-ship ic-replica`;
const GUEST_ACCOUNTS = words(`${DISTRIBUTION} ic-csp-vault ic-http-adapter socks recovery`);
const HOST_ACCOUNTS = words(`${DISTRIBUTION} polkitd dnsmasq libvirt-qemu libvirt-dnsmasq limited-console`);
const POWER = 'root daemon sys adm tty disk sudo shadow kmem systemd-journal backup';
const GUEST_GROUPS = words(
  `${POWER} nonconfidential vsock ic-csp-vault ic-csp-vault-socket ic-http-adapter ic-consensus-pool ic-registry-local-store`,
);
const HOST_GROUPS = words(`${POWER} kvm libvirt libvirt-qemu`);
const NOWHERE = words('127.0.0.1 ::1 0.0.0.0 ::');
const ATTRIBUTES_OF_FILES = `security.capability security.selinux security.ima security.evm system.posix_acl_access system.posix_acl_default`;
const HOST_ATTRIBUTES = words(
  `${ATTRIBUTES_OF_FILES} security.apparmor trusted.libvirt.security.dac trusted.libvirt.security.ref_dac`,
);

const IMAGE = `/bin /sbin /lib/** /lib64/** /usr/bin /usr/sbin /usr/lib/** /usr/lib64/** /usr/libexec/** /usr/share/** /opt/ic/bin /opt/ic/share
  /boot/grub /etc/pam.d /run/node_exporter/collector_textfile /run/systemd/journal /dev /proc/self /proc/sys/kernel/** /proc/sys/vm/**
  /sys/kernel/** /sys/module/** /sys /system.slice`;
const USERS = ['/home', '/var/spool/cron/crontabs'];

const INSIDE: Places = {
  named: [
    ...words(`${IMAGE} /usr/local/bin /run/ic-node/etc/ssh /etc/selinux/** /etc/systemd/system/** /sys/fs/selinux/** /proc/* /proc/*/task/*
      /run/ic-node/bitcoin-mainnet-adapter /run/ic-node/bitcoin-testnet-adapter
      /run/ic-node/dogecoin-mainnet-adapter /run/ic-node/dogecoin-testnet-adapter`),
  ],
  numbered: ['/dev/pts'],
  users: USERS,
  silent: [
    '/var/lib/ic/data',
    '/var/lib/ic/data/ic_state',
    '/var/lib/ic/data/ic_state/page_deltas',
    '/var/lib/ic/data/ic_consensus_pool',
    '/var/lib/ic/backup',
    '/var/lib/ic/crypto',
  ],
};
const OUTSIDE: Places = {
  named: [...words(`${IMAGE} /boot /var/log/libvirt/qemu /etc/libvirt /proc /proc/# /proc/#/task/#`)],
  numbered: ['/dev/pts', '/proc', '/proc/#/task'],
  users: USERS,
};

const place = (places: Places, names = 'path', users = 'user'): Promised => ({
  says: 'place',
  families: { names, users },
  places,
});
const command = (places: Places, digits: number): Promised => ({
  says: 'command',
  families: { names: 'path', users: 'user', hosts: 'host' },
  places,
  digits,
  values: 'gone',
});
const unit = (...parts: readonly (readonly [string, string])[]): Promised => ({
  says: 'without',
  parts: [
    ['user@zanzibar.1.service', 'zanzibar'],
    ['user@1.zanzibar.service', 'zanzibar'],
    ['job-4711.service', '4711'],
    ...parts,
  ],
});
const USER_OF_CONTEXT = ['zanzibar_u:staff_r:staff_t:s0', 'zanzibar'] as const;

/** What both say in the same way. */
const BOTH: readonly (readonly [Promised, string])[] = [
  [
    nothing,
    'process.executable.inode process.executable.device process.parent.command_args file.inode file.device file.hashes host.name source.port',
  ],
  [
    nothing,
    `os.kernel.command_args system.device.count system.paging.utilization system.pressure.cpu system.pressure.memory system.pressure.io system.process.count
    system.disk.io.read system.disk.io.write system.disk.operations.read system.disk.operations.write
    system.network.io.receive system.network.io.transmit system.network.packet.receive system.network.packet.transmit`,
  ],
  [who('entity', 12), 'process.entity.id process.parent.entity.id process.target.entity.id'],
  [
    number('user id'),
    'process.executable.owner.id process.user.id process.real_user.id process.saved_user.id process.audit.user.id process.target.user.id',
  ],
  [number('user id'), 'file.owner.id user.id'],
  [number('group id'), 'process.group.id file.group.id user.group.id'],
  [who('container'), 'container.id'],
  [who('key'), 'session.key.fingerprint'],
  [about(0.5), 'file.entropy'],
  [about(2 ** 30), 'host.memory.size'],
  [about(0.05), 'system.filesystem.utilization'],
  [about(3600), 'system.uptime'],
  [about(0.001), 'hushwatch.blind.duration'],
  [roughly(0.1), 'system.cpu.utilization system.memory.utilization'],
  [roughly(4), 'system.cpu.load_average.1m'],
  [{ says: 'clear' }, 'process.audit.session.id session.id'],
];
const NAMES_OF_USERS =
  'process.user.name file.owner.name user.name user.effective.name user.group.members.added user.group.members.removed';
const PROGRAMS =
  'process.executable.path process.parent.executable.path process.ancestors process.target.executable.path process.script.path';
const PATHS =
  'process.working_directory file.path file.target.path service.name task.name system.device system.filesystem.mountpoint network.unix.path host.disks host.mountpoints';
const ADDRESSES = 'network.peer.address network.local.address source.address';

export const GUEST: RulesetPromises['attributes'] = table([
  ...BOTH,
  [nothing, 'process.pid process.parent_pid process.target.pid file.name dns.question.name dns.answers'],
  [place(INSIDE, 'program', 'program user'), PROGRAMS],
  [place(INSIDE), PATHS],
  [place(INSIDE, 'cgroup', 'cgroup'), 'process.linux.cgroup'],
  [command(INSIDE, 1), 'process.command_args user.switch.command_args'],
  [who('user', 16, GUEST_ACCOUNTS), NAMES_OF_USERS],
  [who('group', 16, GUEST_GROUPS), 'user.group.name'],
  [who('content', 26), 'file.hash.sha256 file.script.hash.sha256'],
  [who('address', 12, NOWHERE), ADDRESSES],
  [{ says: 'one of', listed: words(ATTRIBUTES_OF_FILES) }, 'file.attribute.name'],
  [{ says: 'one of', listed: words('lo eth0 enp1s0 enp2s0') }, 'host.interfaces network.interface.name'],
  [unit(['backup@7.service', '7']), 'systemd.unit'],
  [
    { says: 'without', parts: [USER_OF_CONTEXT] },
    'process.selinux.context security.source.context security.target.context',
  ],
  [about(65_536), 'file.size'],
  [roughly(2 ** 20), 'file.bytes_written network.flow.sent.size network.flow.received.size'],
  [roughly(60), 'process.lifetime network.flow.duration'],
  [roughly(10), 'event.repeats'],
  // What it may tell is promised of the sums.
  [{ says: 'clear' }, 'hushwatch.sum.count'],
]);

const MACHINE = ['libvirt-123e4567-e89b-12d3-a456-426614174000', '123e4567'] as const;

export const HOST: RulesetPromises['attributes'] = table([
  ...BOTH,
  [nothing, 'hushwatch.sum.name hushwatch.sum.of hushwatch.sum.count hushwatch.sum.duration'],
  [place(OUTSIDE), `${PROGRAMS} ${PATHS}`],
  [place(OUTSIDE, 'cgroup', 'cgroup'), 'process.linux.cgroup'],
  [command(OUTSIDE, 2), 'process.command_args user.switch.command_args'],
  [who('user', 16, HOST_ACCOUNTS), NAMES_OF_USERS],
  [who('group', 16, HOST_GROUPS), 'user.group.name'],
  [who('path', 10), 'file.name'],
  [who('content', 26), 'file.script.hash.sha256'],
  [who('peer', 12, NOWHERE), `${ADDRESSES} dns.answers`],
  [who('host', 10), 'dns.question.name'],
  [{ says: 'one of', listed: HOST_ATTRIBUTES }, 'file.attribute.name'],
  [
    { says: 'one of', listed: words('lo eth0 eth1 br0 br6 bond0 bond6 virbr0 vnet0 vnet1 vnet2 vnet3') },
    'host.interfaces network.interface.name',
  ],
  [unit(['guestos@123.service', '123']), 'systemd.unit'],
  [{ says: 'without', parts: [USER_OF_CONTEXT] }, 'process.selinux.context'],
  [{ says: 'without', parts: [USER_OF_CONTEXT, MACHINE] }, 'security.source.context security.target.context'],
  [about(1), 'process.lifetime'],
  [about(1024), 'file.size'],
  [about(2 ** 24), 'file.bytes_written network.flow.sent.size network.flow.received.size'],
  [about(60), 'network.flow.duration'],
  [{ says: 'clear' }, 'event.repeats'],
]);
