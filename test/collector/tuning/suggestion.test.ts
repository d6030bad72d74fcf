/** A suggestion out of a collector's evidence: the last word of people on the other alerts of the rule decides what must be found. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { alertId, type PlacedAlert } from '../../../collector/detectors/detector.ts';
import { loadPack, STARTER_PACK } from '../../../collector/detectors/pack.ts';
import { tellAlone } from '../../../collector/detectors/stories.ts';
import { accept } from '../../../collector/pipeline.ts';
import { suggestionFor } from '../../../collector/tuning/suggestion.ts';
import { line, openCollector, SampleNode, type OpenCollector } from '../sample.ts';

const T = 1_790_000_000_000_000;
const { rules } = loadPack(STARTER_PACK);
const CRON = 'cbd5ba78-859d-47e3-964c-ea25bbd12400';
const OTHER = rules.find(({ id }) => id !== CRON)?.id;

let home: string;
let collector: OpenCollector;
let alerts: readonly PlacedAlert[];

/** About the only event of the batch that was received as that one. */
const alertOf = (rule: string | undefined, logIndex: number): PlacedAlert =>
  tellAlone({
    ...{ id: alertId('sigma', rule, 'node-1', String(logIndex)), time: T, node: 'node-1', detector: 'sigma', rule },
    ...{ title: 'A title', severity: 'medium', reason: '', silencedBy: '', attack: [], loss: 0, entity: undefined },
    events: [{ logIndex, line: 0 }],
  }).alert;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-suggestion-'));
  const node = new SampleNode('node-1');
  collector = await openCollector(home, [node]);
  // Under a ruleset that releases what is asked here.
  const trusting = { ...collector, rulesets: { ...collector.rulesets, validatorOf: () => () => undefined } };
  for (let i = 0; i < 4; i++) {
    const attributes = {
      'process.executable.path': '/usr/bin/cat',
      'process.parent.executable.path': '/usr/sbin/cron',
    };
    await accept(trusting, node.next([line('process.exec', T + i, attributes)]));
  }
  alerts = [alertOf(CRON, 0), alertOf(CRON, 1), alertOf(OTHER, 2), alertOf(CRON, 3)];
  collector.state.commitStep({ alerts, stories: alerts.map((each) => tellAlone(each).story) });
}, 60_000);
afterAll(async () => {
  await collector[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

const say = (n: number, verdict: 'true' | 'false'): void =>
  collector.state.addVerdict({ story: alerts[n]?.story ?? '', time: T, who: 'kim', verdict, reason: 'looked at' });

async function suggested(): Promise<unknown> {
  const { state, evidence } = collector;
  const alert = state.alert(alerts[0]?.id ?? '');
  return alert === undefined ? expect.unreachable() : await suggestionFor(alert, { state, evidence, rules });
}

test('what people said of the same rule must be found, whatever they say of others, until they say otherwise', async () => {
  expect(await suggested()).toHaveProperty('filter');
  say(2, 'true');
  expect(await suggested()).toHaveProperty('filter');
  say(1, 'true');
  say(3, 'true');
  const [, one, , other] = alerts.map(({ id }) => `alert ${id}`);
  expect(await suggested()).toEqual({ refused: `it would also hide what must be found: ${one}, ${other}` });
  say(1, 'false');
  expect(await suggested()).toEqual({ refused: `it would also hide what must be found: ${other}` });
  say(3, 'false');
  expect(await suggested()).toHaveProperty('filter');
});
