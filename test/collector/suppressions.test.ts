/** Suppressions: what is in the file holds until its day, for what it names and nothing else; a file with a mistake changes nothing. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Detection } from '../../collector/detectors/detection.ts';
import { alertId, type Alert, type Detector, type PlacedAlert } from '../../collector/detectors/detector.ts';
import type { Suppression } from '../../collector/detectors/suppressions.ts';
import { State } from '../../collector/state.ts';
import { parseSuppressions, readSuppressions } from '../../collector/suppressions.ts';
import { FIRST } from '../protocol/sample.ts';

const NOW = Date.parse('2026-11-28T12:00:00Z') * 1_000;
const HOUR = 3_600_000_000;
const ONE = `
  - id: backup
    owner: operations
    reason: The backup reads password hashes each night.
    expires: 2026-12-24
    rule: shadow-read
    node: node-1
`;
const file = (text: string): string => `suppressions:${text}`;
const parsed = (text: string): readonly Suppression[] => parseSuppressions(file(text), 'suppressions.yaml', NOW);

test('a suppression as it is written', () => {
  const expires = Date.parse('2026-12-24T00:00:00Z') * 1_000;
  expect(parsed(ONE)).toEqual([
    {
      ...{ id: 'backup', owner: 'operations', reason: 'The backup reads password hashes each night.', expires },
      ...{ detector: undefined, rule: 'shadow-read', node: 'node-1', program: undefined },
    },
  ]);
  expect(parsed(' []')).toEqual([]);
});

test('the example in the documentation is one', () => {
  const readme = readFileSync('collector/detectors/README.md', 'utf8');
  const [, example = ''] = /```yaml\n(suppressions:[^`]*)```/.exec(readme) ?? [];
  expect(parseSuppressions(example, 'README.md', NOW)).toHaveLength(1);
});

test.each([
  [
    'nobody answers for it',
    ONE.replace(/ {4}owner.*\n/, ''),
    'suppressions.yaml:2:5 owner: is missing: who answers for it',
  ],
  [
    'no reason',
    ONE.replace(/ {4}reason.*\n/, ''),
    'suppressions.yaml:2:5 reason: is missing: why nobody needs to be told',
  ],
  ['no end', ONE.replace(/ {4}expires.*\n/, ''), 'suppressions.yaml:2:5 expires: is missing'],
  ['an end that is no day', ONE.replace('2026-12-24', 'never'), 'suppressions.yaml:5:14 expires: must be a day'],
  [
    'an end too far',
    ONE.replace('2026-12-24', '2028-01-01'),
    'suppressions.yaml:5:14 expires: is more than a year ahead',
  ],
  ['a whole node', ONE.replace(/ {4}rule.*\n/, ''), 'suppressions.yaml:2:5 detector: name a detector or a rule'],
  [
    'a detector nobody has',
    ONE.replace('rule: shadow-read', 'detector: rarty'),
    'there is no rarty; did you mean `rarity`?',
  ],
  ['a key nobody knows', ONE.replace('owner', 'ownr'), 'suppressions.ownr: no such key; did you mean `owner`?'],
  ['twice the same', ONE + ONE, 'suppressions.backup: stands twice'],
  ['no list', ' 1', 'suppressions: must be a list'],
])('refused: %s', (_, text, problem) => {
  expect(() => parsed(text)).toThrow(problem);
});

/** Says one thing of each event. */
const detector = (changes: Partial<Alert> = {}): Detector => ({
  id: 'sigma',
  *observe({ node, logIndex, events }) {
    for (const [line, { time }] of events.entries())
      yield {
        ...{
          id: alertId('sigma', 'shadow-read', node, String(time)),
          time,
          node,
          detector: 'sigma',
          rule: 'shadow-read',
        },
        ...{ title: 'Read', severity: 'high', reason: 'It was read.', silencedBy: 'nothing', attack: [] },
        ...{ events: [{ logIndex, line }], entity: undefined, loss: 0 },
        ...changes,
      };
  },
  tick: () => [],
  save: () => undefined,
});

function found(
  suppressions: readonly Suppression[],
  times: readonly number[],
  node = 'node-1',
): readonly PlacedAlert[] {
  const detection = new Detection({ detectors: [detector()], suppressions: () => suppressions });
  const events = times.map((time) => ({ event: 'process.exec' as const, time }));
  const { role, cohort } = FIRST;
  const batch = { node, role, cohort, sequence: 1, logIndex: 1, receivedAt: times[0] ?? 0, statement: FIRST, events };
  return detection.observe(batch).alerts.filter(({ detector: of }) => of === 'sigma');
}

test('what it names is marked and weighs nothing; another node is told; after its day all is told', () => {
  const suppressions = parsed(ONE);
  const [{ expires } = { expires: 0 }] = suppressions;
  const [before, after] = found(suppressions, [expires - HOUR, expires]);
  expect(before).toMatchObject({ suppressedBy: 'backup', story: '', points: 0 });
  expect(after?.suppressedBy).toBeUndefined();
  expect(after?.story).not.toBe('');
  expect(found(suppressions, [NOW], 'node-2')[0]?.suppressedBy).toBeUndefined();
  expect(found(parsed(ONE.replace('rule: shadow-read', 'detector: sigma')), [NOW])[0]?.suppressedBy).toBe('backup');
  expect(found(parsed(`${ONE}    program: /usr/bin/tar\n`), [NOW])[0]?.suppressedBy).toBeUndefined();
});

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-suppressions-'));
});
afterEach(() => rmSync(home, { recursive: true }));

test('what is suppressed is kept, and shown to who asks for it', () => {
  using state = State.open(join(home, 'state.sqlite'));
  const alerts = [...found(parsed(ONE), [NOW]), ...found([], [NOW + 1])];
  state.commitStep({ alerts });
  expect(state.alerts({ limit: 9 }).map(({ time }) => time)).toEqual([NOW + 1]);
  expect(state.alerts({ limit: 9, suppressed: true })).toHaveLength(2);
});

test('no file suppresses nothing', () => {
  expect(readSuppressions(home, NOW)).toEqual([]);
  writeFileSync(join(home, 'suppressions.yaml'), file(ONE));
  expect(readSuppressions(home, NOW)).toHaveLength(1);
});
