/**
 * Alerts when something happens for the first time: a program under a parent, a program that listens on a port,
 * a program that connects to a port.
 *
 * It learns for a while, silently. What it knows is bounded; what was not seen for longest is forgotten first.
 * Ephemeral ports count as one.
 */
import {
  alertId,
  DAY,
  HOUR,
  spoken,
  type Alert,
  type Detector,
  type EvidenceBatch,
  type ReleasedRecord,
} from './detector.ts';
import { LossLedger } from './loss.ts';
import { memberOf, numbersOf } from './saved.ts';
import { describeEvent, shown } from './sentence.ts';

export interface FirstSeenKnobs {
  /** How long a node (or cohort) is watched before anything can be new. */
  readonly learningUs?: number;
  /** How many things are remembered for each. */
  readonly capacity?: number;
  /** Alerts an hour for each; more are left out. */
  readonly perHour?: number;
  /** `cohort`: what one node did is known for all nodes of its cohort. */
  readonly scope?: 'node' | 'cohort';
}

interface Sighting {
  readonly kind: 'program' | 'listen' | 'peer';
  readonly key: string;
}

const EPHEMERAL = 32_768;
const TITLES = {
  program: 'A program ran under this parent for the first time',
  listen: 'A program listened on this port for the first time',
  peer: 'A program connected to this port for the first time',
} as const;
const SEVERITIES = { program: 'low', listen: 'medium', peer: 'low' } as const;
const ATTACK = { program: ['T1204'], listen: ['T1571'], peer: ['T1071'] } as const;

/** What one node or cohort did, with when it did so last, oldest first. */
interface Memory {
  since: number;
  readonly known: Map<string, number>;
  hour: number;
  alerted: number;
}

export function makeFirstSeenDetector(knobs: FirstSeenKnobs = {}, saved?: unknown): Detector {
  const { learningUs = DAY, capacity = 20_000, perHour = 20, scope = 'node' } = knobs;
  const losses = new LossLedger(memberOf(saved, 'losses'));
  const memories = restore(memberOf(saved, 'memories'));

  const memoryFor = (name: string, time: number): Memory => {
    let memory = memories.get(name);
    if (memory === undefined) {
      memory = { since: time, known: new Map(), hour: 0, alerted: 0 };
      memories.set(name, memory);
    }
    return memory;
  };

  return {
    id: 'first-seen',
    *observe(batch): Iterable<Alert> {
      const loss = losses.observe(batch.statement);
      for (const [line, record] of batch.events.entries()) {
        const sighting = sightingOf(record);
        if (sighting === undefined) continue;
        const memory = memoryFor(scope === 'node' ? batch.node : batch.cohort, record.time);
        const isKnown = remember(memory, sighting, record.time, capacity);
        const learned = record.time - memory.since;
        if (isKnown || learned < learningUs || !isWithinBudget(memory, record.time, perHour)) continue;
        yield alertOf(batch, record, line, sighting, learned, memory.known.size, loss);
      }
    },
    tick: () => [],
    save: () => ({
      losses: losses.save(),
      memories: Object.fromEntries(
        [...memories].map(([name, memory]) => [name, { ...memory, known: Object.fromEntries(memory.known) }]),
      ),
    }),
  };
}

function sightingOf(record: ReleasedRecord): Sighting | undefined {
  const program = record['process.executable.path'];
  if (typeof program !== 'string' || record['error.type'] !== undefined) return undefined;
  switch (record.event) {
    case 'process.exec': {
      const parent = record['process.parent.executable.path'];
      return typeof parent === 'string' ? { kind: 'program', key: `program ${parent} > ${program}` } : undefined;
    }
    case 'network.listen': {
      const port = portOf(record['network.local.port']);
      return port === undefined ? undefined : { kind: 'listen', key: `listen ${program} ${port}` };
    }
    case 'network.connect': {
      const port = portOf(record['network.peer.port']);
      return port === undefined ? undefined : { kind: 'peer', key: `peer ${program} ${port}` };
    }
    default:
      return undefined;
  }
}

function portOf(port: unknown): string | undefined {
  if (typeof port !== 'number') return undefined;
  return port >= EPHEMERAL ? 'ephemeral' : String(port);
}

/** Notes that it was seen; true when it was known. */
function remember(memory: Memory, { key }: Sighting, time: number, capacity: number): boolean {
  const { known } = memory;
  const isKnown = known.delete(key);
  known.set(key, time);
  for (const oldest of known.keys()) {
    if (known.size <= capacity) break;
    known.delete(oldest);
  }
  return isKnown;
}

function isWithinBudget(memory: Memory, time: number, perHour: number): boolean {
  const hour = Math.floor(time / HOUR);
  if (memory.hour !== hour) {
    memory.hour = hour;
    memory.alerted = 0;
  }
  return ++memory.alerted <= perHour;
}

function alertOf(
  batch: EvidenceBatch,
  record: ReleasedRecord,
  line: number,
  { kind, key }: Sighting,
  learned: number,
  known: number,
  loss: number,
): Alert {
  const { node, logIndex } = batch;
  const title = TITLES[kind];
  return {
    id: alertId('first-seen', kind, node, key),
    time: record.time,
    node,
    detector: 'first-seen',
    rule: kind,
    title,
    severity: SEVERITIES[kind],
    reason: `${title}: on ${node}, ${describeEvent(record)}, which is not among the ${known - 1} habits seen in ${spoken(learned)}.`,
    silencedBy: 'the same thing seen once before, or a longer learning window',
    attack: ATTACK[kind],
    events: [{ logIndex, line }],
    entity: shown(record, 'process.entity.id'),
    loss,
  };
}

function restore(saved: unknown): Map<string, Memory> {
  const memories = new Map<string, Memory>();
  if (typeof saved !== 'object' || saved === null) return memories;
  for (const [name, memory] of Object.entries(saved)) {
    const numbers = numbersOf(memory);
    const since = numbers.get('since');
    if (since === undefined) continue;
    const known = numbersOf(memberOf(memory, 'known'));
    memories.set(name, { since, known, hour: numbers.get('hour') ?? 0, alerted: numbers.get('alerted') ?? 0 });
  }
  return memories;
}
