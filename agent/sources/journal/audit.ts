/**
 * Denials, in the kernel's own words: AVC records of SELinux and AppArmor, and seccomp.
 *
 *     audit: type=1400 audit(1700000000.123:456): avc:  denied  { read } for  pid=4711 comm="cat" …     kernel log
 *     AVC avc:  denied  { read } for  pid=4711 comm="cat" …                                             audit socket
 *
 * Both may tell the same record: its time and serial number say so. The kernel quotes strings that it does not trust, or
 * writes them in hexadecimal, so no name can pretend to be another field.
 */
import type { Entry } from './entry.ts';
import { numberOf } from './entry.ts';
import type { DenialFact, SeccompFact } from './fact.ts';

interface Record {
  readonly type: string;
  readonly id: string;
  readonly body: string;
}

const KERNEL_LINE = /^audit: type=(\d{4}) audit\((\d{1,12})\.(\d{3}):(\d{1,12})\): +(.*)$/s;
const TYPES = new Map([
  ['1400', 'AVC'],
  ['1107', 'USER_AVC'],
  ['1326', 'SECCOMP'],
]);
/** The kernel's log may cut a record that the audit socket has whole. */
const ID_CHARACTERS = 240;
const NOBODY = 4_294_967_295;

export function parseKernel({ message }: Entry): DenialFact | SeccompFact | undefined {
  const [, number = '', seconds, milliseconds, serial, body = ''] = KERNEL_LINE.exec(message) ?? [];
  const type = TYPES.get(number);
  return type === undefined ? undefined : parseRecord({ type, id: `${seconds}${milliseconds}:${serial}`, body });
}

export function parseAudit({ message, fields }: Entry): DenialFact | SeccompFact | undefined {
  const type = fields.get('_AUDIT_TYPE_NAME') ?? '';
  if (![...TYPES.values()].includes(type)) return undefined;
  const milliseconds = (fields.get('_SOURCE_REALTIME_TIMESTAMP') ?? '').slice(0, -3);
  const body = message.startsWith(`${type} `) ? message.slice(type.length + 1).trimStart() : message;
  return parseRecord({ type, id: `${milliseconds}:${fields.get('_AUDIT_ID') ?? ''}`, body });
}

function parseRecord(record: Record): DenialFact | SeccompFact | undefined {
  const id = `${record.id}:${record.body.slice(0, ID_CHARACTERS)}`;
  if (record.type === 'SECCOMP') return seccomp(id, fieldsOf(record.body));
  const at = record.body.indexOf('avc:');
  return at >= 0 ? selinux(id, record.body.slice(at)) : apparmor(id, fieldsOf(record.body));
}

function selinux(id: string, body: string): DenialFact | undefined {
  const denied = /^avc: {1,4}denied {1,4}\{ ([a-z0-9_ ]{1,400}) \} for /.exec(body);
  if (denied === null) return undefined;
  const fields = fieldsOf(body);
  return {
    kind: 'denial',
    id,
    module: 'selinux',
    pid: numberOf(fields.get('pid') ?? fields.get('spid')),
    executable: absolute(fields.get('exe')),
    path: absolute(fields.get('path')),
    name: fields.get('name'),
    sourceContext: context(fields.get('scontext')),
    targetContext: context(fields.get('tcontext')),
    targetClass: word(fields.get('tclass')),
    permissions: (denied[1] ?? '').split(' '),
    permissive: fields.get('permissive') === '1',
  };
}

function apparmor(id: string, fields: ReadonlyMap<string, string>): DenialFact | undefined {
  const verdict = fields.get('apparmor');
  if (verdict !== 'DENIED' && verdict !== 'ALLOWED' && verdict !== 'KILLED') return undefined;
  const denied = word(fields.get('denied_mask') ?? fields.get('denied') ?? fields.get('capname'));
  return {
    kind: 'denial',
    id,
    module: 'apparmor',
    pid: numberOf(fields.get('pid')),
    path: absolute(fields.get('name')),
    sourceContext: fields.get('profile'),
    targetClass: word(fields.get('operation')),
    permissions: denied === undefined ? [] : [denied],
    permissive: verdict === 'ALLOWED',
  };
}

const ACTIONS = new Map([
  [0x8000_0000, 'kill-process'],
  [0x0000_0000, 'kill-thread'],
  [0x0003_0000, 'trap'],
  [0x0005_0000, 'errno'],
  [0x7fc0_0000, 'user-notify'],
  [0x7ff0_0000, 'trace'],
  [0x7ffc_0000, 'log'],
]);
const ARCHITECTURES = new Map([
  ['c000003e', 'amd64'],
  ['40000003', 'x86'],
  ['c00000b7', 'arm64'],
  ['40000028', 'arm32'],
]);

function seccomp(id: string, fields: ReadonlyMap<string, string>): SeccompFact | undefined {
  const syscall = numberOf(fields.get('syscall'));
  const code = /^0x([0-9a-f]{1,8})$/.exec(fields.get('code') ?? '')?.[1];
  const arch = /^[0-9a-f]{1,8}$/.exec(fields.get('arch') ?? '')?.[0];
  if (syscall === undefined || code === undefined || arch === undefined) return undefined;
  const action = (Number.parseInt(code, 16) & 0xffff_0000) >>> 0;
  return {
    kind: 'seccomp',
    id,
    pid: numberOf(fields.get('pid')),
    uid: numberOf(fields.get('uid')),
    loginUid: somebody(fields.get('auid')),
    auditSession: somebody(fields.get('ses')),
    executable: absolute(fields.get('exe')),
    signal: numberOf(fields.get('sig')),
    syscall,
    architecture: ARCHITECTURES.get(arch) ?? arch,
    action: ACTIONS.get(action) ?? code,
  };
}

/** `key=value` and `key="value"`; the first of each key counts. Untrusted strings are quoted, or hexadecimal without quotes. */
function fieldsOf(body: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const [, key = '', , quoted, bare] of body.matchAll(
    /(?:^|[ '])([a-z_]{1,24})=("([^"]{0,4096})"|([^\s"']{1,4096}))/g,
  ))
    if (!fields.has(key)) fields.set(key, quoted ?? (UNTRUSTED.has(key) ? decoded(bare ?? '') : (bare ?? '')));
  return fields;
}

const UNTRUSTED = new Set(['comm', 'exe', 'path', 'name', 'profile']);

const decoded = (text: string): string =>
  /^(?:[0-9A-F]{2})+$/.test(text) ? Buffer.from(text, 'hex').toString('utf8') : text;
const absolute = (text: string | undefined): string | undefined => (text?.startsWith('/') === true ? text : undefined);
const word = (text: string | undefined): string | undefined => /^[\w-]{1,64}$/.exec(text ?? '')?.[0];
const context = (text: string | undefined): string | undefined => /^[\w.:,-]{1,512}$/.exec(text ?? '')?.[0];
function somebody(text: string | undefined): number | undefined {
  const id = numberOf(text);
  return id === NOBODY ? undefined : id;
}
