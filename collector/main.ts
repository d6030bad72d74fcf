/** Command lines of the collector: `collector run | check | init | invite | admit | token`, `events`, `verify`. */
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pino } from 'pino';
import { parseCosignerKey } from '#protocol/cosignature.ts';
import { parseVerifierKey } from '#protocol/note.ts';
import { ROLES } from '#protocol/statement.ts';
import { verifyArchive, type Archive, type ArchiveReport, type RestartReport } from '#protocol/verify.ts';
import { epochsInWords } from './dashboard/words.ts';
import { readReviewers } from './approvals.ts';
import { countOf, EXIT, guarded, HOME, parse, say, timeAgo, UsageError } from './command.ts';
import { KEYS, readConfig } from './config.ts';
import { admit, approvedPack, approvedRuleset, invite, keysOfCollector, keysOfNode, renew } from './enrolment.ts';
import { explore } from './explorer/explore.ts';
import { MAX_QUERY } from './explorer/query.ts';
import { lineCheckIn } from './held-lines.ts';
import { readInForce } from './in-force.ts';
import { initCollector, pinOf } from './keys.ts';
import { makeOutputs } from './outputs/outputs.ts';
import { nowUs } from './pipeline.ts';
import { parseRegistry, Registry } from './registry.ts';
import { Rulesets } from './rulesets.ts';
import { runCollector, type Settings } from './run.ts';
import { compact, queryEvents } from './tables.ts';
import { manageTokens } from './token-commands.ts';
import { describeKeys } from '../config/pages.ts';
import { ConfigError } from '../config/yaml.ts';

export const USAGE = `usage: hushwatch collector run | check | compact [FILE]
       hushwatch collector init --home DIRECTORY --origin NAME
       hushwatch collector invite --node NAME --url wss://HOST:PORT/v1/ship [--role ROLE] [--cohort NAME]
                                  [--ruleset FILE] [--pack DIRECTORY] > INVITATION
       hushwatch collector admit ENTRY [--renew]
       hushwatch collector token create --role ROLE --name NAME [--expires 90d]
       hushwatch collector token list [--json]
       hushwatch collector token revoke ID
       hushwatch events [QUERY] [--since 10m] [--until 0m] [--where CONDITION] [--node NAME] [--limit 1000] [--json]
                        [--histogram | --page N | --save-as-detector TITLE [--level medium] [--author NAME]]
       hushwatch verify DIRECTORY [--receipts DIRECTORY] [--witnesses NUMBER --witness-keys FILE] [--json]

The directory of the data is that of FILE (or --config FILE); without one it is HUSHWATCH_COLLECTOR, else HUSHWATCH_HOME/collector.
A query asks what the page of events asks: "event = process.exec and process.executable.path startswith /tmp/".
  NAME = VALUE, !=, <, <=, >, >=, exists, in (VALUE, VALUE), contains, startswith, endswith, matches REGEX; and, or,
  not, ( ). A name is an attribute, event, class or node; a value with spaces or signs stands in quotes. "-": it comes by standard input.
A condition is SQL over the attributes: "event = 'process.exec' AND process.executable.path LIKE '/tmp/%'"

exit: 0 done, 1 failed, 2 usage, 3 configuration, 4 verification says no

example: hushwatch events --since 10m --where "event = 'network.connect'" --json

collector.yaml
${describeKeys(KEYS)}
`;

