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
const found = SHIPPED.find((shipped) => shipped.ruleset.name === 'generic-linux');
if (found === undefined) throw new Error('generic-linux is not shipped');
const { ruleset } = found;
const clear = clearOf(exposure(ruleset));
const BATCH_EVENTS = 200;

/** What the agent does with them: matched before redaction, released or withheld, in batches. */
function* batchesOf(events: readonly RawEvent[], size: number): Generator<EvidenceBatch> {
  const onNode = compileFor('node', pack.rules, pack.mapping, clear);
  const redactor = compileRuleset(ruleset, KEYS);
  const records = events.flatMap((event): ReleasedRecord[] => {
    const rules = onNode.match(event);
    const attributes = rules.length === 0 ? event.attributes : { ...event.attributes, 'detection.rules': rules };
    const released = redactor.redact({ ...event, attributes });
    return released === undefined ? [] : [JSON.parse(released.line)];
  });
  for (let at = 0; at < records.length; at += size) {
    const sequence = 1 + at / size;
    const { node, role, cohort } = FIRST;
    const about = { node, role, cohort, sequence, logIndex: sequence - 1, receivedAt: records[at]?.time ?? 0 };
    yield { ...about, statement: { ...FIRST, sequence }, events: records.slice(at, at + size) };
  }
}

/** What rules say of a recording, from `level` on; with the rule's file instead of its id. */
function replay(
  name: string,
  level: (typeof LEVELS)[number] = 'medium',
  size = BATCH_EVENTS,
): readonly (Alert & { readonly file: string })[] {
  const detectors = makeDetectors({ pack, clearFor: () => clear });
  const files = new Map(pack.rules.map(({ id, file }) => [id, file.replace('.yml', '')]));
  return [...batchesOf(recording(name), size)]
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
    expect(firsts('bh_1634482038.sf')).toEqual({
      'reverse-shell': '14:49:37',
      'history-searched': '14:50:33',
      'exec-temporary-directory': '14:51:54',
    });
    expect(firsts('bh_1634482338.sf')).toEqual({
      'exec-temporary-directory': '14:52:25',
      'temporary-program-connects': '14:55:57',
    });
  });

  test('Shellshock: the shell that a CGI program became', () => {
    expect(firsts('samples_shellshock.sf')).toEqual({ 'service-shell': '07:59:48' });
  });

  test('a script of cron that somebody put his own program into: who may act as root was changed', () => {
    expect(firsts('samples_httpd-cron.sf')).toEqual({ 'sudoers-change': '22:28:01' });
  });

  test('insider: the request that carries a shell, the shell that it became, its connection', () => {
    expect(firsts('insider_t2.sf')).toEqual({
      'service-shell': '01:55:16',
      'reverse-shell': '01:55:32',
      'shell-connects': '01:55:32',
    });
    // Ordinary visits: each starts a CGI script in bash, which is all that the rule knows.
    expect(firsts('insider_t1.sf')).toEqual({ 'service-shell': '01:53:12' });
  });

  test('before and after, and servers at work: quiet', () => {
    const quiet = ['bh_1634481738.sf', 'bh_1634482638.sf', 'samples_apache2.sf', 'lss_httpd_1713206729'];
    expect(quiet.flatMap((name) => replay(name)).map(({ reason }) => reason)).toEqual([]);
  });

  test('the same evidence gives the same alerts, whatever the batching', () => {
    const ids = (events: number): readonly string[] => replay('oss_oss.sf', 'low', events).map(({ reason }) => reason);
    expect(ids(1)).toEqual(ids(500));
  });
});
