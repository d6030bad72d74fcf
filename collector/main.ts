/** Command lines of the collector: `collector run | check | init`, `events`, `alerts`, `verify`. */
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { pino } from 'pino';
import { ProtocolError } from '#protocol/error.ts';
import { parseVerifierKey } from '#protocol/note.ts';
import { ROLES } from '#protocol/statement.ts';
import { verifyArchive, type ArchiveReport } from '#protocol/verify.ts';
import { RulesetError } from '../redaction-rules/ruleset.ts';
import { epochsInWords } from './dashboard/words.ts';
import { readReviewers } from './approvals.ts';
import { KEYS, readConfig } from './config.ts';
import { admit, approvedPack, approvedRuleset, invite } from './enrolment.ts';
import { SigmaError } from './detectors/sigma/error.ts';
import { explore } from './explorer/explore.ts';
import { QuestionError } from './explorer/query.ts';
import { lineCheckIn } from './held-lines.ts';
import { readInForce } from './in-force.ts';
import { initCollector, pinOf } from './keys.ts';
import { makeOutputs } from './outputs/outputs.ts';
import { nowUs } from './pipeline.ts';
import { parseRegistry, Registry } from './registry.ts';
import { Rulesets } from './rulesets.ts';
import { runCollector, type Settings } from './run.ts';
import { SEVERITIES, type AlertRow, type StoryRow } from './findings.ts';
import { State } from './state.ts';
import { compact, queryEvents, QueryError } from './tables.ts';
import { describeKeys } from '../config/pages.ts';
import { ConfigError } from '../config/yaml.ts';

const EXIT = { done: 0, failed: 1, usage: 2, configuration: 3, verification: 4 } as const;

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));
/** Packages say where it is; in a checkout it lies in the directory of `npm start`. */
const HOME =
  process.env['HUSHWATCH_COLLECTOR'] ??
  join(process.env['HUSHWATCH_HOME'] ?? join(CHECKOUT, '.hushwatch'), 'collector');

export const USAGE = `usage: hushwatch collector run | check | compact [FILE]
       hushwatch collector init --home DIRECTORY --origin NAME
       hushwatch collector invite --node NAME --url wss://HOST:PORT/v1/ship [--role ROLE] [--cohort NAME]
                                  [--ruleset FILE] [--pack DIRECTORY] > INVITATION
       hushwatch collector admit ENTRY
       hushwatch events [QUERY] [--since 10m] [--until 0m] [--where CONDITION] [--node NAME] [--limit 1000] [--json]
                        [--histogram | --page N | --save-as-detector TITLE [--level medium] [--author NAME]]
       hushwatch alerts [--since 1d] [--node NAME] [--severity low] [--limit 1000] [--follow]
                        [--suppressed] [--json]
       hushwatch stories [--since 1d] [--node NAME] [--severity medium] [--all] [--limit 50] [--json]
       hushwatch verify DIRECTORY [--receipts DIRECTORY] [--json]

The directory of the data is that of FILE (or --config FILE); without one it is HUSHWATCH_COLLECTOR, else HUSHWATCH_HOME/collector.
A query asks what the page of events asks: "event = process.exec and process.executable.path startswith /tmp/".
  NAME = VALUE, !=, <, <=, >, >=, exists, in (VALUE, VALUE), contains, startswith, endswith, matches REGEX; and, or,
  not, ( ). A name is an attribute, event, class or node; a value with spaces or signs stands in quotes.
A condition is SQL over the attributes: "event = 'process.exec' AND process.executable.path LIKE '/tmp/%'"

exit: 0 done, 1 failed, 2 usage, 3 configuration, 4 verification says no

example: hushwatch events --since 10m --where "event = 'network.connect'" --json

collector.yaml
${describeKeys(KEYS)}
`;

/** What stops a command: told in a line, with what to do. */
class UsageError extends Error {}