export async function main(args: string[]): Promise<number> {
  const [verb = '', ...rest] = args;
  return await guarded('collector', USAGE, async () => {
    if (verb === 'init') return await init(rest);
    if (verb === 'invite') return inviteNode(rest);
    if (verb === 'admit') return admitNode(rest);
    if (verb === 'token') return manageTokens(rest);
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
  await runCollector(settings, logger, stop.signal);
  return EXIT.done;
}

async function init(args: string[]): Promise<number> {
  const { values } = parse(args, {
    home: { type: 'string', default: HOME },
    origin: { type: 'string', default: 'localhost/hushwatch' },
  });
  const { pin, logKey } = await initCollector({ home: resolve(values.home), origin: values.origin });
  say(`home: ${resolve(values.home)}\n${keysOfCollector(pin, logKey)}`);
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
  const invitation = invite({ home, node, role, cohort, url, pin, ruleset, pack });
  say(JSON.stringify(invitation, null, 1));
  process.stderr.write(`${keysOfCollector(pin, invitation.log_key)}\n`);
  return EXIT.done;
}

function admitNode(args: string[]): number {
  const options = {
    home: { type: 'string', default: HOME },
    renew: { type: 'boolean', default: false },
  } as const;
  const { values, positionals } = parse(args, options, 1);
  const [file = ''] = positionals;
  if (file === '') throw new UsageError('admit wants the file that `hushwatch enroll` printed');
  const take = values.renew ? renew : admit;
  const node = take(resolve(values.home), readFileSync(file, 'utf8'), file);
  say(`${node.name} may send now\n${keysOfNode(node)}`);
  return EXIT.done;
}

export async function events(args: string[]): Promise<number> {
  return await guarded('events', USAGE, async () => {
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
    const query = positionals[0] === '-' ? await questionFrom(process.stdin) : positionals[0];
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

/** What is asked is not for everybody who may list processes. Read no further than where it is too long to be asked. */
async function questionFrom(input: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    chunks.push(Buffer.from(chunk));
    if ((bytes += chunk.length) > MAX_QUERY * MOST_BYTES_A_CHARACTER) break;
  }
  return Buffer.concat(chunks).toString().trim();
}

/** UTF-8 of a unit of UTF-16. */
const MOST_BYTES_A_CHARACTER = 3;

function sayLines(lines: readonly string[]): number {
  if (lines.length > 0) say(lines.join('\n'));
  return EXIT.done;
}

/** From public keys alone: `nodes.yaml`, `log.pub`, `log/`, `evidence/` and, where there are any, `reviewers` and `rulesets/`. */
export async function verify(args: string[]): Promise<number> {
  return await guarded('verify', USAGE, async () => {
    const { values, positionals } = parse(
      args,
      {
        receipts: { type: 'string' },
        witnesses: { type: 'string' },
        'witness-keys': { type: 'string' },
        json: { type: 'boolean', default: false },
      },
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
      nodes: nodes.map(({ batchKey, ...node }) => ({ ...node, key: batchKey })),
      receipts: receiptsIn(values.receipts),
      ...witnessesAsked(values.witnesses, values['witness-keys']),
    });
    say(values.json ? JSON.stringify(report) : reportText(report));
    return report.ok ? EXIT.done : EXIT.verification;
  });
}

/** So many of those whose keys stand in a file, one a line. */
function witnessesAsked(quorum: string | undefined, file: string | undefined): Pick<Archive, 'witnesses' | 'quorum'> {
  if (quorum === undefined && file === undefined) return {};
  if (quorum === undefined || file === undefined)
    throw new UsageError('--witnesses NUMBER and --witness-keys FILE go together');
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const witnesses = lines.map((line) => parseCosignerKey(line.trim()));
  const count = countOf('witnesses', quorum);
  if (count > witnesses.length) throw new UsageError(`${file} holds ${witnesses.length} keys, ${count} are asked for`);
  return { witnesses, quorum: count };
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
  const { ok, origin, entries, witnessed, bodies, receipts, nodes, problems } = report;
  return [
    `log ${origin ?? '(no checkpoint)'}: ${entries} entries, ${receipts} receipts`,
    `bodies: ${bodies.present} present, ${bodies.expired} expired, ${bodies.missing} missing`,
    ...(witnessed === undefined ? [] : [witnessedText(witnessed, entries)]),
    ...nodes.flatMap(({ name, batches, first, last, events: count, lost, damaged, epochs, restarts }) => [
      `node ${name}: batches ${first} to ${last} (${batches}), ${count} events, ${lost} lost${damaged.batches === 0 ? '' : `, ${damaged.events} more in ${damaged.batches} damaged on the node`}, pseudonyms of ${epochs === undefined ? 'no named epoch' : epochsInWords(epochs)}`,
      ...restarts.map((restart) => restartText(name, restart)),
    ]),
    ...rulesText(report),
    ...changesText(report),
    ...problems.map(({ code, where, message }) => `WRONG ${code}: ${where}: ${message}`),
    ok ? 'verified' : `NOT verified: ${problems.length} problems`,
  ].join('\n');
}

function witnessedText({ size, by }: NonNullable<ArchiveReport['witnessed']>, entries: number): string {
  const names = by.map(({ name, time }) => `${name} at ${new Date(time * 1_000).toISOString()}`);
  return `witnessed: the first ${size} of ${entries} entries, by ${names.join(', ')}`;
}

function restartText(name: string, { sequence, reason, where, from, to }: RestartReport): string {
  const since = from === 0 ? 'its first event' : new Date(from / 1_000).toISOString();
  return `restarted: ${name} at ${sequence} (${reason}), ${where}; what it saw between ${since} and ${new Date(to / 1_000).toISOString()} may be missing`;
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
