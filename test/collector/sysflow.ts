/**
 * SysFlow records as our events, so that recorded attacks of others can be replayed through rules and detectors.
 *
 * SysFlow tells what a process did with a file or a connection in one record of a flow, with a bit for each kind of call;
 * we tell calls. So a flow that opened becomes an open, one that connected a connection, and what only reads, writes and
 * closes becomes nothing. A real sensor tells fewer reads: those of watched files. Arguments come as one text without the
 * program, split at spaces here; no record says who deleted which of two names of a file.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Attributes, RawEvent } from '../../agent/event.ts';
import { errorOf, socketOf } from '../../agent/sources/exporters/told.ts';

interface Oid {
  readonly createTS: string;
  readonly hpid: string;
}

interface ProcessRecord {
  readonly state: 'CREATED' | 'MODIFIED' | 'REUP';
  readonly oid: Oid;
  readonly poid: { readonly 'sysflow.type.OID': Oid } | null;
  readonly exe: string;
  readonly exeArgs: string;
  readonly uid: number;
  readonly userName: string;
  readonly gid: number;
  readonly containerId: { readonly string: string } | null;
  readonly cwd?: string;
}

interface Deed {
  readonly procOID: Oid;
  /** Nanoseconds since 1970, UTC. */
  readonly ts: string;
  readonly opFlags: number;
  readonly openFlags?: number;
  readonly ret?: number;
  readonly fileOID?: string;
  readonly newFileOID?: { readonly 'sysflow.type.FOID': string } | null;
  readonly sip?: number;
  readonly sport?: number;
  readonly dip?: number;
  readonly dport?: number;
  readonly proto?: number;
}

type Kind = 'ProcessEvent' | 'FileEvent' | 'FileFlow' | 'NetworkFlow';

/** Bits of opFlags. */
const OP = {
  clone: 1,
  exec: 2,
  exit: 4,
  setuid: 8,
  accept: 32,
  connect: 64,
  open: 128,
  mkdir: 1 << 15,
  link: 1 << 17,
  unlink: 1 << 18,
  symlink: 1 << 19,
  rename: 1 << 20,
} as const;
/** Bits of openFlags. */
const OPENED = { forWriting: 2, made: 4, truncated: 256 } as const;
const TCP = 6;
/** Ancestors that are told, as the agent does. */
const MAX_ANCESTORS = 8;

/** Every event of a recording, in its order. */
export function readSysFlow(file: string): readonly RawEvent[] {
  const story = new Story();
  const lines = gunzipSync(readFileSync(file)).toString('utf8').split('\n').filter(Boolean);
  return lines.flatMap((line) => story.read(line));
}

class Story {
  readonly #processes = new Map<string, ProcessRecord>();
  readonly #files = new Map<string, string>();

  read(line: string): readonly RawEvent[] {
    const { rec }: { rec: Readonly<Record<string, unknown>> } = JSON.parse(line);
    return Object.entries(rec).flatMap(([kind, value]) => this.#record(kind, value) ?? []);
  }

  /** The schema of the recording is known and the file is ours: its records are what they say. */
  #record(kind: string, value: unknown): RawEvent | undefined {
    const name = kind.slice(kind.lastIndexOf('.') + 1);
    if (name === 'Process') this.#learn(ofKind<ProcessRecord>(value));
    else if (name === 'File') {
      const { oid, path } = ofKind<{ readonly oid: string; readonly path: string }>(value);
      this.#files.set(oid, path);
    } else if (name === 'ProcessEvent' || name === 'FileEvent' || name === 'FileFlow' || name === 'NetworkFlow') {
      return this.#deed(name, ofKind<Deed>(value));
    }
    return undefined;
  }

