/**
 * Alerts when something happens on a node for the first time: a program under a parent, a listening port, a peer's
 * port, a socket, a kernel module, a way to log in, a disk.
 *
 * It learns for a while, silently. What it knows is bounded; what was not seen for longest is forgotten first.
 * Ephemeral ports count as one, and so do pseudonyms of one place: `/tmp/…` is a habit, which file it was is not.
 */
import { makeBaselineDetector, type Seen, type Unusual } from './baseline.ts';
import { HOUR, spoken, type Detector, type ReleasedRecord, type Severity } from './detector.ts';
import { knobsOf, type KnobsOf } from './knobs.ts';
import { comparable } from './pseudonym.ts';
import { mapOf, memberOf, numberOf, putLast, rowsOf, rowsOfNodes, textOf } from './saved.ts';
import { describeEvent } from './sentence.ts';

export type FirstSeenKnobs = Partial<KnobsOf<'first-seen'>>;

const KINDS = {
  program: ['A program ran under this parent for the first time', 'low', 'T1204'],
  script: ['A script was run for the first time', 'low', 'T1059'],
  listen: ['A program listened on this port for the first time', 'medium', 'T1571'],
  peer: ['A program connected to this port for the first time', 'low', 'T1071'],
  send: ['A program sent datagrams to this port for the first time', 'low', 'T1095'],
  socket: ['A program connected to this socket for the first time', 'low', 'T1559'],
  module: ['A kernel module was loaded for the first time', 'medium', 'T1547.006'],
  bpf: ['A program loaded programs into the kernel for the first time', 'medium', 'T1014'],
  trace: ['A program took hold of another for the first time', 'low', 'T1055'],
  login: ['Somebody logged on in this way for the first time', 'low', 'T1078'],
  switch: ['A program became this user for the first time', 'low', 'T1548.003'],
  disk: ['A disk appeared for the first time', 'low', 'T1052.001'],
} as const satisfies Readonly<Record<string, readonly [string, Severity, string]>>;

type Kind = keyof typeof KINDS;

interface Sighting {
  readonly kind: Kind;
  readonly what: string;
}

const EPHEMERAL = 32_768;

/** What one node did, with when it did so last, oldest first. */
interface Memory {
  readonly since: number;
  readonly known: Map<string, number>;
}

export function makeFirstSeenDetector(knobs: FirstSeenKnobs = {}, saved?: unknown): Detector {
  const values = knobsOf('first-seen', { 'first-seen': knobs });
  const memories = mapOf(memberOf(memberOf(saved, 'own'), 'memories'), memoryOf);

  const memoryFor = (node: string, time: number): Memory => {
    let memory = memories.get(node);
    if (memory === undefined) memories.set(node, (memory = { since: time, known: new Map<string, number>() }));
    return memory;
  };

  function* see({ node, record }: Seen): Iterable<Unusual> {
    for (const sighting of sightingsOf(record)) {
      const memory = memoryFor(node, record.time);
      const key = `${sighting.kind} ${sighting.what}`;
      const isKnown = memory.known.has(key);
      putLast(memory.known, key, record.time, values.habits);
      const learned = record.time - memory.since;
      if (isKnown || learned < values.learning_hours * HOUR) continue;
      yield unusualOf(node, record, sighting, key, memory.known.size - 1, learned);
    }
  }

  const save = (): unknown => ({
    memories: rowsOfNodes(memories, ({ since, known }) => [since, rowsOf(known, (time) => [time])]),
  });
  return makeBaselineDetector('first-seen', values, { see, save }, saved);
}

function sightingsOf(record: ReleasedRecord): readonly Sighting[] {
  if (record['error.type'] !== undefined) return [];
  if (record.event === 'host.inventory') return disksOf(record);
  const program = valueOf(record, 'process.executable.path');
  const of = (kind: Kind, ...parts: readonly (string | undefined)[]): readonly Sighting[] =>
    parts.includes(undefined) ? [] : [{ kind, what: parts.join(' ') }];
  switch (record.event) {
    case 'process.exec':
      return [
        ...of('program', valueOf(record, 'process.parent.executable.path'), '>', program),
        ...of('script', valueOf(record, 'process.script.path')),
      ];
    case 'network.listen':
      return of('listen', program, portOf(record['network.local.port']));
    case 'network.connect': {
      const socket = valueOf(record, 'network.unix.path');
      return socket === undefined
        ? of('peer', program, portOf(record['network.peer.port']))
        : of('socket', program, socket);
    }
    case 'network.send':
      return of('send', program, portOf(record['network.peer.port']));
    case 'kernel.module.load':
      return of('module', valueOf(record, 'kernel.module.name'));
    case 'kernel.bpf.load':
      return of('bpf', program);
    case 'process.trace':
    case 'process.access':
      return of('trace', program, valueOf(record, 'process.target.executable.path'));
    case 'session.start':
      return of('login', loginOf(record));
    case 'user.switch':
      return of('switch', valueOf(record, 'user.switch.program'), valueOf(record, 'user.effective.name'));
    default:
      return [];
  }
}

function disksOf(record: ReleasedRecord): readonly Sighting[] {
  const disks = record['host.disks'];
  return typeof disks === 'object' ? disks.map((disk) => ({ kind: 'disk' as const, what: comparable(disk) })) : [];
}

/** Service, way and account: people are pseudonyms and count as one, system accounts have their names. */
function loginOf(record: ReleasedRecord): string | undefined {
  const parts = ['session.service', 'session.authentication.method', 'user.name'].map((name) => valueOf(record, name));
  return parts[0] === undefined ? undefined : parts.map((part) => part ?? '?').join(' ');
}

function valueOf(record: ReleasedRecord, attribute: string): string | undefined {
  const text = textOf(record[attribute]);
  return text === undefined ? undefined : comparable(text);
}

function portOf(port: unknown): string | undefined {
  if (typeof port !== 'number') return undefined;
  return port >= EPHEMERAL ? 'ephemeral' : String(port);
}

function unusualOf(
  node: string,
  record: ReleasedRecord,
  { kind }: Sighting,
  key: string,
  habits: number,
  learned: number,
): Unusual {
  const [title, severity, technique] = KINDS[kind];
  return {
    key,
    rule: kind,
    title,
    severity,
    reason: `${title}: on ${node}, ${describeEvent(record)}, which is not among the ${habits} habits seen in ${spoken(learned)}.`,
    silencedBy: 'the same thing seen once before, or a longer detectors.first-seen.learning_hours',
    attack: [technique],
    measures: [{ what: 'times seen before', value: 0, normal: { from: 1 } }],
  };
}

function memoryOf([since, known]: readonly unknown[]): Memory | undefined {
  const time = numberOf(since);
  return time === undefined ? undefined : { since: time, known: mapOf(known, ([last]) => numberOf(last)) };
}
