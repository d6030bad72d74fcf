/** What is loud: which detector and rule, about which program or entity, and what share of all that was said. */
import type { PlacedAlert, Severity } from '../detectors/detector.ts';
import type { Verdict } from '../findings.ts';

export interface Noise {
  readonly detector: string;
  readonly rule: string | undefined;
  readonly title: string;
  readonly severity: Severity;
  readonly count: number;
  /** Of all alerts, 0 to 1. */
  readonly share: number;
  readonly perDay: number;
  /** Nodes it was about, the loudest first, with their share of this row. */
  readonly nodes: readonly { readonly node: string; readonly share: number }[];
  /** Programs at the roots of the process trees that it was about, where they are known; the same. */
  readonly programs: readonly { readonly program: string; readonly share: number }[];
  /** Of the stories that it is in, what people said. */
  readonly marked: { readonly true: number; readonly false: number };
}

export function noiseOf(
  alerts: readonly PlacedAlert[],
  verdicts: ReadonlyMap<string, Verdict['verdict']>,
  days: number,
  /** Of a story, the program at its root. */
  programOf: (story: string) => string | undefined = () => undefined,
): readonly Noise[] {
  const rows = new Map<string, PlacedAlert[]>();
  for (const alert of alerts) {
    const key = JSON.stringify([alert.detector, alert.rule ?? '']);
    const row = rows.get(key);
    if (row === undefined) rows.set(key, [alert]);
    else row.push(alert);
  }
  return [...rows.values()]
    .map((row) => noiseRow(row, alerts.length, verdicts, days, programOf))
    .toSorted((a, b) => b.count - a.count);
}

function noiseRow(
  row: readonly PlacedAlert[],
  all: number,
  verdicts: ReadonlyMap<string, Verdict['verdict']>,
  days: number,
  programOf: (story: string) => string | undefined,
): Noise {
  const [first] = row;
  if (first === undefined) throw new RangeError('a row has an alert');
  const { detector, rule, title, severity } = first;
  const nodes = sharesOf(row, ({ node }) => node).map(([node, share]) => ({ node, share }));
  const programs = sharesOf(row, ({ story }) => programOf(story)).map(([program, share]) => ({ program, share }));
  const stories = new Set(row.map(({ story }) => story));
  const said = (verdict: 'true' | 'false'): number => [...stories].filter((id) => verdicts.get(id) === verdict).length;
  const marked = { true: said('true'), false: said('false') };
  const count = row.length;
  return { detector, rule, title, severity, count, share: count / all, perDay: count / days, nodes, programs, marked };
}

/** The loudest first. */
function sharesOf(
  row: readonly PlacedAlert[],
  keyOf: (alert: PlacedAlert) => string | undefined,
): readonly (readonly [string, number])[] {
  return [...Map.groupBy(row, keyOf)]
    .flatMap(([key, theirs]) => (key === undefined ? [] : [[key, theirs.length / row.length] as const]))
    .toSorted(([, a], [, b]) => b - a);
}

export function describeNoise(rows: readonly Noise[]): string {
  if (rows.length === 0) return 'nothing was said in this time\n';
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  const lines = rows.map(({ count, share, perDay, severity, title, nodes, programs, marked, detector, rule }) => {
    const loudest = nodes[0];
    const whose = loudest === undefined || nodes.length === 1 ? '' : `; ${percent(loudest.share)} from ${loudest.node}`;
    const by =
      (programs[0]?.share ?? 0) < 0.1 ? '' : `; ${percent(programs[0]?.share ?? 0)} by ${programs[0]?.program}`;
    const said = marked.true + marked.false === 0 ? '' : `; marked true ${marked.true}, false ${marked.false}`;
    return `${String(count).padStart(7)} ${percent(share).padStart(6)} ${perDay.toFixed(1).padStart(8)} a day  ${severity.padEnd(13)} ${title} (${detector}${rule === undefined ? '' : ` ${rule}`})${whose}${by}${said}\n`;
  });
  return `${'alerts'.padStart(7)} ${'share'.padStart(6)}\n${lines.join('')}`;
}
