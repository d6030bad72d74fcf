/** Journal entries of a machine that does not exist, and what our side makes of them. */
import type { RawEvent } from '../../../../agent/event.ts';
import { ProcessTable } from '../../../../agent/process-table.ts';
import { Describer } from '../../../../agent/sources/journal/describe.ts';
import { parseEntry, type Entry } from '../../../../agent/sources/journal/entry.ts';
import { Sessions } from '../../../../agent/sources/journal/sessions.ts';
import { factOf } from '../../../../agent/sources/journal/trust.ts';
import { UserNames } from '../../../../agent/users.ts';
import { stillClock } from '../../sample.ts';

export const BOOT = '0123456789abcdef0123456789abcdef';
export const START_US = 1_700_000_000_000_000;

let sequence = 0;

/** One line as journalctl prints it. Each is a millisecond after the one before, unless it says when. */
export function lineOf(message: unknown, fields: Readonly<Record<string, unknown>> = {}, atUs?: number): string {
  sequence++;
  const time = atUs ?? START_US + sequence * 1_000;
  return JSON.stringify({
    __CURSOR: `s=${BOOT};i=${sequence.toString(16)};b=${BOOT};m=${sequence.toString(16)};t=${time.toString(16)};x=abc`,
    __REALTIME_TIMESTAMP: String(time),
    _BOOT_ID: BOOT,
    _TRANSPORT: 'syslog',
    _PID: '4711',
    _UID: '0',
    MESSAGE: message,
    ...fields,
  });
}

export function entryOf(message: unknown, fields: Readonly<Record<string, unknown>> = {}, atUs?: number): Entry {
  const entry = parseEntry(lineOf(message, fields, atUs));
  if (entry === undefined) throw new Error('not an entry');
  return entry;
}

export const SSHD = { SYSLOG_IDENTIFIER: 'sshd', _EXE: '/usr/sbin/sshd' } as const;
export const LOGIND = {
  SYSLOG_IDENTIFIER: 'systemd-logind',
  _EXE: '/usr/lib/systemd/systemd-logind',
  _PID: '33',
} as const;
export const SUDO = { SYSLOG_IDENTIFIER: 'sudo', _EXE: '/usr/bin/sudo', _UID: '1000', _AUDIT_SESSION: '4' } as const;
export const SU = { SYSLOG_IDENTIFIER: 'su', _EXE: '/usr/bin/su', _UID: '1000' } as const;
export const LOGIN = { SYSLOG_IDENTIFIER: 'login', _EXE: '/usr/bin/login' } as const;
export const KERNEL = {
  SYSLOG_IDENTIFIER: 'kernel',
  SYSLOG_FACILITY: '0',
  _TRANSPORT: 'kernel',
  _UID: undefined,
  _PID: undefined,
} as const;

export const ACCEPTED =
  'Accepted publickey for alex from 203.0.113.7 port 48122 ssh2: ED25519 SHA256:AAAAC3NzaC1lZDI1NTE5AAAAIExampleOnlyNotReal';
export const newSession = (id: string, leader: number, more = ''): Entry =>
  entryOf(`New session ${id} of user alex${more}.`, {
    ...LOGIND,
    MESSAGE_ID: '8d45620c1a4348dbb17410da57c60c66',
    SESSION_ID: id,
    USER_ID: 'alex',
    LEADER: String(leader),
  });
export const removed = (id: string, leader: number, atUs?: number): Entry =>
  entryOf(
    `Removed session ${id}.`,
    {
      ...LOGIND,
      MESSAGE_ID: '3354939424b4456d9802ca8333ed424a',
      SESSION_ID: id,
      USER_ID: 'alex',
      LEADER: String(leader),
    },
    atUs,
  );

/** Entries in, events out, as the source does it; what has not been told waits as long as it may. */
export class Heard {
  readonly processes = new ProcessTable('/nonexistent');
  readonly #describe: Describer;
  readonly sessions: Sessions;
  refused = 0;

  constructor(passwd = '/nonexistent', boot: string | undefined = BOOT) {
    const known = { processes: this.processes, users: new UserNames(passwd), clock: stillClock };
    this.#describe = new Describer(known, boot);
    this.sessions = new Sessions(this.#describe);
  }

  hear(...entries: readonly Entry[]): RawEvent[] {
    return entries.flatMap((entry) => {
      const waited = this.sessions.waitUntil(entry.time);
      const told = factOf(entry, this.#describe);
      if (told === 'refused') this.refused++;
      return told === undefined || told === 'refused' ? waited : [...waited, ...this.sessions.take(entry, told.fact)];
    });
  }

  toTheEnd(...entries: readonly Entry[]): RawEvent[] {
    return [...this.hear(...entries), ...this.sessions.waitUntil(Number.MAX_SAFE_INTEGER)];
  }
}

/** An event without what is absent. */
export const told = ({ name, attributes }: RawEvent): Readonly<Record<string, unknown>> => ({
  event: name,
  ...Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)),
});
