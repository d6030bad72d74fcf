/**
 * Who may say what. Any user can log `Accepted password for root` under the name sshd; so a line counts only when journald's
 * own fields, which no sender can set, name the program that alone says such things.
 *
 *     sshd, login, logind, PAM   sent by user 0, from a program of that name: root alone can pretend, and root can anything
 *     sudo, su                   sent by the user who calls, from the program's own path
 *     kernel, audit              came by the kernel's own way
 *
 * journald looks the program up after it was sent the line: of a program that is gone by then it knows user and process id,
 * which the kernel attached, and no more. Then the sensor's memory of that process decides, if there is one.
 */
import { basename } from 'node:path';
import { parseAudit, parseKernel } from './audit.ts';
import type { Entry } from './entry.ts';
import type { Fact } from './fact.ts';
import { parseLogin } from './login.ts';
import { parseLogind } from './logind.ts';
import { parsePam } from './pam.ts';
import { parseSshd } from './sshd.ts';
import { parseSu, parseSudo } from './sudo.ts';

/** What this machine itself knows of who sent an entry; nothing where the journal is another machine's. */
export interface Witness {
  /** Executable of the sender, as the sensor saw it. */
  executable(entry: Entry): string | undefined;
  /** User id of that name. */
  userId(entry: Entry, name: string): number | undefined;
}

export type Told = { readonly fact: Fact } | 'refused' | undefined;

interface Speaker {
  readonly parse: (entry: Entry) => Fact | undefined;
  readonly isTrusted: (entry: Entry, witness: Witness, fact: Fact) => boolean;
}

const byRoot =
  (...programs: readonly string[]): Speaker['isTrusted'] =>
  ({ fields }) => {
    if (fields.get('_UID') !== '0') return false;
    const executable = fields.get('_EXE');
    return executable === undefined || programs.length === 0 || programs.includes(basename(executable));
  };

/** Whoever calls sends it, and may be told about as nobody else. */
const byCaller =
  (...paths: readonly string[]): Speaker['isTrusted'] =>
  (entry, witness, fact) => {
    if (!paths.includes(entry.fields.get('_EXE') ?? witness.executable(entry) ?? '')) return false;
    const id = fact.kind === 'switch' && fact.by !== undefined ? witness.userId(entry, fact.by) : undefined;
    return id === undefined || String(id) === entry.fields.get('_UID');
  };

const isKernel: Speaker['isTrusted'] = ({ fields }) =>
  // Facility 0 is the kernel's; what root writes into its log has another.
  fields.get('_TRANSPORT') === 'kernel' && fields.get('SYSLOG_FACILITY') === '0';

const sshd: Speaker = {
  parse: ({ message }) => parseSshd(message) ?? parsePam(message),
  isTrusted: byRoot('sshd', 'sshd-session', 'sshd-auth'),
};

/** By the name that the sender gives itself. */
const SPEAKERS = new Map<string, Speaker>([
  ['sshd', sshd],
  ['sshd-session', sshd],
  ['sshd-auth', sshd],
  ['systemd-logind', { parse: parseLogind, isTrusted: byRoot('systemd-logind') }],
  ['login', { parse: ({ message }) => parseLogin(message) ?? parsePam(message), isTrusted: byRoot('login') }],
  ['sudo', { parse: ({ message }) => parseSudo(message), isTrusted: byCaller('/usr/bin/sudo', '/bin/sudo') }],
  ['su', { parse: ({ message }) => parseSu(message), isTrusted: byCaller('/usr/bin/su', '/bin/su') }],
  ['kernel', { parse: parseKernel, isTrusted: isKernel }],
]);
const AUDIT: Speaker = { parse: parseAudit, isTrusted: () => true };
const ANYONE: Speaker = { parse: ({ message }) => parsePam(message), isTrusted: byRoot() };

/** Other programs are heard only through PAM; those that say nothing of ours are passed over. */
export function factOf(entry: Entry, witness: Witness): Told {
  const speaker =
    entry.fields.get('_TRANSPORT') === 'audit'
      ? AUDIT
      : (SPEAKERS.get(entry.fields.get('SYSLOG_IDENTIFIER') ?? '') ?? ANYONE);
  const fact = speaker.parse(entry);
  if (fact === undefined) return undefined;
  return speaker.isTrusted(entry, witness, fact) ? { fact } : 'refused';
}