export async function main(args: string[]): Promise<number> {
  const [verb = '', ...rest] = args;
  return await guarded('collector', async () => {
    if (verb === 'init') return await init(rest);
    if (verb === 'invite') return inviteNode(rest);
    if (verb === 'admit') return admitNode(rest);
    const { values, positionals } = parse(rest, { config: { type: 'string' } }, 1);
    const file = values.config ?? positionals[0] ?? join(HOME, 'collector.yaml');
    if (verb === 'check') return await check(file);
    if (verb === 'run') return await run(file);
    if (verb === 'compact') {
      for (const name of await compact(readConfig(file).home, nowUs())) say(name);
      return EXIT.done;
    }
    throw new UsageError(verb === '' ? 'say what to do' : `no command ${verb}`);
  });
}

function readSettings(file: string): Settings {
  const config = readConfig(file);
  const { home } = config;
  return {
    config,
    configFile: resolve(file),
    registry: Registry.open(join(home, 'nodes.yaml')),
    rulesets: Rulesets.open(join(home, 'rulesets')),
    inForce: readInForce(resolve(file), nowUs()),
    reviewers: readReviewers(home),
  };
}

async function check(file: string): Promise<number> {
  const { config, registry, rulesets, inForce } = readSettings(file);
  // What outputs need is there, and can be read.
  const outputs = await makeOutputs(config);
  if (rulesets.problems.length > 0) throw new ConfigError(rulesets.problems.join('\n'));
  const { length } = registry.nodes();
  const told = outputs.map(({ name }) => `, ${name}`).join('');
  say(
    `${file}: ${length} nodes, ${rulesets.digests.length} rulesets, ${inForce.rulepacks.rules.rules.length} rules, ${inForce.suppressions.length} suppressions${told}`,
  );
  return EXIT.done;
}

async function run(file: string): Promise<number> {
  const settings = readSettings(file);
  const logger = pino({ base: null });
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  await runCollector(settings, logger, stop.signal, (reload) => void process.on('SIGHUP', reload));
  return EXIT.done;
}

async function init(args: string[]): Promise<number> {
  const { values } = parse(args, {
    home: { type: 'string', default: HOME },
    origin: { type: 'string', default: 'localhost/hushwatch' },
  });
  const { pin, logKey } = await initCollector({ home: resolve(values.home), origin: values.origin });
  say(`home: ${resolve(values.home)}\ncollector_key: ${pin}\nlog_key: ${logKey}`);
  return EXIT.done;
}

function inviteNode(args: string[]): number {
  const { values } = parse(args, {
    home: { type: 'string', default: HOME },
    node: { type: 'string' },
    url: { type: 'string' },
    role: { type: 'string', default: 'generic' },
    cohort: { type: 'string', default: 'none' },
    ruleset: { type: 'string' },
    pack: { type: 'string' },
  });
  const { node, url, cohort } = values;
  const role = ROLES.find((each) => each === values.role);
  if (role === undefined) throw new UsageError(`--role is one of ${ROLES.join(', ')}`);
  if (node === undefined || url === undefined) throw new UsageError('invite wants --node and --url');
  const home = resolve(values.home);
  const ruleset = values.ruleset ?? approvedRuleset(home, role);
  const pack = values.pack ?? approvedPack(home);
  const pin = pinOf(new X509Certificate(readFileSync(join(home, 'tls.crt'))));
  say(JSON.stringify(invite({ home, node, role, cohort, url, pin, ruleset, pack }), null, 1));
  return EXIT.done;
}

function admitNode(args: string[]): number {
  const { values, positionals } = parse(args, { home: { type: 'string', default: HOME } }, 1);
  const [file = ''] = positionals;
  if (file === '') throw new UsageError('admit wants the file that `hushwatch enroll` printed');
  say(`${admit(resolve(values.home), readFileSync(file, 'utf8'), file)} may send now`);
  return EXIT.done;
}

