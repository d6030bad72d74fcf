/**
 * Changes of what detects, while the collector runs. Rules and knobs change when an operator says so, by name and with a
 * reason (`hushwatch detect apply`, SIGHUP); suppressions, which name who answers for them, as soon as their file does; what
 * was changed while nobody ran, at the start.
 *
 *     read all of it -> keep the line-up -> log the change -> (the follower comes to that place) -> swap
 *
 * A mistake anywhere leaves everything as it was and is told with file and line. The log is the truth: whatever happens
 * between two of these steps, the next start finds that files and log differ, or that they do not.
 */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import {
  changesBetween,
  formatChange,
  formatLineup,
  lineupDigest,
  lineupPath,
  MAX_LISTED,
  MAX_REASON,
  MAX_WHO,
  NO_LINEUP,
  type ItemChange,
} from '#protocol/change.ts';
import { encodeText } from '#protocol/encoding.ts';
import { signNote, type SigningKey } from '#protocol/note.ts';
import type { Suppression } from './detectors/suppressions.ts';
import { alertId, HOUR, type Alert } from './detectors/detector.ts';
import { SigmaError } from './detectors/sigma/error.ts';
import { tellAlone } from './detectors/stories.ts';
import { realDisk, replaceFile, stampOf } from './disk.ts';
import { lineupOf, loggedLineup, nameOf, readInForce, type InForce } from './in-force.ts';
import type { TransparencyLog } from './log.ts';
import { readAnswerable, type Asked, writeAnswer } from './apply.ts';
import type { State } from './state.ts';
import { readSuppressions } from './suppressions.ts';
import { ConfigError } from '../config/yaml.ts';

export interface ChangesOptions {
  readonly configFile: string;
  readonly key: SigningKey;
  readonly log: TransparencyLog;
  readonly state: State;
  /** Brings the state up to the log. */
  readonly follow: () => Promise<void>;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly now: () => number;
}

interface Lined {
  readonly digest: string;
  readonly inForce: InForce;
}

/** Rules are looked at so often, whether their files are what is in force. */
const LOOK_AT_RULES_US = 10_000_000;

export class DetectorChanges {
  readonly #options: ChangesOptions;
  readonly #home: string;
  /** What this process put into the log and the follower has not come to yet. */
  #lined: readonly Lined[] = [];
  #current: InForce;
  #working: Promise<void> | undefined;
  #signalled = false;
  #suppressionsStamp = '';
  #rulesStamp = '';
  #rulesAt = 0;
  /** Problems told, so that each is told once. */
  readonly #told = new Map<string, string>();

  private constructor(options: ChangesOptions, current: InForce) {
    this.#options = options;
    this.#home = dirname(options.configFile);
    this.#current = current;
    this.#suppressionsStamp = stampOf(join(this.#home, 'suppressions.yaml'));
    this.#rulesStamp = this.#stampRules();
  }

