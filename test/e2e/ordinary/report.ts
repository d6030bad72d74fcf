/**
 * `node test/e2e/ordinary/report.ts DIRECTORY [--from TIME] [--until TIME] [--level medium] [--examples]`: what today's rules and
 * detectors say of evidence that `npm run noise` recorded, by rule and by who did it: the scripted activity, the product's own
 * tests and benches (whatever node.js started), or other work on the machine. Times are ISO 8601.
 *
 * Rules that run on nodes matched when the evidence was recorded; of these only what they said then is known.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Detection } from '../../../collector/detectors/detection.ts';
import type { EvidenceBatch, PlacedAlert, Severity, Story } from '../../../collector/detectors/detector.ts';
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

interface Row {
  readonly name: string;
  readonly severity: Severity;
  readonly counts: Record<Origin, number>;
  /** A few sentences each. */
  readonly examples: Record<Origin, string[]>;
}

const EXAMPLES = 6;

class Tally {
  readonly rows = new Map<string, Row>();
  events = 0;
  readonly #stories = new Map<string, { readonly story: Story; readonly origin: Origin }>();
  readonly #origins: Origins;
  readonly #from: number;
  readonly #until: number;

  /** Milliseconds since 1970. */
  constructor({ marks }: Told, from: number, until: number) {
    this.#origins = new Origins(marks);
    [this.#from, this.#until] = [from * 1000, until * 1000];
  }

  /** Detectors see all of it, so that they know what is usual; counted is what lies between the two times. */
  observe(batch: EvidenceBatch, detection: Detection): void {
    for (const record of batch.events) this.#origins.learn(record);
    const { alerts, stories } = detection.observe(batch);
    if (batch.statement.time.last >= this.#from && batch.statement.time.first <= this.#until) {
      this.events += batch.events.length;
    }
    const told = new Map(stories.map((story) => [story.id, story]));
    for (const alert of alerts.filter(({ time }) => time >= this.#from && time <= this.#until)) {
      const origin = originOf(this.#origins.of(alert.entity));
      this.#count(nameOf(alert), alert.severity, origin, alert.reason);
      const story = told.get(alert.story);
      if (story !== undefined) this.#place(story, origin);
    }
  }

  /** Where people, tests and the activity were started by one process, their stories are one; it is ordinary if all of it was. */
  #place(story: Story, origin: Origin): void {
    const before = this.#stories.get(story.id)?.origin ?? 'ordinary';
    this.#stories.set(story.id, { story, origin: before === 'ordinary' ? origin : before });
  }

  /** Stories at their end: what a person reads. */
  close(): void {
    for (const { story, origin } of this.#stories.values()) {
      this.#count(`stories: ${story.severity}`, story.severity, origin, story.reason);
    }
  }

  #count(name: string, severity: Severity, origin: Origin, reason: string): void {
    const key = `${name} ${severity}`;
    const none = { counts: { ordinary: 0, tests: 0, other: 0 }, examples: { ordinary: [], tests: [], other: [] } };
    const row = this.rows.get(key) ?? { name, severity, ...none };
    this.rows.set(key, row);
    row.counts[origin]++;
    const examples = row.examples[origin];
    if (examples.length < EXAMPLES && !examples.includes(reason)) examples.push(reason);
  }
}

const nameOf = ({ detector, rule, title }: PlacedAlert): string =>
  `${detector}: ${RULE_FILES.get(rule ?? '') ?? rule ?? title}`;

function makeDetection(): Detection {
  const file = join(CHECKOUT, 'redaction-rules/rulesets/generic-linux.yaml');
  const clear = clearOf(exposure(parseRuleset(readFileSync(file, 'utf8'), file)));
  // As the collector makes them.
  const detectors = makeDetectors({
    pack: loadPack(STARTER_PACK),
    clearFor: () => clear,
    alertFrom: 'informational',
  });
  return new Detection({ detectors });
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      from: { type: 'string' },
      until: { type: 'string' },
      level: { type: 'string', default: 'medium' },
      examples: { type: 'boolean', default: false },
    },
  });
  const home = resolve(positionals[0] ?? '.noise');
  const told: Told = JSON.parse(readFileSync(join(home, 'ordinary.json'), 'utf8'));
  const from = values.from === undefined ? told.startedAt : Date.parse(values.from);
  const until = values.until === undefined ? told.endedAt : Date.parse(values.until);
  const tally = new Tally(told, from, until);
  const detection = makeDetection();
  for (const batch of readEvidence(join(home, 'collector'))) tally.observe(batch, detection);
  tally.close();
  const least = LEVELS.findIndex((level) => level === values.level);
  const rows = [...tally.rows.values()].filter(({ severity }) => LEVELS.indexOf(severity) >= least);
  show(rows, (until - from) / 3_600_000, values.examples);
  say(`${tally.events} events; done: ${JSON.stringify(told.done)}`);
}

function show(rows: readonly Row[], hours: number, withExamples: boolean): void {
  say(`${hours.toFixed(2)} h\n\n| what | level | ordinary | a day | tests | other |\n|---|---|---|---|---|---|`);
  for (const { name, severity, counts, examples } of rows.toSorted((a, b) => b.counts.ordinary - a.counts.ordinary)) {
    const { ordinary, tests, other } = counts;
    say(`| ${name} | ${severity} | ${ordinary} | ${((ordinary / hours) * 24).toFixed(0)} | ${tests} | ${other} |`);
    if (withExamples) for (const origin of ORIGINS) for (const one of examples[origin]) say(`    ${origin}: ${one}`);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

main();
