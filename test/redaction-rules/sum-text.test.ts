/** Sums in words: for whoever explains a ruleset, and for whoever has to say yes to a change of one. */
import { expect, test } from 'vitest';
import { WIDENING, type Change } from '../../redaction-rules/difference.ts';
import { EXAMPLE_KEYS } from '../../redaction-rules/examples.ts';
import { explainRows, explainText } from '../../redaction-rules/explain.ts';
import { explainReport } from '../../redaction-rules/report.ts';
import { diffSums, sumRows } from '../../redaction-rules/sum-text.ts';
import type { Asked, Sum } from '../../redaction-rules/sums.ts';
import { SHIPPED } from './shipped.ts';

const guestos = SHIPPED.find(({ ruleset }) => ruleset.name === 'guestos')?.ruleset;
const [SUM] = guestos?.sums ?? [];
if (guestos === undefined || SUM === undefined) throw new Error('guestos has sums');
const oneOf = (...values: readonly unknown[]): Asked => ({ values: new Set(values), below: [] });

const changes = (changed: Partial<Sum>): readonly string[] =>
  diffSums([SUM], [{ ...SUM, ...changed }], EXAMPLE_KEYS).map(({ change, what }) => `${change}: ${what}`);

test('nothing is different from itself', () => {
  expect(changes({})).toEqual([]);
});

test('smaller sizes tell more, larger ones less', () => {
  expect(changes({ window: SUM.window / 2, floor: 512 })).toEqual([
    'more precise: sum sandboxes: window: 1 hour -> 30 minutes',
    'less precise: sum sandboxes: floor: 256 -> 512',
  ]);
  expect(changes({ quantum: 1, scale: 1 })).toEqual([
    'more precise: sum sandboxes: quantum: 64 -> 1',
    'more precise: sum sandboxes: scale: 64 -> 1',
  ]);
});

test('what is taken no longer leaves newly, and the other way round', () => {
  const rows: readonly (readonly [Partial<Sum>, Change])[] = [
    [{ events: ['process.exec'] }, 'newly leaves'],
    [{ events: [...SUM.events, 'process.fork'] }, 'no longer leaves'],
    [{ where: new Map([['process.executable.path', oneOf('/opt/ic/bin/canister_sandbox')]]) }, 'newly leaves'],
    [{ where: new Map([...SUM.where, ['process.user.name', oneOf('root')]]) }, 'newly leaves'],
    [{ where: new Map() }, 'no longer leaves'],
    [{ unless: new Map() }, 'no longer leaves'],
    [{ unless: new Map([...SUM.unless, ['process.user.name', 'any']]) }, 'newly leaves'],
    [{ unless: new Map([...SUM.unless, ['process.user.id', oneOf(0, 990)]]) }, 'newly leaves'],
  ];
  for (const [changed, change] of rows) {
    const found = diffSums([SUM], [{ ...SUM, ...changed }], EXAMPLE_KEYS);
    expect(new Set(found.map((row) => row.change)), JSON.stringify(changed)).toEqual(new Set([change]));
    expect(WIDENING.has(change)).toBe(change === 'newly leaves');
  }
});

test('a sum that is new or gone', () => {
  expect(diffSums([], [SUM], EXAMPLE_KEYS)).toMatchObject([{ change: 'no longer leaves', events: SUM.events }]);
  expect(diffSums([SUM], [], EXAMPLE_KEYS)).toMatchObject([{ change: 'newly leaves', events: SUM.events }]);
});

test('explained in the terminal, on the page, for tools', () => {
  const rows = explainRows(guestos, []);
  const text = explainText(guestos, rows);
  expect(text).toContain('sums  Events that do not leave one by one, unless a rule on the node matches them.');
  expect(text).toContain('      not if process.exit.signal is 4 or 5 or 6 or 7 or 8 or 11 or 31\n');
  expect(text).toContain('below /var/lib/ic/data/');
  const page = explainReport(guestos, rows);
  for (const { name, why } of guestos.sums) {
    expect(page).toContain(`<code>${name}</code>`);
    expect(page).toContain(why);
  }
  expect(sumRows(guestos.sums, EXAMPLE_KEYS)[0]).toMatchObject({
    sum: 'sandboxes',
    example: { in: 4242, out: 4224 },
    summary: 'one number for each window of 1 hour, rounded to 64, with noise of scale 64, told from 256 on',
  });
});

test('of one event only the sums that take it are told', () => {
  const rows = explainRows(guestos, []).filter(({ event }) => event === 'file.modify');
  expect(explainText(guestos, rows)).toContain('  state of canisters: file.open, file.modify\n');
  expect(explainText(guestos, rows)).not.toContain('  sandboxes: ');
});
