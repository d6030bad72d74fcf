/** The rows of the coverage page, and what each deed of `coverage.c` must tell: this, so often, and nothing else. */
/** How often, by the name of the event. */
export type Tally = Readonly<Record<string, number>>;

export interface Deed {
  readonly each: Tally;
  /** What it does once, before the first. */
  readonly once?: Tally;
}

export interface CoverageRow {
  readonly row: string;
  readonly deed?: string;
  /** Undefined: a gap, and the note says why. */
  readonly event?: string;
  /** Attributes that the event must have. */
  readonly like?: Readonly<Record<string, string | boolean | RegExp>>;
  /** Not the deed of one process: so often at least, whoever did it. */
  readonly everywhere?: number;
  readonly note?: string;
}

const RUN: Tally = { 'process.fork': 1, 'process.exec': 1, 'process.exit': 1 };
const CHILD: Tally = { 'process.fork': 1, 'process.exit': 1 };
const MADE: Tally = { 'file.open': 1 };
const WRITTEN: Tally = { 'file.open': 1, 'file.modify': 1 };

export const DEEDS: Readonly<Record<string, Deed>> = {
  exec: { each: RUN },
  script: { each: { ...RUN, ...WRITTEN, 'file.inspect': 1 } },
  'memory-file': { each: { ...RUN, 'file.memory.create': 1, 'file.modify': 1, 'file.inspect': 1 } },
  dropped: { each: { ...RUN, ...WRITTEN, 'file.inspect': 1 } },
  deleted: { each: { ...RUN, ...WRITTEN, 'file.delete': 1, 'file.inspect': 1 } },
  image: { each: { ...WRITTEN, 'process.image.load': 1 } },
  trace: { each: { ...CHILD, 'process.trace': 1 } },
  access: { each: { ...CHILD, 'process.access': 1 } },
  signal: { each: { ...CHILD, 'process.credentials.change': 1, 'process.signal': 1 } },
  memory: { each: { 'process.memory.executable': 1 } },
  create: { each: MADE },
  modify: { each: WRITTEN },
  delete: { each: { ...MADE, 'file.delete': 1 } },
  rename: { each: { ...MADE, 'file.rename': 1 } },
  link: { each: { ...MADE, 'file.link': 1 } },
  symlink: { each: { 'file.link': 1 } },
  mode: { each: { ...MADE, 'file.mode.change': 1 } },
  owner: { each: { ...MADE, 'file.owner.change': 1 } },
  directory: { each: { 'file.create': 1 } },
  truncate: { each: { ...MADE, 'file.truncate': 1 } },
  attribute: { each: { ...MADE, 'file.attribute.change': 1 } },
  mount: {
    each: { 'file.create': 1, 'system.filesystem.mount': 1, 'system.filesystem.unmount': 1 },
    once: { 'process.namespace.change': 1, 'system.filesystem.mount': 1 },
  },
  'raw-device': { each: { 'file.create': 1, 'file.open': 1 } },
  parameter: { each: WRITTEN },
  service: {
    each: {
      'process.fork': 3,
      'process.exit': 3,
      'file.open': 2,
      'file.modify': 2,
      'file.delete': 1,
      'service.create': 1,
      'service.change': 1,
      'service.delete': 1,
    },
  },
  task: {
    each: {
      'process.fork': 3,
      'process.exit': 3,
      'file.open': 2,
      'file.modify': 2,
      'file.delete': 1,
      'task.schedule.create': 1,
      'task.schedule.change': 1,
      'task.schedule.delete': 1,
    },
  },
  tcp: {
    each: { 'network.listen': 1, 'network.connect': 1, 'network.accept': 1, 'network.flow.end': 2 },
    once: { 'process.namespace.change': 1 },
  },
  datagram: { each: { 'network.send': 1 }, once: { 'process.namespace.change': 1 } },
  bind: { each: { 'network.bind': 1 }, once: { 'process.namespace.change': 1 } },
  name: {
    each: { 'network.send': 2, 'dns.query': 1, 'dns.answer': 1 },
    once: { 'process.namespace.change': 1, 'network.bind': 1 },
  },
  unix: { each: { 'network.listen': 1, 'network.connect': 1, 'network.accept': 1 } },
  'raw-socket': { each: { 'network.socket.create': 1 } },
  vsock: { each: { 'network.socket.create': 1, 'network.bind': 1, 'network.listen': 1 } },
  credentials: { each: { 'process.credentials.change': 1 } },
  capabilities: { each: { 'process.capabilities.change': 1 } },
  namespace: { each: { 'process.namespace.change': 1 } },
  key: { each: { 'process.key.use': 1 } },
  'bpf-program': { each: { 'kernel.bpf.load': 1 } },
  'bpf-map': { each: { 'kernel.bpf.object': 1 } },
  kexec: { each: { 'kernel.kexec': 1 } },
  'module-load': { each: { 'kernel.module.load': 1 } },
  'module-unload': { each: { 'kernel.module.unload': 1 } },
  ring: { each: { 'kernel.io_uring.create': 1 } },
  performance: { each: { 'kernel.perf_event.open': 1 } },
};

