/** A filter for one alert, out of the collector's own evidence: what must be found is what people marked as true, and the rule's examples. */
import { randomUUID } from 'node:crypto';
import { loadExamples } from '../detectors/main.ts';
import { STARTER_PACK } from '../detectors/pack.ts';
import type { SigmaRule } from '../detectors/sigma/rule.ts';
import type { EvidenceReader } from '../evidence.ts';
import type { AlertRow } from '../findings.ts';
import type { State } from '../state.ts';
import { eventOf } from './explain.ts';
import { suggest, type Asked, type Suggestion } from './suggest.ts';

const MAX_ALERTS = 1_000_000;

export interface Known {
  readonly state: State;
  readonly evidence: EvidenceReader;
  readonly rules: readonly SigmaRule[];
  readonly author?: string;
}

export async function suggestionFor(alert: AlertRow, known: Known): Promise<Suggestion> {
  const { state, evidence, rules, author = 'suggested by hushwatch detect' } = known;
  const rule = rules.find(({ id }) => id === alert.rule);
  if (rule === undefined)
    return { refused: `${alert.detector} is no rule; its knobs are what to turn: ${alert.silencedBy}` };
  const event = await eventOf(state, evidence, alert);
  if (event === undefined) return { refused: 'the event of this alert is no longer in the evidence' };
  const mustAlert = [...(await markedTrue(alert, known)), ...examplesOf(rule)];
  return suggest({ rule, event, mustAlert, id: randomUUID(), author });
}

/** Of the same rule, in stories whose last verdict is that they mattered. */
async function markedTrue(
  { detector, rule }: AlertRow,
  { state, evidence }: Pick<Known, 'state' | 'evidence'>,
): Promise<Asked['mustAlert']> {
  const verdicts = new Map(state.verdictsOn({ detector, rule }).map(({ story, verdict }) => [story, verdict]));
  const stories = [...verdicts].filter(([, verdict]) => verdict === 'true');
  const alike = stories.flatMap(([story]) => state.alertsOfStory(story, MAX_ALERTS)).filter((one) => one.rule === rule);
  const marked: Asked['mustAlert'][number][] = [];
  for (const other of alike)
    marked.push({ where: `alert ${other.id}`, attributes: (await eventOf(state, evidence, other)) ?? {} });
  return marked;
}

function examplesOf({ file }: SigmaRule): Asked['mustAlert'] {
  const examples = loadExamples(STARTER_PACK, file)?.match ?? [];
  return examples.map((example) => ({ where: `${example.file}:${example.line}`, attributes: example.attributes }));
}