  /** What a process runs while it is told again was so before its parent is told: the newest word counts. */
  #learn(process: ProcessRecord): void {
    this.#processes.set(keyOf(process.oid), process);
  }

  #deed(kind: Kind, deed: Deed): RawEvent | undefined {
    const actor = this.#processes.get(keyOf(deed.procOID));
    const told = actor === undefined ? undefined : this.#told(kind, deed, actor);
    if (actor === undefined || told === undefined) return undefined;
    const error = errorOf(deed.ret);
    return {
      name: told.name,
      time: Math.floor(Number(deed.ts) / 1000),
      attributes: { ...actorOf(actor), 'error.type': error, ...told.attributes },
    };
  }

  #told(kind: Kind, deed: Deed, actor: ProcessRecord): Pick<RawEvent, 'name' | 'attributes'> | undefined {
    switch (kind) {
      case 'ProcessEvent':
        return this.#ofProcess(deed, actor);
      case 'FileEvent':
        return this.#ofName(deed);
      case 'FileFlow':
        return this.#ofFile(deed);
      case 'NetworkFlow':
        return ofConnection(deed);
    }
  }

  #ofProcess({ opFlags, ret }: Deed, actor: ProcessRecord): Pick<RawEvent, 'name' | 'attributes'> | undefined {
    const parent = this.#parentOf(actor);
    const about = {
      'process.parent.entity.id': parent === undefined ? undefined : entityOf(parent.oid),
      'process.parent_pid': parent === undefined ? undefined : Number(parent.oid.hpid),
    };
    // The parent's own record of a fork has the child's number.
    if ((opFlags & OP.clone) !== 0) return ret === 0 ? { name: 'process.fork', attributes: about } : undefined;
    if ((opFlags & OP.exit) !== 0) return { name: 'process.exit', attributes: {} };
    if ((opFlags & OP.setuid) !== 0) return { name: 'process.credentials.change', attributes: {} };
    if ((opFlags & OP.exec) === 0) return undefined;
    return { name: 'process.exec', attributes: { ...about, ...this.#executed(actor, parent) } };
  }

  #executed(actor: ProcessRecord, parent: ProcessRecord | undefined): Attributes {
    return {
      'process.command_args': argumentsOf(actor),
      'process.working_directory': actor.cwd,
      'process.real_user.id': actor.uid,
      'process.group.id': actor.gid,
      'container.id': actor.containerId?.string,
      'process.parent.executable.path': parent?.exe,
      'process.parent.command_args': parent === undefined ? undefined : argumentsOf(parent),
      'process.ancestors': this.#ancestorsOf(actor),
    };
  }

  #ofName({ opFlags, fileOID, newFileOID }: Deed): Pick<RawEvent, 'name' | 'attributes'> | undefined {
    const path = this.#files.get(fileOID ?? '');
    const target = this.#files.get(newFileOID?.['sysflow.type.FOID'] ?? '');
    const names = { 'file.path': path, 'file.path.origin': 'argument' };
    if (path === undefined || path === '') return undefined;
    if ((opFlags & OP.unlink) !== 0) return { name: 'file.delete', attributes: names };
    if ((opFlags & OP.mkdir) !== 0) return { name: 'file.create', attributes: { ...names, 'file.type': 'directory' } };
    if ((opFlags & OP.rename) !== 0)
      return { name: 'file.rename', attributes: { ...names, 'file.target.path': target } };
    if ((opFlags & (OP.link | OP.symlink)) === 0) return undefined;
    const type = (opFlags & OP.link) !== 0 ? 'hard' : 'symbolic';
    return { name: 'file.link', attributes: { ...names, 'file.target.path': target, 'file.link.type': type } };
  }

  #ofFile({ opFlags, openFlags = 0, fileOID }: Deed): Pick<RawEvent, 'name' | 'attributes'> | undefined {
    const path = this.#files.get(fileOID ?? '');
    if ((opFlags & OP.open) === 0 || path === undefined || path === '') return undefined;
    return {
      name: 'file.open',
      attributes: {
        'file.path': path,
        'file.path.origin': 'kernel',
        'file.open.access': (openFlags & OPENED.forWriting) !== 0 ? 'write' : 'read',
        'file.open.created': (openFlags & OPENED.made) !== 0,
        'file.open.truncated': (openFlags & OPENED.truncated) !== 0,
      },
    };
  }

  #parentOf({ poid }: ProcessRecord): ProcessRecord | undefined {
    return poid === null ? undefined : this.#processes.get(keyOf(poid['sysflow.type.OID']));
  }

  #ancestorsOf(process: ProcessRecord): readonly string[] {
    const found: string[] = [];
    for (let up = this.#parentOf(process); up !== undefined && found.length < MAX_ANCESTORS; up = this.#parentOf(up))
      found.push(up.exe);
    return found;
  }
}

// oxlint-disable-next-line no-unsafe-type-assertion -- the records of a recording in our test data, each named by its key
const ofKind = <T>(value: unknown): T => value as T;

const keyOf = ({ createTS, hpid }: Oid): string => `${hpid} ${createTS}`;
const entityOf = ({ createTS, hpid }: Oid): string => `${hpid}-${createTS}`;

function actorOf(process: ProcessRecord): Attributes {
  return {
    'process.entity.id': entityOf(process.oid),
    'process.pid': Number(process.oid.hpid),
    'process.executable.path': process.exe,
    'process.user.id': process.uid,
    'process.user.name': process.userName === '' ? undefined : process.userName,
  };
}

const argumentsOf = ({ exe, exeArgs }: ProcessRecord): readonly string[] => [
  exe,
  ...exeArgs.split(' ').filter(Boolean),
];

function ofConnection(deed: Deed): Pick<RawEvent, 'name' | 'attributes'> | undefined {
  const { opFlags, sip, sport, dip, dport, proto } = deed;
  const isAccepted = (opFlags & OP.accept) !== 0;
  if (!isAccepted && (opFlags & OP.connect) === 0) return undefined;
  const [source, destination] = [addressOf(sip), addressOf(dip)];
  const socket = isAccepted
    ? { peer: source, peerPort: sport, local: destination, localPort: dport }
    : { peer: destination, peerPort: dport, local: source, localPort: sport };
  return {
    name: isAccepted ? 'network.accept' : 'network.connect',
    attributes: socketOf({ transport: proto === TCP ? 'tcp' : 'udp', ...socket }),
  };
}

/** A signed number of 32 bits, whose lowest byte comes first. */
function addressOf(number: number | undefined): string | undefined {
  if (number === undefined) return undefined;
  return [0, 8, 16, 24].map((shift) => (number >>> shift) & 255).join('.');
}