/** The public EDR-Telemetry comparison for Linux, in its own words. */
const COMPARISON: readonly CoverageRow[] = [
  { row: 'Process Creation', deed: 'exec', event: 'process.exec' },
  { row: 'Process Termination', deed: 'exec', event: 'process.exit' },
  { row: 'File Creation', deed: 'create', event: 'file.open', like: { 'file.open.created': true } },
  { row: 'File Modification', deed: 'modify', event: 'file.modify' },
  { row: 'File Deletion', deed: 'delete', event: 'file.delete' },
  { row: 'User Logon', note: 'From the journal: `session.start`, held to it by `test/e2e/journal.test.ts`.' },
  { row: 'User Logoff', note: 'From the journal: `session.end`, as above.' },
  { row: 'Logon Failed', note: 'From the journal: `session.failure`, as above.' },
  {
    row: 'Script Content',
    deed: 'script',
    event: 'file.inspect',
    like: { 'file.script.hash.sha256': /./ },
    note: 'Size, type and SHA-256 of the script; its content never.',
  },
  { row: 'Network Connection', deed: 'tcp', event: 'network.connect' },
  { row: 'Network Socket Listen', deed: 'tcp', event: 'network.listen' },
  { row: 'DNS Query', deed: 'name', event: 'dns.query' },
  { row: 'Scheduled Task', deed: 'task', event: 'task.schedule.create' },
  { row: 'User Account Created', event: 'user.account.create', everywhere: 100 },
  { row: 'User Account Modified', event: 'user.account.change', everywhere: 100 },
  { row: 'User Account Deleted', event: 'user.account.delete', everywhere: 100 },
  {
    row: 'Driver Load',
    deed: 'module-load',
    event: 'kernel.module.load',
    note: 'Refused here: this kernel has no modules. Loaded on Debian’s kernel by `test/e2e/kernel.test.ts`.',
  },
  {
    row: 'Image Load',
    deed: 'image',
    event: 'process.image.load',
    note: 'From unusual places; what lies in /usr/lib is not told.',
  },
  { row: 'eBPF Event', deed: 'bpf-program', event: 'kernel.bpf.load' },
  { row: 'Raw Access Read', deed: 'raw-device', event: 'file.open', like: { 'file.open.access': 'read' } },
  { row: 'Process Access', deed: 'access', event: 'process.access' },
  { row: 'Process Tampering', deed: 'trace', event: 'process.trace' },
  { row: 'Service Creation', deed: 'service', event: 'service.create' },
  { row: 'Service Modification', deed: 'service', event: 'service.change' },
  { row: 'Service Deletion', deed: 'service', event: 'service.delete' },
  { row: 'Agent Start', event: 'hushwatch.start', like: { 'hushwatch.component': 'agent' }, everywhere: 1 },
  { row: 'Agent Stop', event: 'hushwatch.stop', everywhere: 1 },
  { row: 'MD5', note: 'Only where a rule asks: it identifies nothing that SHA-256 does not, and can be forged.' },
  {
    row: 'SHA',
    deed: 'dropped',
    event: 'file.inspect',
    like: { 'file.hash.sha256': /./ },
    note: 'SHA-256 of what was written and then run.',
  },
  {
    row: 'Fuzzy Hash, IMPHASH',
    note: 'Not made. An import hash is of Windows programs; a fuzzy hash tells of the content what a redacted event must not.',
  },
];