export async function events(args: string[]): Promise<number> {
  return await guarded('events', async () => {
    const { values, positionals } = parse(
      args,
      {
        home: { type: 'string', default: HOME },
        since: { type: 'string', default: '10m' },
        until: { type: 'string', default: '0s' },
        where: { type: 'string' },
        node: { type: 'string' },
        limit: { type: 'string', default: '1000' },
        page: { type: 'string', default: '1' },
        histogram: { type: 'boolean', default: false },
        'save-as-detector': { type: 'string' },
        level: { type: 'string', default: 'medium' },
        author: { type: 'string', default: 'saved from a search' },
        json: { type: 'boolean', default: false },
      },
      1,
    );
    const [query] = positionals;
    const title = values['save-as-detector'];
    const span = {
      sinceUs: timeAgo('since', values.since),
      // The clock of a node may be ahead of ours.
      untilUs: values.until === '0s' ? Number.MAX_SAFE_INTEGER : timeAgo('until', values.until),
      node: values.node,
    };
    const limit = countOf('limit', values.limit);
    const { where = 'true', histogram } = values;
    const isExploring = query !== undefined || histogram || title !== undefined || values.page !== '1';
    if (values.where !== undefined && isExploring)
      throw new UsageError('--where is SQL and only lists; ask in the query language for all else');
    if (!isExploring) return sayLines(await queryEvents(resolve(values.home), { ...span, where, limit }));
    const page = countOf('page', values.page) - 1;
    return sayLines(
      await explore(resolve(values.home), {
        ...{ query: query ?? '', page, limit, ...span, untilUs: Math.min(span.untilUs, nowUs() + AHEAD_US) },
        ...{ histogram, json: values.json },
        save: title === undefined ? undefined : { title, level: values.level, author: values.author },
      }),
    );
  });
}

const AHEAD_US = 60e6;

function sayLines(lines: readonly string[]): number {
  if (lines.length > 0) say(lines.join('\n'));
  return EXIT.done;
}

export async function alerts(args: string[]): Promise<number> {
  return await guarded('alerts', async () => {
    const { values } = parse(args, {
      home: { type: 'string', default: HOME },
      since: { type: 'string' },
      node: { type: 'string' },
      severity: { type: 'string', default: 'informational' },
      limit: { type: 'string', default: '1000' },
      follow: { type: 'boolean', default: false },
      suppressed: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    });
    const minSeverity = SEVERITIES.find((each) => each === values.severity);
    if (minSeverity === undefined) throw new UsageError(`--severity is one of ${SEVERITIES.join(', ')}`);
    const file = join(resolve(values.home), 'state.sqlite');
    if (!existsSync(file)) throw new QueryError(`${file} is not there; has the collector run?`);
    using state = State.openReadOnly(file);
    const sinceUs = values.since === undefined ? 0 : timeAgo('since', values.since);
    const { node, suppressed } = values;
    const query = { limit: countOf('limit', values.limit), node, minSeverity, sinceUs, suppressed };
    const tell = (rows: readonly AlertRow[]): void => {
      for (const row of rows) say(values.json ? JSON.stringify(row) : textOf(row));
    };
    const found = state.alerts(query).toReversed();
    tell(found);
    for (let last = found.at(-1)?.seq ?? 0; values.follow;) {
      await new Promise((settle) => setTimeout(settle, 200));
      const more = state.alerts({ ...query, afterSeq: last });
      tell(more);
      last = more.at(-1)?.seq ?? last;
    }
    return EXIT.done;
  });
}

function textOf({ time, severity, node, title, reason }: AlertRow): string {
  return `${new Date(time / 1000).toISOString()} ${severity} ${node} ${title}\n  ${reason}`;
}

