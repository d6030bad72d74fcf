/**
 * `hushwatch rules preview`: what would leave under a ruleset that need not be in force anywhere, without a node's
 * configuration and without its keys. Pseudonyms are made with keys of this run alone, which are forgotten with it.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EVENTS, isEventName, type EventName } from '#protocol/vocabulary.ts';
import { loadPack, STARTER_PACK } from '../collector/detectors/pack.ts';
import { compileBound } from '../collector/detectors/sigma/compile.ts';
import { SigmaError } from '../collector/detectors/sigma/error.ts';
import { clearOf, planRules } from '../collector/detectors/sigma/plan.ts';
import { compileRuleset } from '../redaction-rules/compile.ts';
import { suggest } from '../redaction-rules/document.ts';
import { exposure } from '../redaction-rules/exposure.ts';
import { KEY_BYTES } from '../redaction-rules/keys.ts';
import { parseRuleset, RulesetError } from '../redaction-rules/ruleset.ts';
import { holderOf } from '../redaction-rules/sums.ts';
import { ConfigError } from '../config/yaml.ts';
import { preview, type PreviewGate, type Wanted } from './preview.ts';
import type { Shown } from './preview-stream.ts';
import { EXPORTERS } from './sources/exporters/name.ts';

const USAGE = `usage: hushwatch rules preview RULESET [--frames FILE | --lines FILE --from EXPORTER]
         [--event NAME] [--each 3] [--limit 20] [--pack DIRECTORY]

Shows each event as it is and what would leave of it, what does not leave struck out. On a terminal only: it shows raw
values. Sends nothing, writes nothing.

without a file   what happens here and now, with what follows from it (accounts, services, digests), the machine and its
                 journal; says how to start a sensor for it
--frames         frames that somebody recorded; what follows from them needs the files of that machine and is not shown
--lines, --from  lines that another exporter wrote: ${EXPORTERS.join(', ')}; fields that no event here stands for are
                 never read and not shown
--each           of a recording, at most so many of each event, unless --event or --limit says otherwise
--limit          at most so many in all; 20 of what happens now

example: hushwatch rules preview redaction-rules/rulesets/guestos.yaml --frames test/data/frames/linux-6.1.bin
`;

const OPTIONS = {
  frames: { type: 'string' },
  lines: { type: 'string' },
  from: { type: 'string' },
  event: { type: 'string' },
  limit: { type: 'string' },
  each: { type: 'string' },
  pack: { type: 'string', default: STARTER_PACK },
} as const;

export async function main(args: string[]): Promise<number> {
  const work = mkdtempSync(join(tmpdir(), 'hushwatch-preview-'));
  try {
    const asked = read(args, join(work, 'sensor.sock'));
    if (typeof asked === 'string') {
      process.stderr.write(`hushwatch rules preview: ${asked}\n${USAGE}`);
      return 2;
    }
    await preview(asked.gate, asked.shown, asked.wanted);
    return 0;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const isOurs = [RulesetError, SigmaError, ConfigError].some((kind) => error instanceof kind) || 'syscall' in error;
    if (!isOurs) throw error;
    process.stderr.write(`hushwatch rules preview: ${error.message}\n`);
    return 3;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

interface Asked {
  readonly gate: PreviewGate;
  readonly shown: Shown;
  readonly wanted: Wanted;
}

/** Of a recording some of each event, of what happens now the first. */
function wantedOf(
  { limit, each }: { readonly limit?: unknown; readonly each?: unknown },
  event: EventName | undefined,
  isLive: boolean,
): Wanted | string {
  const number = (text: unknown): number | undefined => (typeof text === 'string' ? Number(text) : undefined);
  const [most = isLive ? 20 : Number.MAX_SAFE_INTEGER, ofEach] = [number(limit), number(each)];
  if (![most, ofEach ?? 1].every((n) => Number.isSafeInteger(n) && n >= 1))
    return '--limit and --each are numbers from 1';
  const isOpen = isLive || limit !== undefined || event !== undefined;
  return { limit: most, event, each: ofEach ?? (isOpen ? undefined : 3) };
}

/** What was asked for, or what is wrong with it. */
function read(args: string[], socket: string): Asked | string {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, strict: false, options: OPTIONS });
  const [file, more] = positionals;
  const { frames, lines, event, pack } = values;
  if (file === undefined || more !== undefined) return 'name one ruleset';
  const exporter = EXPORTERS.find((one) => one === values.from);
  if ((typeof lines === 'string') !== (exporter !== undefined)) return `--lines FILE --from ${EXPORTERS.join(' | ')}`;
  if (typeof event === 'string' && !isEventName(event))
    return `no event ${event}; ${suggest(event, Object.keys(EVENTS))}`;
  const isRecorded = typeof frames === 'string' || typeof lines === 'string';
  const wanted = wantedOf(values, typeof event === 'string' && isEventName(event) ? event : undefined, !isRecorded);
  if (typeof wanted === 'string') return wanted;
  const { gate, withMd5 } = gateOf(file, String(pack));
  const live: Shown = { socket, withMd5, journal: true };
  const shown: Shown =
    typeof frames === 'string'
      ? { frames }
      : typeof lines === 'string' && exporter !== undefined
        ? { lines, exporter }
        : live;
  return { gate, shown, wanted };
}

function gateOf(file: string, pack: string): { readonly gate: PreviewGate; readonly withMd5: boolean } {
  const ruleset = parseRuleset(readFileSync(file, 'utf8'), file);
  const { rules, mapping } = loadPack(pack);
  const plan = planRules(rules, mapping, clearOf(exposure(ruleset)));
  const bound = plan.filter(({ runs }) => runs === 'node').flatMap((planned) => planned.bound);
  const keys = { node: randomBytes(KEY_BYTES), cohort: randomBytes(KEY_BYTES), fleet: randomBytes(KEY_BYTES) };
  return {
    gate: {
      matcher: compileBound(bound),
      redactor: compileRuleset(ruleset, keys),
      holder: holderOf(ruleset.sums),
    },
    withMd5: bound.some(({ needs }) => needs.includes('file.hashes')),
  };
}