/** What we ask of ourselves beyond it. */
const OURS: readonly CoverageRow[] = [
  { row: 'name changed', deed: 'rename', event: 'file.rename' },
  { row: 'hard link made', deed: 'link', event: 'file.link', like: { 'file.link.type': 'hard' } },
  { row: 'symbolic link made', deed: 'symlink', event: 'file.link', like: { 'file.link.type': 'symbolic' } },
  { row: 'permissions changed', deed: 'mode', event: 'file.mode.change' },
  { row: 'owner changed', deed: 'owner', event: 'file.owner.change' },
  { row: 'directory made', deed: 'directory', event: 'file.create' },
  { row: 'file cut', deed: 'truncate', event: 'file.truncate' },
  { row: 'extended attribute set', deed: 'attribute', event: 'file.attribute.change' },
  { row: 'file system mounted', deed: 'mount', event: 'system.filesystem.mount' },
  { row: 'file system unmounted', deed: 'mount', event: 'system.filesystem.unmount' },
  { row: 'kernel parameter written', deed: 'parameter', event: 'file.modify' },
  { row: 'memory file made', deed: 'memory-file', event: 'file.memory.create' },
  { row: 'memory file run', deed: 'memory-file', event: 'process.exec', like: { 'process.executable.memfd': true } },
  { row: 'deleted program run', deed: 'deleted', event: 'process.exec', like: { 'process.executable.deleted': true } },
  { row: 'memory made executable', deed: 'memory', event: 'process.memory.executable' },
  { row: 'signal to another user’s process', deed: 'signal', event: 'process.signal' },
  { row: 'credentials changed', deed: 'credentials', event: 'process.credentials.change' },
  { row: 'capabilities changed', deed: 'capabilities', event: 'process.capabilities.change' },
  { row: 'namespace left', deed: 'namespace', event: 'process.namespace.change' },
  { row: 'key added', deed: 'key', event: 'process.key.use' },
  { row: 'connection accepted', deed: 'tcp', event: 'network.accept' },
  { row: 'connection ended, with its bytes', deed: 'tcp', event: 'network.flow.end' },
  { row: 'datagram to a new peer', deed: 'datagram', event: 'network.send' },
  { row: 'datagram socket bound', deed: 'bind', event: 'network.bind' },
  { row: 'name answered', deed: 'name', event: 'dns.answer' },
  { row: 'Unix socket by path', deed: 'unix', event: 'network.connect', like: { 'network.transport': 'unix' } },
  { row: 'raw socket', deed: 'raw-socket', event: 'network.socket.create' },
  { row: 'vsock', deed: 'vsock', event: 'network.listen' },
  { row: 'BPF map made', deed: 'bpf-map', event: 'kernel.bpf.object' },
  { row: 'kernel replaced (kexec)', deed: 'kexec', event: 'kernel.kexec', note: 'Refused, as it should be.' },
  {
    row: 'module unloaded',
    deed: 'module-unload',
    event: 'kernel.module.unload',
    note: 'Refused here; unloaded on Debian’s kernel by `test/e2e/kernel.test.ts`.',
  },
  { row: 'io_uring made', deed: 'ring', event: 'kernel.io_uring.create' },
  { row: 'performance event opened', deed: 'performance', event: 'kernel.perf_event.open' },
  { row: 'seccomp and LSM denials', note: 'From the journal: `security.avc.denied`, `security.seccomp.denied`.' },
  { row: 'sudo and su', note: 'From the journal: `user.switch`.' },
  {
    row: 'agent crash',
    event: 'hushwatch.crash',
    everywhere: 1,
    note: 'Told by the next life, with how long nothing was seen; silence alerts meanwhile.',
  },
  {
    row: 'rules changed',
    note: 'Told as `hushwatch.ruleset.change` when the rules are not those of the last statement: `test/agent/self.test.ts`.',
  },
];

export const ROWS: readonly CoverageRow[] = [...COMPARISON, ...OURS];