/** What people are shown; with --all, what they are not shown too. */
export async function stories(args: string[]): Promise<number> {
  return await guarded('stories', async () => {
    const { values } = parse(args, {
      home: { type: 'string', default: HOME },
      since: { type: 'string' },
      node: { type: 'string' },
      severity: { type: 'string', default: 'informational' },
      limit: { type: 'string', default: '50' },
      all: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    });
    const minSeverity = SEVERITIES.find((each) => each === values.severity);
    if (minSeverity === undefined) throw new UsageError(`--severity is one of ${SEVERITIES.join(', ')}`);
    const file = join(resolve(values.home), 'state.sqlite');
    if (!existsSync(file)) throw new QueryError(`${file} is not there; has the collector run?`);
    using state = State.openReadOnly(file);
    const found = state.stories({
      ...{ limit: countOf('limit', values.limit), node: values.node, minSeverity },
      sinceUs: values.since === undefined ? 0 : timeAgo('since', values.since),
      shown: values.all ? undefined : true,
    });
    for (const row of found.toReversed()) say(values.json ? JSON.stringify(row) : storyText(row));
    return await Promise.resolve(EXIT.done);
  });
}

const MAX_SAID = 6;

function storyText({ last, severity, node, title, reason, score, alerts, findings, loss, attack }: StoryRow): string {
  const lost = loss === 0 ? '' : `, ${loss} events lost around it`;
  const heaviest = findings.toSorted((a, b) => b.points - a.points);
  const what = heaviest.slice(0, MAX_SAID).map((each) => `${each.title}${each.count > 1 ? ` ×${each.count}` : ''}`);
  const more = findings.length > MAX_SAID ? `; and ${findings.length - MAX_SAID} more` : '';
  return [
    `${new Date(last / 1000).toISOString()} ${severity} ${node} ${title}`,
    `  ${reason}`,
    `  score ${score}, ${alerts} ${alerts === 1 ? 'alert' : 'alerts'}${lost}; ${attack.slice(0, 8).join(' ') || 'no technique named'}`,
    ...(findings.length > 1 ? [`  findings: ${what.join('; ')}${more}`] : []),
  ].join('\n');
}

/** From public keys alone: `nodes.yaml`, `log.pub`, `log/`, `evidence/` and, where there are any, `reviewers` and `rulesets/`. */
export async function verify(args: string[]): Promise<number> {
  return await guarded('verify', async () => {
    const { values, positionals } = parse(
      args,
      { receipts: { type: 'string' }, json: { type: 'boolean', default: false } },
      1,
    );
    const [directory = ''] = positionals;
    if (directory === '') throw new UsageError('name one directory, such as .hushwatch/collector');
    const nodesFile = join(directory, 'nodes.yaml');
    const nodes = [...parseRegistry(readFileSync(nodesFile, 'utf8'), nodesFile).values()];
    const reviewers = readReviewers(directory);
    const lineCheck = lineCheckIn(join(directory, 'rulesets'));
    const report = await verifyArchive({
      ...(reviewers === undefined ? {} : { reviewers }),
      ...lineCheck,
      reader: { readFile: (path) => Promise.resolve(fileIn(directory, path)) },
      logKey: parseVerifierKey(readFileSync(join(directory, 'log.pub'), 'utf8').trim()),
      nodes: nodes.map(({ name, batchKey, role, cohort }) => ({ name, key: batchKey, role, cohort })),
      receipts: receiptsIn(values.receipts),
    });
    say(values.json ? JSON.stringify(report) : reportText(report));
    return report.ok ? EXIT.done : EXIT.verification;
  });
}

function fileIn(directory: string, path: string): Uint8Array | undefined {
  const file = join(directory, path);
  return existsSync(file) ? readFileSync(file) : undefined;
}

function receiptsIn(directory: string | undefined): readonly { readonly where: string; readonly bytes: Uint8Array }[] {
  if (directory === undefined) return [];
  const names = readdirSync(directory).filter((name) => name.endsWith('.tlog-proof'));
  return names.map((name) => ({ where: name, bytes: readFileSync(join(directory, name)) }));
}

