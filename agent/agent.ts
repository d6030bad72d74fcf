/**
 * Puts the agent together from its configuration: secrets, rules, spool, sources. What `run` and `check` share.
 */
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseVerifierKey, type VerifierKey } from '#protocol/note.ts';
import { SOURCES } from '#protocol/statement.ts';
import { NO_RULES } from '#protocol/statement.ts';
import { vocabularyDigest } from '#protocol/vocabulary.ts';
import { loadPack } from '../collector/detectors/pack.ts';
import { compileBound, type Matcher } from '../collector/detectors/sigma/compile.ts';
import { SigmaError } from '../collector/detectors/sigma/error.ts';
import { clearOf, planRules } from '../collector/detectors/sigma/plan.ts';
import { compileRuleset, type Redactor } from '../redaction-rules/compile.ts';
import { exposure } from '../redaction-rules/exposure.ts';
import { MissingRoot } from '../redaction-rules/keys.ts';
import { parseRuleset, RulesetError, type Ruleset } from '../redaction-rules/ruleset.ts';
import { turningOf, type Turning } from '../redaction-rules/turning.ts';
import type { BatchLimits } from './batches.ts';
import { Canaries } from './canary.ts';
import { lookAtApproval, NotApproved, requireApproval } from './approval.ts';
import { buildDigest, VERSION } from './build.ts';
import { type Parsed } from '../config/schema.ts';
import { ConfigError } from '../config/yaml.ts';
import type { KEYS } from './config.ts';
import { realDisk } from './disk.ts';
import { openIdentity } from './identity.ts';
import { Keyring } from './keyring.ts';
import { Ledger } from './ledger.ts';
import { SharedKeys } from './shared-keys.ts';
import type { Line } from './pipeline.ts';
import { EXPORTERS, type Exporter } from './sources/exporters/name.ts';
import { journalState } from './sources/journal.ts';
import { FileSpool, type Herald } from './spool.ts';
import { NO_SUMS, Sums, type Summing } from './sums.ts';

export type AgentConfig = Parsed<typeof KEYS>;

/** What redacts and matches, without keys of the batch or a spool: all that a preview needs. */
export interface Rules {
  readonly ruleset: Ruleset;
  readonly redactor: Redactor;
  readonly matcher: Matcher;
  readonly rulepack: string;
  /** A rule of the pack reads digests, of which MD5 is made for nobody else. */
  readonly withMd5: boolean;
  readonly keyring: Keyring;
}

/** With the keys that are open already, where they are. */
export async function openRules(config: AgentConfig, open?: Keyring): Promise<Rules> {
  const ruleset = parseRuleset(readFileSync(config.ruleset, 'utf8'), config.ruleset);
  if (ruleset.role !== config.role) {
    throw new NotApproved(
      `${config.ruleset}: is for role ${ruleset.role}, this node is ${config.role}; name the ruleset of its role`,
    );
  }
  const pack = loadPack(config.rule_pack);
  const keyring = open ?? Keyring.open(config.pseudonym_key, Date.now() * 1_000);
  if (open === undefined) await takeIfUsable(new SharedKeys(config), keyring);
  const plan = planRules(pack.rules, pack.mapping, clearOf(exposure(ruleset)));
  return {
    ruleset,
    redactor: compileRuleset(ruleset, keyring),
    keyring,
    matcher: compileBound(plan.filter((planned) => planned.runs === 'node').flatMap((planned) => planned.bound)),
    rulepack: pack.digest,
    withMd5: plan.some(({ bound }) => bound.some(({ needs }) => needs.includes('file.hashes'))),
  };
}

/** What cannot be used is told by the housekeeping of the process, which tries again; rules that need it say so themselves. */
async function takeIfUsable(shared: SharedKeys, keyring: Keyring): Promise<void> {
  try {
    await shared.take(keyring);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
  }
}

/** No rules that may be used: everything is counted, nothing leaves. */
const NOTHING: Pick<Rules, 'redactor' | 'matcher' | 'withMd5'> = {
  withMd5: false,
  redactor: { redact: () => undefined, unknown: 0, unknownNames: new Map() },
  matcher: compileBound([]),
};

/** The roots of the pseudonyms in force, and how long an epoch of them is. */
export interface KeysInForce {
  readonly keyring: Keyring;
  readonly epochUs: number | undefined;
}

interface InForce extends Pick<Rules, 'redactor' | 'matcher' | 'rulepack' | 'withMd5'> {
  readonly ruleset: string;
  readonly turning: Turning | undefined;
  readonly summing: Summing;
  readonly keys: KeysInForce | undefined;
  readonly canaries: Canaries | undefined;
  readonly problem: Error | undefined;
}

/** Rules that may be used here, or why there are none. Only a problem of the rules is answered so; others are thrown. */
async function rulesInForce(config: AgentConfig, logKey: VerifierKey): Promise<InForce> {
  try {
    return inForce(await openApproved(config, logKey));
  } catch (error) {
    if (!(error instanceof Error) || !isProblemOfRules(error)) throw error;
    const summing = { ...NO_SUMS, sums: undefined };
    const no = { turning: undefined, keys: undefined, canaries: undefined, summing };
    return { ...NOTHING, ruleset: NO_RULES, rulepack: NO_RULES, ...no, problem: error };
  }
}

