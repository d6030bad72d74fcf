/** What no process of ours may do, and the few things that one of them may, each with the reason. */
export const FORBIDDEN = [
  'shell',
  'become-root',
  'become-other',
  'user-namespace',
  'network-namespace',
  'chroot',
  'mount',
  'ptrace',
  'read-memory',
  'signal',
  'hostname',
  'personality',
  'realtime',
  'bpf',
  'perf',
  'io-uring',
  'keyring',
  'module',
  'clock',
  'swap',
  'reboot',
  'write-execute',
  'internet',
  'internet-collector',
  'netlink',
  'packet',
  'vsock',
  'write-etc',
  'write-usr',
  'write-home',
  'write-group',
  'make-device',
] as const;
export type Attempt = (typeof FORBIDDEN)[number];

export interface ConfinedProcess {
  readonly unit: string;
  /** Another of ours, to meddle with. */
  readonly sibling: string;
  readonly may: Readonly<Partial<Record<Attempt, string>>>;
  /** Files that others may read and this one may not. */
  readonly unreadable: readonly string[];
}

const JIT = 'Node compiles JavaScript';

export const ON_NODES: readonly ConfinedProcess[] = [
  {
    unit: 'hushwatch-agent',
    sibling: 'hushwatch-sensor',
    may: { 'write-execute': JIT },
    unreadable: ['/etc/shadow', '/etc/hushwatch/tls.key', '/etc/hushwatch/shipper.yaml'],
  },
  {
    unit: 'hushwatch-sensor',
    sibling: 'hushwatch-agent',
    may: {
      bpf: 'its programs; what it may once they are loaded is tested of the running sensor',
    },
    unreadable: [
      '/etc/shadow',
      '/etc/hushwatch/agent.yaml',
      '/var/lib/hushwatch/identity.key',
      '/etc/hushwatch/tls.key',
    ],
  },
  {
    unit: 'hushwatch-shipper',
    sibling: 'hushwatch-agent',
    may: { 'internet-collector': 'it is what it is for' },
    unreadable: [
      '/etc/shadow',
      '/var/lib/hushwatch/identity.key',
      '/var/lib/hushwatch/pseudonym.key',
      '/etc/hushwatch/agent.yaml',
      '/run/hushwatch/agent.sock',
    ],
  },
];

export const ON_COLLECTORS: readonly ConfinedProcess[] = [
  {
    unit: 'hushwatch-collector',
    sibling: 'systemd-journald',
    may: {
      'write-execute': JIT,
      internet: 'nodes and webhooks may be anywhere; an operator narrows it',
      'internet-collector': 'the same',
    },
    unreadable: ['/etc/shadow', '/root/reviewer/one.key'],
  },
  {
    unit: 'hushwatch-witness',
    sibling: 'hushwatch-collector',
    may: { internet: 'logs may be anywhere; an operator narrows it', 'internet-collector': 'the same' },
    unreadable: ['/etc/shadow', '/root/reviewer/one.key', '/var/lib/hushwatch-collector/log.key'],
  },
];
