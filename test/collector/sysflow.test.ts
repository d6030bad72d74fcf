/**
 * Attacks that others recorded, replayed: SysFlow records become events, the rules that need raw events match as on a
 * node, the shipped ruleset redacts, and the detectors see what would have arrived.
 */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { RawEvent } from '../../agent/event.ts';
import { compileFor, clearOf } from '../../collector/detectors/sigma/plan.ts';
import type { Alert, EvidenceBatch, ReleasedRecord } from '../../collector/detectors/detector.ts';
import { makeDetectors } from '../../collector/detectors/detectors.ts';
import { loadPack, STARTER_PACK } from '../../collector/detectors/pack.ts';
import { LEVELS } from '../../collector/detectors/sigma/rule.ts';
import { compileRuleset } from '../../redaction-rules/compile.ts';
import { exposure } from '../../redaction-rules/exposure.ts';
import { FIRST } from '../protocol/sample.ts';
import { SHIPPED } from '../redaction-rules/shipped.ts';
import { KEYS } from '../redaction-rules/small-ruleset.ts';
import { readSysFlow } from './sysflow.ts';

const recording = (name: string): readonly RawEvent[] =>
  readSysFlow(fileURLToPath(new URL(`../../../shared/data/sysflow/${name}.jsonl.gz`, import.meta.url)));

const pack = loadPack(STARTER_PACK);
const ruleset = SHIPPED.map((shipped) => shipped.ruleset).find(({ name }) => name === 'generic-linux');
if (ruleset === undefined) throw new Error('generic-linux is not shipped');
const clear = clearOf(exposure(ruleset));
const BATCH_EVENTS = 200;

/** What the agent does with them: matched before redaction, released or withheld, in batches. */
function* batchesOf(events: readonly RawEvent[]): Generator<EvidenceBatch> {
  const onNode = compileFor('node', pack.rules, pack.mapping, clear);
  const redactor = compileRuleset(ruleset!, KEYS);
  const records = events.flatMap((event): ReleasedRecord[] => {
    const rules = onNode.match(event);
    const attributes = rules.length === 0 ? event.attributes : { ...event.attributes, 'detection.rules': rules };
    const released = redactor.redact({ ...event, attributes });
    return released === undefined ? [] : [JSON.parse(released.line)];
  });
  for (let at = 0; at < records.length; at += BATCH_EVENTS) {
    const sequence = 1 + at / BATCH_EVENTS;
    const { node, role, cohort } = FIRST;
    const about = { node, role, cohort, sequence, logIndex: sequence - 1, receivedAt: records[at]?.time ?? 0 };
    yield { ...about, statement: { ...FIRST, sequence }, events: records.slice(at, at + BATCH_EVENTS) };
  }
}

/** What rules say of a recording, from `level` on; with the rule's file instead of its id. */
function replay(name: string, level: (typeof LEVELS)[number] = 'medium'): readonly (Alert & { readonly file: string })[] {
  const detectors = makeDetectors({ pack, clearFor: () => clear });
  const files = new Map(pack.rules.map(({ id, file }) => [id, file.replace('.yml', '')]));
  return [...batchesOf(recording(name))]
    .flatMap((batch) => detectors.flatMap((detector) => [...detector.observe(batch)]))
    .filter(({ detector, severity }) => detector === 'sigma' && LEVELS.indexOf(severity) >= LEVELS.indexOf(level))
    .map((alert) => ({ ...alert, file: files.get(alert.rule ?? '') ?? '' }));
}

/** When each rule spoke first. */
function firsts(name: string): Readonly<Record<string, string>> {
  const told: Record<string, string> = {};
  for (const { file, time } of replay(name)) told[file] ??= new Date(time / 1000).toISOString().slice(11, 19);
  return told;
}

describe('recorded by SysFlow', () => {
  test('node.js: a shell by netcat, programs brought to /tmp, one that talks to the world', () => {
    expect(firsts('bh_1634482038.sf')).toMatchObject({
      'reverse-shell': '14:49:37',
      'exec-temporary-directory': '14:51:54',
    });
    expect(firsts('bh_1634482338.sf')).toMatchObject({
      'exec-temporary-directory': '14:52:25',
      'temporary-program-connects': '14:55:57',
    });
  });
});
for (const name of ['bh_1634481738.sf','bh_1634482038.sf','bh_1634482338.sf','bh_1634482638.sf','oss_oss.sf','samples_shellshock.sf','samples_apache2.sf','samples_cron.sf','samples_httpd-cron.sf','insider_t1.sf','insider_t2.sf','lss_httpd_1713206729']) console.log(name, recording(name).length, JSON.stringify(firsts(name)), replay(name).length, replay(name, 'low').length);