function inForce({ ruleset, ...rules }: Rules): InForce {
  const keys = { keyring: rules.keyring, epochUs: ruleset.epoch?.length };
  const canaries = new Canaries(ruleset, rules);
  const { redactor } = canaries;
  const named = { ruleset: ruleset.digest, turning: turningOf(ruleset) };
  const summing = { sums: ruleset.sums, keys: rules.keyring };
  return { ...rules, summing, ...named, redactor, keys, canaries, problem: undefined };
}

export const isProblemOfRules = (error: unknown): boolean =>
  error instanceof NotApproved ||
  error instanceof MissingRoot ||
  error instanceof RulesetError ||
  error instanceof SigmaError ||
  (error instanceof Error && 'code' in error && error.code === 'ENOENT');

/** Whether the rules of this configuration may be used, as at a start; writes nothing and puts nothing in force. */
export async function lookAtRules(config: AgentConfig): Promise<Rules> {
  const keyring = Keyring.look(config.pseudonym_key, Date.now() * 1_000);
  await takeIfUsable(new SharedKeys(config), keyring);
  return openApproved(config, parseVerifierKey(config.log_key), lookAtApproval, keyring);
}

/**
 * Rules as {@link openRules} reads them, if enough reviewers said yes to them and the log knows. To look at rules alone puts
 * no version in force.
 */
async function openApproved(
  config: AgentConfig,
  logKey: VerifierKey,
  approve: typeof requireApproval = requireApproval,
  open?: Keyring,
): Promise<Rules> {
  const rules = await openRules(config, open);
  const { approvals, reviewers, role } = config;
  const places = { approvals, reviewers, role, versions: join(config.spool, 'approved-versions'), logKey };
  approve({ kind: 'ruleset', digest: rules.ruleset.digest }, places);
  approve({ kind: 'rulepack', digest: rules.rulepack }, places);
  return rules;
}

export interface Agent {
  readonly line: Line;
  readonly herald: Herald;
  readonly limits: BatchLimits;
  readonly logKey: VerifierKey;
  readonly identity: VerifierKey;
  /** Why nothing is released; undefined while rules are in force. */
  readonly withheldBecause: Error | undefined;
  readonly withMd5: boolean;
  /** Undefined where no rules are in force. */
  readonly keys: KeysInForce | undefined;
  readonly canaries: Canaries | undefined;
  readonly summing: Summing;
}

/** Where `source` is another exporter: which, and its file. */
export function exporterOf({ source, exporter_file }: AgentConfig): { kind: Exporter; file: string } | undefined {
  const kind = EXPORTERS.find((one) => one === source);
  if (kind === undefined) return undefined;
  if (exporter_file === undefined)
    throw new ConfigError(`source is ${kind}, but exporter_file is missing; name the file that ${kind} writes`);
  return { kind, file: exporter_file };
}

export async function openAgent(config: AgentConfig): Promise<Agent> {
  await mkdir(config.spool, { recursive: true, mode: 0o750 });
  const logKey = parseVerifierKey(config.log_key);
  const rules = await rulesInForce(config, logKey);
  const identity = openIdentity(config.identity, config.node);
  const spool = await FileSpool.open(config.spool, identity, config.spool_bytes, realDisk);
  const sums = new Sums(rules.summing, Date.now() * 1_000, spool.sums);
  return {
    line: {
      matcher: rules.matcher,
      redactor: rules.redactor,
      spool,
      ledger: new Ledger(spool.last, spool.sensor, spool.journal, spool.exporter, sums),
    },
    herald: {
      node: config.node,
      boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
      role: config.role,
      cohort: config.cohort,
      ...rulesNamed(rules),
      vocabulary: vocabularyDigest(),
      agent: { version: VERSION, build: buildDigest() },
      sources: SOURCES.filter(
        (source) => source === config.source || source === 'host' || (source === 'journal' && readsJournal(config)),
      ),
    },
    limits: limitsOf(config),
    logKey,
    identity: identity.verifier,
    withheldBecause: rules.problem,
    withMd5: rules.withMd5,
    keys: rules.keys,
    canaries: rules.canaries,
    summing: rules.summing,
  };
}

const rulesNamed = ({ ruleset, rulepack, turning }: InForce): Pick<Herald, 'ruleset' | 'rulepack' | 'turning'> => ({
  ruleset,
  rulepack,
  turning,
});

const limitsOf = (config: AgentConfig): BatchLimits => ({
  events: config.batch_events,
  bytes: config.batch_bytes,
  ageMs: config.batch_age_ms,
  heartbeatMs: config.heartbeat_ms,
});

/**
 * The same agent under the rules and limits of another configuration. Rules that may not be used are no reason to release
 * nothing, as at a start: it throws, and the former ones stay in force.
 */
export async function withRules(agent: Agent, config: AgentConfig): Promise<Agent> {
  if (agent.canaries?.broken === true)
    throw new ConfigError('canaries came out of the redaction of this process; only a restart makes it anew');
  const rules = inForce(await openApproved(config, agent.logKey, requireApproval, agent.keys?.keyring));
  const { matcher, redactor, withMd5, keys, canaries, summing } = rules;
  return {
    ...agent,
    line: { ...agent.line, matcher, redactor },
    herald: { ...agent.herald, ...rulesNamed(rules) },
    limits: limitsOf(config),
    ...{ withheldBecause: undefined, withMd5, keys, canaries, summing },
  };
}

/** Said in every statement: a collector must not take the silence of a journal that nobody reads for peace. */
export const readsJournal = (config: AgentConfig): boolean =>
  config.journal === 'on' && journalState(directoryOf(config)) === 'reading';

export const directoryOf = ({ journal_directory }: AgentConfig): string | undefined => journal_directory;
