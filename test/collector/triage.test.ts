/** Stories as people work through them: what is open, what a filter lets through, and that new findings open again what was judged. */
import { beforeEach, expect, test } from 'vitest';
import type { Alert, Severity, Story } from '../../collector/detectors/detector.ts';
import { tellAlone } from '../../collector/detectors/stories.ts';
import { State } from '../../collector/state.ts';
import type { TriageFilter } from '../../collector/triage.ts';

const T = 1_790_000_000_000_000;

const alert = (n: number, more: Partial<Alert> = {}): Alert => ({
  ...{ id: n.toString(16).padStart(32, '0'), time: T + n * 1e6, node: 'alpha', detector: 'sigma', rule: 'r-1' },
  ...{ title: `Something ${n}`, severity: 'high' as Severity, reason: `It was number ${n}.`, silencedBy: 'a filter' },
  ...{ attack: ['T1053.003'], events: [], entity: undefined, loss: 0 },
  ...more,
});
const told = (n: number, more: Partial<Alert> = {}): Story => tellAlone(alert(n, more)).story;

let state: State;
let stories: readonly Story[];
beforeEach(() => {
  state = State.open(':memory:');
  stories = [
    told(1),
    told(2, { node: 'beta', severity: 'critical' }),
    told(3, { detector: 'rate', rule: undefined, severity: 'medium', title: 'More connections than usual' }),
    told(4, { severity: 'low' }),
  ];
  state.commitStep({ alerts: [], stories });
});

const idOf = (n: number): string => stories[n - 1]?.id ?? '';
const listed = (filter: TriageFilter): readonly number[] =>
  state.triage
    .list({ ...filter, order: 'newest', offset: 0, limit: 100 })
    .map(({ id }) => stories.findIndex((story) => story.id === id) + 1);
const judge = (n: number, verdict: 'true' | 'false' | 'acknowledged', revision?: number): void =>
  state.addVerdict({ story: idOf(n), time: T, who: 'alex', verdict, reason: 'because', revision });

const FILTERS: readonly (readonly [string, TriageFilter, readonly number[]])[] = [
  ['none', {}, [4, 3, 2, 1]],
  ['what is shown', { shown: true }, [3, 2, 1]],
  ['what is too minor', { shown: false }, [4]],
  ['severity', { minSeverity: 'high' }, [2, 1]],
  ['a node', { node: 'beta' }, [2]],
  ['a detector', { detector: 'rate' }, [3]],
  ['a rule', { detector: 'r-1' }, [4, 2, 1]],
  ['text of the title, whatever its case', { text: 'MORE CONN' }, [3]],
  ['text of the sentence', { text: 'number 2' }, [2]],
  ['a technique', { text: 't1053' }, [4, 3, 2, 1]],
  ['text that looks like a pattern', { text: '%' }, []],
  ['text with a quotation mark', { text: `'" OR 1 --` }, []],
  ['time', { sinceUs: T + 3e6 }, [4, 3]],
  ['several', { minSeverity: 'medium', detector: 'sigma', node: 'alpha' }, [1]],
];
for (const [name, filter, expected] of FILTERS) {
  test(`filtered by ${name}`, () => {
    expect(listed(filter)).toEqual(expected);
    expect(state.triage.count(filter)).toBe(expected.length);
  });
}

test('sorted and paged', () => {
  const first = (order: 'score' | 'severity'): string | undefined =>
    state.triage.list({ order, offset: 0, limit: 1 })[0]?.severity;
  expect([first('severity'), first('score')]).toEqual(['critical', 'critical']);
  const pages = [0, 2, 4].map((offset) => state.triage.list({ order: 'newest', offset, limit: 2 }).length);
  expect(pages).toEqual([2, 2, 0]);
});

test('grouped, the most first', () => {
  expect(state.triage.groups({}, 'node')).toMatchObject([
    { key: 'alpha', stories: 3, severity: 'high', last: T + 4e6 },
    { key: 'beta', stories: 1, severity: 'critical' },
  ]);
  const keys = (by: 'detector' | 'status'): readonly string[] => state.triage.groups({}, by).map(({ key }) => key);
  judge(1, 'false');
  expect([keys('detector'), keys('status')]).toEqual([
    ['sigma', 'rate'],
    ['open', 'false'],
  ]);
});

test('the last verdict counts, and those before stay', () => {
  judge(1, 'acknowledged');
  judge(1, 'true');
  judge(2, 'false');
  expect(listed({ status: 'open' })).toEqual([4, 3]);
  expect([listed({ status: 'true' }), listed({ status: 'false' }), listed({ status: 'acknowledged' })]).toEqual([
    [1],
    [2],
    [],
  ]);
  expect(state.verdicts(idOf(1)).map(({ verdict }) => verdict)).toEqual(['acknowledged', 'true']);
});

test('what is judged opens again by a new finding, not by the same once more', () => {
  judge(1, 'false');
  const [story] = stories;
  if (story === undefined) throw new Error('there is one');
  state.commitStep({ alerts: [], stories: [{ ...story, alerts: 2, last: T + 9e6 }] });
  expect(state.triage.one(idOf(1))).toMatchObject({ status: 'false', alerts: 2 });
  state.commitStep({ alerts: [], stories: [{ ...story, revision: story.revision + 1 }] });
  expect(state.triage.one(idOf(1))?.status).toBe('open');
});

test('a verdict about what was read does not cover what came while it was read', () => {
  const [story] = stories;
  if (story === undefined) throw new Error('there is one');
  state.commitStep({ alerts: [], stories: [{ ...story, revision: story.revision + 1 }] });
  judge(1, 'false', story.revision);
  expect(state.triage.one(idOf(1))?.status).toBe('open');
});

test('one verdict for many: for exactly those that were seen, or for none', () => {
  const about = { time: T, who: 'alex', verdict: 'false', reason: 'the build' } as const;
  expect(state.judgeAll({ node: 'alpha', status: 'open' }, about, 2)).toBe(3);
  expect(state.verdicts()).toEqual([]);
  expect(state.judgeAll({ node: 'alpha', status: 'open' }, about, 3)).toBe(3);
  expect(listed({ status: 'open' })).toEqual([2]);
  expect(state.verdicts(idOf(3))).toMatchObject([{ ...about, revision: stories[2]?.revision }]);
});
