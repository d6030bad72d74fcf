/**
 * Alerts when something happens that hardly ever happens on a node. Deeds are counted by their shape: event, program,
 * and the place or port that they went to.
 *
 * Counts fade by half-lives. The table is bounded: when it is full, the rarest eighth is forgotten and the largest
 * count among those becomes the error: whatever is not in the table may have happened so often. What is said is
 * therefore an upper bound, and true: "at most so many times". When the error exceeds `rare_below`, nothing is rare.
 */
import { makeBaselineDetector, type Seen, type Unusual } from './baseline.ts';
import { EVENTS } from '#protocol/vocabulary.ts';
import { decayed } from './decay.ts';
import { DAY, type Detector, type ReleasedRecord } from './detector.ts';
import { knobsOf, type KnobsOf } from './knobs.ts';
import { round } from './points.ts';
import { comparable } from './pseudonym.ts';
import { mapOf, memberOf, numberOf, rowsOf, rowsOfNodes, textOf } from './saved.ts';
import { describeEvent } from './sentence.ts';

export type RarityKnobs = Partial<KnobsOf<'rarity'>>;

/** Nothing is rare among few. */
const LEAST_TOTAL = 2_000;
const LEAST_AGE = DAY;
const NOT_COUNTED: ReadonlySet<string> = new Set(['process.fork', 'process.exit', 'network.flow.end']);

interface Count {
  count: number;
  at: number;
}

interface Table {
  readonly since: number;
  readonly total: Count;
  /** No shape outside of the table has a greater count. */
  readonly error: Count;
  readonly shapes: Map<string, Count>;
}

export function makeRarityDetector(knobs: RarityKnobs = {}, saved?: unknown): Detector {
  const values = knobsOf('rarity', { rarity: knobs });
  const halfLife = values.half_life_days * DAY;
  const tables = mapOf(memberOf(memberOf(saved, 'own'), 'tables'), tableOf);
  const now = ({ count, at }: Count, time: number): number => decayed(count, time - at, halfLife);
  const add = (into: Count, more: number, time: number): void => {
    into.count = now(into, time) + more;
    into.at = Math.max(into.at, time);
  };

  /** How often the shape came before, at most. */
  const count = (table: Table, shape: string, time: number): number => {
    const known = table.shapes.get(shape);
    const before = known === undefined ? now(table.error, time) : now(known, time);
    if (known === undefined) table.shapes.set(shape, { count: before + 1, at: time });
    else add(known, 1, time);
    add(table.total, 1, time);
    return before;
  };

  const forgetRarest = (table: Table, time: number): void => {
    const order = [...table.shapes].map(([shape, each]) => ({ shape, left: now(each, time) }));
    order.sort((a, b) => a.left - b.left || (a.shape < b.shape ? -1 : 1));
    const gone = order.slice(0, Math.ceil(values.shapes / 8));
    for (const { shape } of gone) table.shapes.delete(shape);
    table.error.count = Math.max(now(table.error, time), gone.at(-1)?.left ?? 0);
    table.error.at = time;
  };

  function* see({ node, record }: Seen): Iterable<Unusual> {
    const shape = shapeOf(record);
    if (shape === undefined) return;
    const { time } = record;
    const table = tables.get(node) ?? tableFrom(time);
    tables.set(node, table);
    const before = count(table, shape, time);
    if (table.shapes.size > values.shapes) forgetRarest(table, time);
    const total = now(table.total, time);
    if (before >= values.rare_below || total < LEAST_TOTAL || time - table.since < LEAST_AGE) return;
    yield unusualOf(node, record, { shape, before, total, error: now(table.error, time) }, values);
  }

  const save = (): unknown => ({
    tables: rowsOfNodes(tables, ({ since, total, error, shapes }) => [
      since,
      ...[total.count, total.at, error.count, error.at],
      rowsOf(shapes, (each) => [each.count, each.at]),
    ]),
  });
  return makeBaselineDetector('rarity', values, { see, save }, saved);
}

function tableFrom(time: number): Table {
  return { since: time, total: { count: 0, at: time }, error: { count: 0, at: time }, shapes: new Map() };
}

/** `file.open /usr/bin/vim /etc/ssh .conf write`. */
function shapeOf(record: ReleasedRecord): string | undefined {
  const program = textOf(record['process.executable.path']);
  if (program === undefined || NOT_COUNTED.has(record.event) || record['error.type'] !== undefined) return undefined;
  const port = record['network.peer.port'] ?? record['network.local.port'];
  const details = [
    placeOf(textOf(record['file.path']) ?? textOf(record['network.unix.path'])),
    textOf(record['file.open.access']),
    typeof port === 'number' && port < 32_768 ? String(port) : undefined,
    record.event === 'process.exec' ? textOf(record['systemd.unit']) : undefined,
    textOf(record['process.target.executable.path']),
  ];
  const what = details.filter((each) => each !== undefined).join(' ');
  return comparable(`${record.event} ${program} ${what}`).slice(0, 200);
}

/** The directory, three deep at most, and the kind of file: names of single files are each seen once. */
function placeOf(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  const extension = /\.[a-z]{1,5}$/.exec(name)?.[0] ?? '';
  return `${parts.slice(0, 4).join('/')}/${extension}`;
}

const TITLES: Readonly<Record<string, string>> = {
  process: 'A program started as it hardly ever does',
  file: 'A program went to files where it hardly ever goes',
  network: 'A program spoke as it hardly ever does',
  privilege: 'A program used a right that it hardly ever uses',
  kernel: 'A program changed the kernel or its mounts as it hardly ever does',
  session: 'A rare thing happened around a log-in',
  integrity: 'An account, service or task changed as it hardly ever does',
};
const GRAVER: ReadonlySet<string> = new Set(['privilege', 'kernel', 'integrity']);

interface Rare {
  readonly shape: string;
  readonly before: number;
  readonly total: number;
  readonly error: number;
}

function unusualOf(node: string, record: ReleasedRecord, rare: Rare, knobs: KnobsOf<'rarity'>): Unusual {
  const { class: kind } = EVENTS[record.event];
  const title = TITLES[kind] ?? 'A rare thing happened';
  const times = `${round(rare.before)} times (decayed, half-life ${knobs.half_life_days} days) among ${Math.round(rare.total)} deeds`;
  const within = rare.error > 0 ? `, ${round(rare.error)} of it the error of a full table` : '';
  return {
    // The same shape is the same finding for a day.
    key: `${rare.shape} ${Math.floor(record.time / DAY)}`,
    rule: kind,
    title,
    severity: GRAVER.has(kind) ? 'low' : 'informational',
    reason: `${title}: on ${node}, ${describeEvent(record)}, which happened there at most ${times} before${within}; ${knobs.rare_below} times or more are normal.`,
    silencedBy: `the same kind of deed ${Math.ceil(knobs.rare_below)} times before, or a lower detectors.rarity.rare_below`,
    attack: [],
    measures: [
      { what: 'times before, decayed, at most', value: round(rare.before), normal: { from: knobs.rare_below } },
    ],
  };
}

function tableOf(row: readonly unknown[]): Table | undefined {
  const [since, total, totalAt, error, errorAt] = row.slice(0, 5).map(numberOf);
  if (since === undefined || total === undefined || totalAt === undefined) return undefined;
  if (error === undefined || errorAt === undefined) return undefined;
  const shapes = mapOf(row[5], ([count, at]) =>
    typeof count === 'number' && typeof at === 'number' ? { count, at } : undefined,
  );
  return { since, total: { count: total, at: totalAt }, error: { count: error, at: errorAt }, shapes };
}
