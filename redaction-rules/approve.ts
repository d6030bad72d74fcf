/**
 * The commands by which reviewers say yes: `rules key`, `rules approve`, `rules publish`. They write the files that they
 * are told to write and nothing else; keys are never printed.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { decodeApproval, formatApproval, type Approval } from '#protocol/approval.ts';
import {
  formatSigningKey,
  formatVerifierKey,
  generateSigningKey,
  isKeyName,
  parseNote,
  parseVerifierKey,
  parseSigningKey,
  signNote,
  type SignatureLine,
} from '#protocol/note.ts';
import { verifyReceipt } from '#protocol/receipt.ts';
import { vocabularyDigest } from '#protocol/vocabulary.ts';
import { loadPack } from '../collector/detectors/pack.ts';
import { failingExamples } from './examples.ts';
import { parseRuleset, RulesetError } from './ruleset.ts';

/** The command line was not understood. */
export class ApproveUsage extends Error {}

/** The collector did not take an approval into its log. */
export class NotPublished extends Error {}

const PROVE_WITHIN_MS = 15_000;

/** `rules key NAME --out FILE`: a reviewer's key, and the line for the list of reviewers. */
export function makeKey(args: string[]): void {
  const { positionals, values } = parseArgs({ args, allowPositionals: true, options: { out: { type: 'string' } } });
  const [name, more] = positionals;
  if (name === undefined || more !== undefined || values.out === undefined)
    throw new ApproveUsage('key wants a name and --out FILE');
  if (!isKeyName(name)) throw new ApproveUsage('a key name holds no space and no plus');
  const key = generateSigningKey(name);
  writeFileSync(values.out, formatSigningKey(key), { mode: 0o600, flag: 'wx' });
  process.stdout.write(`${formatVerifierKey(key.verifier)}\n`);
}

const APPROVE_OPTIONS = {
  key: { type: 'string' },
  name: { type: 'string' },
  out: { type: 'string' },
  pack: { type: 'string' },
  'pack-name': { type: 'string', default: 'rules' },
  version: { type: 'string' },
} as const;

/** `rules approve`: the note for a ruleset or a pack, signed; a note that is there already gets one signature more. */
export function approve(args: string[]): void {
  const { positionals, values } = parseArgs({ args, allowPositionals: true, options: APPROVE_OPTIONS });
  const { key: keyFile, name, out } = values;
  if (keyFile === undefined || name === undefined || out === undefined)
    throw new ApproveUsage('approve wants --key FILE --name REVIEWER --out FILE');
  const [file, more] = positionals;
  if ((file === undefined) === (values.pack === undefined) || more !== undefined)
    throw new ApproveUsage('approve one ruleset, or --pack DIRECTORY --version N');
  const approval =
    file === undefined
      ? approvalOfPack(values.pack ?? '', values['pack-name'], Number(values.version))
      : approvalOfRuleset(file);
  const text = formatApproval(approval);
  const existing = existsSync(out) ? signaturesOn(out, text) : [];
  const key = parseSigningKey(name, readFileSync(keyFile, 'utf8'));
  const others = existing.filter((line) => line.id !== key.verifier.id);
  replace(out, signNote(text, key, others));
  process.stdout.write(`${out}: ${text.split('\n').slice(1, 5).join(', ')}; ${others.length + 1} signed\n`);
}

/** Whoever approves has run its examples: a ruleset that does not do what it says is not signed. */
export function approvalOfRuleset(file: string): Approval {
  const ruleset = parseRuleset(readFileSync(file, 'utf8'), file);
  const failing = failingExamples(ruleset);
  if (failing.length > 0) {
    throw new RulesetError(
      failing.map(({ example, problem }) => `${file}:${example.line}: example "${example.name}": ${problem}`),
    );
  }
  const { name, version, role, digest } = ruleset;
  return { kind: 'ruleset', name, version, role, digest, vocabulary: vocabularyDigest() };
}

export function approvalOfPack(directory: string, name: string, version: number): Approval {
  if (!Number.isSafeInteger(version) || version < 1) throw new ApproveUsage('--pack wants --version N, from 1');
  const { digest } = loadPack(directory);
  return { kind: 'rulepack', name, version, role: 'any', digest, vocabulary: vocabularyDigest() };
}

function signaturesOn(file: string, text: string): readonly SignatureLine[] {
  const note = parseNote(readFileSync(file));
  if (note.text !== text)
    throw new ApproveUsage(`${file} approves something else; name another --out, or look at what changed`);
  return note.signatures;
}

/** `rules publish APPROVAL --collector HOME [--ruleset FILE] [--out DIRECTORY]`: hands it to a collector, waits for its proof. */
export async function publish(args: string[]): Promise<void> {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { collector: { type: 'string' }, ruleset: { type: 'string' }, out: { type: 'string' } },
  });
  const [file, more] = positionals;
  const { collector, ruleset, out } = values;
  if (file === undefined || more !== undefined || collector === undefined)
    throw new ApproveUsage('publish wants one approval and --collector DIRECTORY');
  const bytes = readFileSync(file);
  const { approval } = decodeApproval(bytes);
  if (ruleset !== undefined) placeRuleset(ruleset, approval, collector);
  const directory = join(collector, 'approvals');
  replace(join(directory, `${approval.digest}.approval`), bytes);
  const proof = join(directory, `${approval.digest}.tlog-proof`);
  const logKey = parseVerifierKey(readFileSync(join(collector, 'log.pub'), 'utf8').trim());
  // A proof that lies there may be of another note about the same rules: for another vocabulary, or with other signatures.
  const isProven = (): boolean =>
    existsSync(proof) && verifyReceipt({ noteBytes: bytes, receipt: readFileSync(proof), logKey }) !== undefined;
  for (const end = Date.now() + PROVE_WITHIN_MS; !isProven(); await sleep(100)) {
    if (Date.now() > end)
      throw new NotPublished(
        `${file}: the collector has not logged it; is it running, are enough of its reviewers among those who signed, was it logged with other signatures? Its log says why`,
      );
  }
  if (out !== undefined) {
    mkdirSync(out, { recursive: true });
    replace(join(out, `${approval.digest}.approval`), bytes);
    copyFileSync(proof, join(out, basename(proof)));
  }
  process.stdout.write(`${approval.kind} ${approval.name} ${approval.version} is in the log: ${proof}\n`);
}

/** Under its digest: versions that batches on their way still name stay where they are. */
function placeRuleset(file: string, approval: Approval, collector: string): void {
  const ruleset = parseRuleset(readFileSync(file, 'utf8'), file);
  if (ruleset.digest !== approval.digest) throw new ApproveUsage(`${file} is not what was approved: another digest`);
  replace(join(collector, 'rulesets', `${ruleset.name}-${ruleset.digest.slice(0, 16)}.yaml`), readFileSync(file));
}

/** Whole or not at all: whoever watches the directory never sees half a file. */
function replace(file: string, bytes: Uint8Array): void {
  writeFileSync(`${file}.new`, bytes, { mode: 0o644 });
  renameSync(`${file}.new`, file);
}
