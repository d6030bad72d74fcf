/**
 * Facts as raw events: times are the journal's; processes are joined by their ids where the journal is this machine's, of
 * this boot, and the process that we know by that number already lived.
 */
import type { Attributes, RawEvent } from '../../event.ts';
import type { Known } from '../../enrich/told.ts';
import { numberOf, type Entry } from './entry.ts';
import type { DenialFact, LogonFact, SeccompFact, SessionFact, SwitchFact } from './fact.ts';
import type { Witness } from './trust.ts';

/** Clocks of the kernel and of journald, read one after the other, differ by less. */
const SLACK_US = 20_000;
const NOBODY = 4_294_967_295;

export interface Halves {
  readonly logon?: LogonFact | undefined;
  readonly session?: SessionFact | undefined;
}

export class Describer implements Witness {
  readonly #known: Known;
  readonly #boot: string | undefined;

  /** `boot` is this machine's boot id; undefined when the journal is another machine's. */
  constructor(known: Known, boot: string | undefined) {
    this.#known = known;
    this.#boot = boot;
  }

  executable(entry: Entry): string | undefined {
    return this.#process(entry, numberOf(entry.fields.get('_PID')))['process.executable.path'];
  }

  userId(_entry: Entry, name: string): number | undefined {
    return this.#boot === undefined ? undefined : this.#known.users.idOf(name);
  }

  start(entry: Entry, pid: number, halves: Halves): RawEvent {
    return event('session.start', entry, this.#logon(entry, pid, halves));
  }

  end(entry: Entry, pid: number, halves: Halves): RawEvent {
    return event('session.end', entry, this.#logon(entry, pid, halves));
  }

  failure(entry: Entry, fact: LogonFact): RawEvent {
    const pid = numberOf(entry.fields.get('_PID'));
    // sshd says itself who does not exist; of others' words only names that exist are told.
    const user = fact.service === 'sshd' || this.userId(entry, fact.user ?? '') !== undefined ? fact.user : undefined;
    return event('session.failure', entry, {
      ...this.#logon(entry, pid, { logon: { ...fact, user } }),
      'error.type': fact.reason ?? 'authentication-failed',
    });
  }

  userSwitch(entry: Entry, fact: SwitchFact): RawEvent {
    const uid = numberOf(entry.fields.get('_UID'));
    return event('user.switch', entry, {
      ...this.#process(entry, numberOf(entry.fields.get('_PID'))),
      'process.user.id': uid,
      'process.user.name': (this.#boot === undefined ? undefined : this.#userName(uid)) ?? fact.by,
      'process.audit.user.id': somebody(entry.fields.get('_AUDIT_LOGINUID')),
      'process.audit.session.id': somebody(entry.fields.get('_AUDIT_SESSION')),
      'process.tty.name': fact.terminal,
      'process.working_directory': fact.directory,
      'user.effective.name': fact.to,
      'user.switch.program': fact.program,
      'user.switch.command_args': fact.command,
      'error.type': fact.error,
    });
  }

  denial(entry: Entry, fact: DenialFact): RawEvent {
    const process = this.#process(entry, fact.pid);
    return event('security.avc.denied', entry, {
      ...process,
      'process.executable.path': process['process.executable.path'] ?? fact.executable,
      'file.path': fact.path,
      'file.name': fact.path === undefined ? fact.name : undefined,
      'security.module': fact.module,
      'security.source.context': fact.sourceContext,
      'security.target.context': fact.targetContext,
      'security.target.class': fact.targetClass,
      'security.permissions': fact.permissions,
      'security.permissive': fact.permissive,
    });
  }

  seccomp(entry: Entry, fact: SeccompFact): RawEvent {
    return event('security.seccomp.denied', entry, {
      ...this.#process(entry, fact.pid),
      'process.executable.path': fact.executable,
      'process.user.id': fact.uid,
      'process.user.name': this.#userName(fact.uid),
      'process.audit.user.id': fact.loginUid,
      'process.audit.session.id': fact.auditSession,
      'process.exit.signal': fact.signal,
      'security.seccomp.action': fact.action,
      'security.seccomp.syscall': fact.syscall,
      'security.seccomp.architecture': fact.architecture,
    });
  }

  #logon(entry: Entry, pid: number | undefined, { logon, session }: Halves): Attributes {
    return {
      ...this.#process(entry, pid),
      'process.audit.session.id': numberOf(session?.session),
      'process.tty.name': logon?.terminal,
      'user.name': logon?.user ?? session?.user,
      'source.address': logon?.address,
      'source.port': logon?.port,
      'session.id': session?.session,
      'session.service': logon?.service,
      'session.authentication.method': logon?.method,
      'session.key.type': logon?.keyType,
      'session.key.fingerprint': logon?.keyFingerprint,
    };
  }

  /** The number as the journal has it; who that was, only where it is certain. */
  #process(
    entry: Entry,
    pid: number | undefined,
  ): Pick<Attributes, 'process.pid' | 'process.entity.id'> & {
    readonly 'process.executable.path'?: string | undefined;
  } {
    const said = pid === numberOf(entry.fields.get('_PID')) ? entry.fields.get('_EXE') : undefined;
    const unknown = { 'process.pid': pid, 'process.executable.path': said };
    if (pid === undefined || this.#boot === undefined || entry.fields.get('_BOOT_ID') !== this.#boot) return unknown;
    const { processes, clock } = this.#known;
    const record = processes.peek(pid);
    if (record === undefined || clock.utc(record.startNs) > entry.time + SLACK_US) return unknown;
    if (record.endedAtNs !== undefined && clock.utc(record.endedAtNs) < entry.time - SLACK_US) return unknown;
    return {
      'process.entity.id': record.entity,
      'process.pid': pid,
      'process.executable.path': record.executable ?? said,
    };
  }

  #userName(uid: number | undefined): string | undefined {
    return uid === undefined ? undefined : this.#known.users.of(uid);
  }
}

const event = (name: RawEvent['name'], entry: Entry, attributes: Attributes): RawEvent => ({
  name,
  time: entry.time,
  attributes,
});

function somebody(text: string | undefined): number | undefined {
  const id = numberOf(text);
  return id === NOBODY ? undefined : id;
}
