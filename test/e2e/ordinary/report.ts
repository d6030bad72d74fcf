/**
 * `node test/e2e/ordinary/report.ts DIRECTORY [--examples] [--level medium]`: what today's rules and detectors say of evidence that
 * `npm run noise` recorded, by rule and by who did it: the scripted activity, the product's own tests and benches (whatever
 * node.js started), or other work on the machine.
 *
 * Rules that run on nodes matched when the evidence was recorded; of these only what they said then is known.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Alert, EvidenceBatch } from '../../../collector/detectors/detector.ts';
import { makeDetectors } from '../../../collector/detectors/detectors.ts';
import { loadPack, STARTER_PACK } from '../../../collector/detectors/pack.ts';
import { clearOf } from '../../../collector/detectors/sigma/plan.ts';
import { LEVELS } from '../../../collector/detectors/sigma/rule.ts';
import { exposure } from '../../../redaction-rules/exposure.ts';
import { parseRuleset } from '../../../redaction-rules/ruleset.ts';
import { Origins } from '../origins.ts';
import { RULE_FILES } from '../sightings.ts';
import { CHECKOUT } from '../stack.ts';
import type { Told } from './activity.ts';
import { readEvidence } from './evidence.ts';

const ORIGINS = ['ordinary', 'tests', 'other'] as const;
type Origin = (typeof ORIGINS)[number];

const originOf = (name: string | undefined): Origin =>
  name === 'ordinary' ? 'ordinary' : name === 'node' ? 'tests' : 'other';

export interface Tally {
  readonly name: string;
  readonly severity: Alert['severity'];
  readonly counts: Record<Origin, number>;
  readonly examples: Partial<Record<Origin, string[]>>;
}

/** Everything from the log in one pass. */
export function tally(
  batches: Iterable<EvidenceBatch>,
  told: Told,
): { readonly rows: readonly Tally[]; readonly events: number } {
  const pack = loadPack(STARTER_PACK);
  const file = join(CHECKOUT, 'redaction-rules/rulesets/generic-linux.yaml');
  const clear = clearOf(exposure(parseRuleset(readFileSync(file, 'utf8'), file)));
  const detectors = makeDetectors({ pack, clearFor: () => clear });
  const origins = new Origins([{ name: 'ordinary', pid: told.marker, at: told.startedAt }]);
  const rows = new Map<string, Tally>();
  let events = 0;
  for (const batch of batches) {
    events += batch.events.length;
    for (const record of batch.events) origins.learn(record);
    for (const alert of detectors.flatMap((detector) => [...detector.observe(batch)])) {
      if (alert.time < told.startedAt * 1000 || alert.time > told.endedAt * 1000) continue;
      count(rows, alert, RULE_FILES.get(alert.rule ?? '') ?? alert.title, originOf(origins.of(alert.entity)));
    }
  }
  return { rows: [...rows.values()], events };
}

const EXAMPLES = 6;

function count(rows: Map<string, Tally>, { detector, severity, reason }: Alert, rule: string, origin: Origin): void {
  const name = `${detector}: ${rule}`;
  let row = rows.get(name);
  if (row === undefined)
    rows.set(name, (row = { name, severity, counts: { ordinary: 0, tests: 0, other: 0 }, examples: {} }));
  row.counts[origin]++;
  const examples = (row.examples[origin] ??= []);
  if (examples.length < EXAMPLES && !examples.includes(reason)) examples.push(reason);
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { examples: { type: 'boolean', default: false }, level: { type: 'string', default: 'low' } },
  });
  const home = resolve(positionals[0] ?? '.noise');
  const told: Told = JSON.parse(readFileSync(join(home, 'ordinary.json'), 'utf8'));
  const hours = (told.endedAt - told.startedAt) / 3_600_000;
  const { rows, events } = tally(readEvidence(join(home, 'collector')), told);
  const least = LEVELS.findIndex((level) => level === values.level);
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  say(`${hours.toFixed(2)} h, ${events} events; what was done: ${JSON.stringify(told.done)}`);
  say('| detector: rule | level | ordinary | a day | tests | other |\n|---|---|---|---|---|---|');
  for (const { name, severity, counts, examples } of rows.toSorted((a, b) => b.counts.ordinary - a.counts.ordinary)) {
    if (LEVELS.indexOf(severity) < least) continue;
    const { ordinary, tests, other } = counts;
    say(`| ${name} | ${severity} | ${ordinary} | ${((ordinary / hours) * 24).toFixed(0)} | ${tests} | ${other} |`);
    if (values.examples)
      for (const origin of ORIGINS) for (const one of examples[origin] ?? []) say(`    ${origin}: ${one}`);
  }
}

if (import.meta.main) main();