  /** `current`: what was read at the start. What differs from the log is logged before anything looks at evidence. */
  static async open(options: ChangesOptions, current: InForce): Promise<DetectorChanges> {
    const changes = new DetectorChanges(options, current);
    mkdirSync(join(changes.#home, 'lineups', 'tmp'), { recursive: true, mode: 0o750 });
    mkdirSync(join(changes.#home, 'apply'), { recursive: true, mode: 0o750 });
    await changes.#atStart();
    return changes;
  }

  /** What looks at evidence, as far as the log goes. */
  get current(): InForce {
    return this.#current;
  }

  /** For the follower, which has come to an entry that names this line-up: what to detect by from there on. */
  take(digest: string): InForce | undefined {
    const at = this.#lined.findIndex((each) => each.digest === digest);
    const found = this.#lined[at]?.inForce;
    this.#lined = this.#lined.slice(at + 1);
    return found;
  }

  /** Asked by signal: nobody gave a name. */
  signal(): void {
    this.#signalled = true;
  }

  /** Looks what was asked, and what changed on the disk. One at a time, whoever asks. */
  async refresh(): Promise<void> {
    this.#working ??= this.#refresh().finally(() => (this.#working = undefined));
    await this.#working;
  }

  async #atStart(): Promise<void> {
    const asked = readAnswerable(this.#home);
    const first = this.#options.state.detectorChanges().length === 0;
    const by = {
      who: 'hushwatch',
      reason: first ? 'The collector began.' : 'Found at the start; nobody gave a reason.',
    };
    const changes = await this.#put(this.#current, asked ?? by);
    if (asked !== undefined) writeAnswer(this.#home, asked, { changes });
  }

  async #refresh(): Promise<void> {
    const asked = readAnswerable(this.#home);
    if (asked !== undefined) return await this.#answer(asked);
    if (this.#signalled) {
      this.#signalled = false;
      await this.#read({ who: 'hushwatch', reason: 'Asked by SIGHUP; nobody gave a reason.' });
    }
    await this.#lookAtSuppressions();
    await this.#expire();
    this.#lookAtRules();
  }

  async #answer(asked: Asked): Promise<void> {
    const changes = await this.#read(asked);
    const problem = this.#told.get(WHOLE);
    writeAnswer(this.#home, asked, changes === undefined ? { problem: problem ?? 'unknown' } : { changes });
  }

  /** All files anew; `undefined` when one has a mistake, which is told. */
  async #read(by: Pick<Asked, 'who' | 'reason'>): Promise<readonly ItemChange[] | undefined> {
    const { configFile, now } = this.#options;
    this.#suppressionsStamp = stampOf(join(this.#home, 'suppressions.yaml'));
    this.#rulesStamp = this.#stampRules();
    const read = this.#telling(WHOLE, () => readInForce(configFile, now()));
    return read === undefined ? undefined : await this.#put(read, by);
  }

  async #lookAtSuppressions(): Promise<void> {
    const stamp = stampOf(join(this.#home, 'suppressions.yaml'));
    if (stamp === this.#suppressionsStamp) return;
    this.#suppressionsStamp = stamp;
    const suppressions = this.#telling('suppressions.yaml', () => readSuppressions(this.#home, this.#options.now()));
    if (suppressions === undefined) return;
    const before = this.#current.suppressions;
    await this.#put({ ...this.#current, suppressions }, answerable(before, suppressions));
  }

  /** One whose day came leaves the line-up by itself. */
  async #expire(): Promise<void> {
    const over = this.#current.suppressions.filter(({ expires }) => expires <= this.#options.now());
    // Asked each second; the line-up is a file.
    if (over.length === 0) return;
    const logged = loggedLineup(this.#home, this.#options.state.detectorChanges().at(-1)?.after);
    const gone = over.filter((each) => logged.has(`suppression ${nameOf(each)}`));
    const [one] = gone;
    if (one === undefined) return;
    const reason = inOneLine(
      `The day of ${gone.map(({ id, owner }) => `${id} (${owner})`).join(', ')} came.`,
      MAX_REASON,
    );
    await this.#put(this.#current, { who: 'hushwatch', reason });
  }

  /** What lies there and is not in force is told: somebody forgot to say so, or made a mistake. */
  #lookAtRules(): void {
    const { now, configFile, logger } = this.#options;
    if (now() - this.#rulesAt < LOOK_AT_RULES_US) return;
    this.#rulesAt = now();
    const stamp = this.#stampRules();
    if (stamp === this.#rulesStamp) return;
    this.#rulesStamp = stamp;
    const read = this.#telling(WHOLE, () => readInForce(configFile, now()));
    if (read === undefined) return;
    const waiting = changesBetween(lineupOf(this.#current, now()), lineupOf(read, now())).length;
    if (waiting > 0)
      logger.warn({ changes: waiting }, 'not in force yet: hushwatch detect apply --by NAME --reason TEXT');
  }

  /** The line-up is durable before the entry that names it; the entry before anything detects by it. */
  async #put(next: InForce, { who, reason }: Pick<Asked, 'who' | 'reason'>): Promise<readonly ItemChange[]> {
    const { key, log, follow, now, logger, state } = this.#options;
    const time = now();
    const lineup = lineupOf(next, time);
    const digest = lineupDigest(lineup);
    const logged = state.detectorChanges().at(-1)?.after;
    const before = loggedLineup(this.#home, logged);
    const last = logged ?? NO_LINEUP;
    if (digest === last) {
      this.#current = next;
      return [];
    }
    const ended = new Set(this.#current.suppressions.filter(({ expires }) => expires <= time).map(nameOf));
    const changes = changesBetween(before, lineup, (name) => ended.has(name));
    const listed = changes.slice(0, MAX_LISTED);
    const text = formatChange({ time, who, reason, before: last, after: digest, changes: changes.length, listed });
    const file = join(this.#home, lineupPath(digest));
    await replaceFile(realDisk, join(this.#home, 'lineups/tmp'), file, encodeText(formatLineup(lineup)));
    this.#lined = [...this.#lined, { digest, inForce: next }];
    await log.append(signNote(text, key));
    await follow();
    this.#current = next;
    logger.info({ who, reason, changes: changes.length }, 'what detects was changed');
    return changes;
  }

  /** Tells what is wrong, once, to the log and to those who read stories; then what was in force stays so. */
  #telling<T>(what: string, read: () => T): T | undefined {
    const { logger, state, now } = this.#options;
    try {
      const found = read();
      this.#told.delete(what);
      return found;
    } catch (error) {
      if (!(error instanceof ConfigError || error instanceof SigmaError || isFileError(error))) throw error;
      const problem = error.message;
      if (this.#told.get(what) !== problem) {
        logger.error({ problem }, `${what} cannot be put in force; the former stay so`);
        const { alert, story } = tellAlone(mistakeAlert(problem, now()));
        state.addRefusal('', 'detectors', problem, now());
        state.commitStep({ alerts: [alert], stories: [story] });
      }
      this.#told.set(what, problem);
      return undefined;
    }
  }

  #stampRules(): string {
    const packs = join(this.#home, 'packs');
    const names = existsSync(packs) ? readdirSync(packs, { recursive: true, encoding: 'utf8' }).toSorted() : [];
    return [this.#options.configFile, ...names.map((name) => join(packs, name))].map(stampOf).join('\n');
  }
}

const WHOLE = 'rules and knobs';

const isFileError = (error: unknown): error is Error => error instanceof Error && 'code' in error && 'syscall' in error;

/** What people wrote into a file, as the log can say it: whatever is no text there would stop us at the signing. */
function inOneLine(text: string, most: number): string {
  const line = text
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .toWellFormed()
    .trim();
  return line.length <= most
    ? line
    : `${line
        .slice(0, most - 1)
        .toWellFormed()
        .trim()}…`;
}

/** Suppressions say themselves who answers for them and why. */
function answerable(before: readonly Suppression[], after: readonly Suppression[]): Pick<Asked, 'who' | 'reason'> {
  const known = new Set(before.map((each) => JSON.stringify(each)));
  const fresh = after.filter((each) => !known.has(JSON.stringify(each)));
  const who = fresh.map(({ owner }) => owner.trim()).join(', ');
  const why = fresh.map(({ id, reason }) => `${id.trim()}: ${reason.trim()}`).join(' ');
  if (fresh.length === 0) return { who: 'unnamed', reason: 'Taken out of suppressions.yaml.' };
  return { who: inOneLine(who, MAX_WHO) || 'unnamed', reason: inOneLine(why, MAX_REASON) };
}

function mistakeAlert(problem: string, time: number): Alert {
  return {
    id: alertId('evidence', 'detectors', '', `${problem} ${Math.floor(time / HOUR)}`),
    time,
    node: '',
    detector: 'evidence',
    rule: 'detectors',
    title: 'A change of what detects has a mistake and is not in force',
    severity: 'medium',
    reason: `A change of what detects has a mistake, and what detected before still does: ${problem.split('\n')[0] ?? ''}.`,
    silencedBy: 'mending the file, then hushwatch detect apply',
    attack: [],
    events: [],
    entity: undefined,
    loss: 0,
  };
}