function reportText(report: ArchiveReport): string {
  const { ok, origin, entries, bodies, receipts, nodes, problems } = report;
  return [
    `log ${origin ?? '(no checkpoint)'}: ${entries} entries, ${receipts} receipts`,
    `bodies: ${bodies.present} present, ${bodies.expired} expired, ${bodies.missing} missing`,
    ...nodes.map(
      ({ name, batches, first, last, events: count, lost, epochs }) =>
        `node ${name}: batches ${first} to ${last} (${batches}), ${count} events, ${lost} lost, pseudonyms of ${epochs === undefined ? 'no named epoch' : epochsInWords(epochs)}`,
    ),
    ...rulesText(report),
    ...changesText(report),
    ...problems.map(({ code, where, message }) => `WRONG ${code}: ${where}: ${message}`),
    ok ? 'verified' : `NOT verified: ${problems.length} problems`,
  ].join('\n');
}

/** What was asked about rules, and what nobody could ask. */
function rulesText({ approved, linesChecked }: ArchiveReport): readonly string[] {
  const lines =
    linesChecked === 0 ? 'no rulesets/ to hold lines against' : `${linesChecked} lines held against their ruleset`;
  if (approved === undefined) return ['approvals: NOT CHECKED, there is no list of reviewers', `released: ${lines}`];
  return [
    ...approved.map(
      ({ kind, name, version, role, digest, where, reviewers }) =>
        `approved: ${kind} ${name} ${version} for ${role} (${digest.slice(0, 12)}), ${where}, by ${reviewers.join(', ')}`,
    ),
    `released: ${lines}`,
  ];
}

/** The last of them says what detects now. */
function changesText({ changes }: ArchiveReport): readonly string[] {
  const last = changes.at(-1);
  if (last === undefined) return [];
  const { time, who, reason, after, where } = last;
  const at = new Date(time / 1000).toISOString();
  return [
    `detectors: ${changes.length} changes, the last at ${where}, ${at}, by ${who}: ${reason} (${after.slice(0, 12)})`,
  ];
}

type Parsed<T extends NonNullable<ParseArgsConfig['options']>> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; allowPositionals: true }>
>;

function parse<const T extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: T,
  maxPositionals = 0,
): Parsed<T> {
  let parsed: Parsed<T>;
  try {
    parsed = parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  if (parsed.positionals.length > maxPositionals) throw new UsageError(`what is ${parsed.positionals.at(-1) ?? ''}?`);
  return parsed;
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `10m` ago, µs since 1970. */
function timeAgo(option: string, text: string): number {
  const [, n = '', unit = ''] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? [];
  if (n === '') throw new UsageError(`--${option} is a number and s, m, h or d, such as 10m`);
  return (Date.now() - Number(n) * (UNITS[unit] ?? 1) * 1000) * 1000;
}

function countOf(option: string, text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new UsageError(`--${option} is a whole number above 0`);
  return Number(text);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The one place where errors become words and exit codes. */
async function guarded(command: string, work: () => Promise<number> | number): Promise<number> {
  const complain = (text: string): void => void process.stderr.write(`hushwatch ${command}: ${text}\n`);
  try {
    return await work();
  } catch (error) {
    if (error instanceof UsageError) {
      complain(error.message);
      process.stderr.write(USAGE);
      return EXIT.usage;
    }
    if (error instanceof ConfigError || error instanceof RulesetError || error instanceof SigmaError) {
      complain(error.message);
      return EXIT.configuration;
    }
    if (error instanceof QueryError || error instanceof QuestionError) {
      complain(error.message);
      return EXIT.failed;
    }
    if (error instanceof ProtocolError) {
      complain(`${error.code}: ${error.message}`);
      return EXIT.configuration;
    }
    complain(error instanceof Error ? error.message : String(error));
    return EXIT.failed;
  }
}
