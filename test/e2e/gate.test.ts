/**
 * The gate of a real agent process, with real shipper and collector: lines of other exporters pass it redacted, with all that
 * was lost accounted for; and without rules that may be used nothing passes, loudly.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NO_RULES } from '#protocol/statement.ts';
import { CLASSES, EVENTS, type EventClass } from '#protocol/vocabulary.ts';
import { EXPORTERS, type Exporter } from '../../agent/sources/exporters/name.ts';
import { mapperOf } from '../../agent/sources/exporters.ts';
import type { RawEvent } from '../../agent/event.ts';
import { compileRuleset } from '../../redaction-rules/compile.ts';
import { linesOf, tell, users } from '../agent/sources/exporters/real-lines.ts';
import { Chance } from '../redaction-rules/canaries.ts';
import { KEYS as ROOTS } from '../redaction-rules/small-ruleset.ts';
import { SHIPPED } from '../redaction-rules/shipped.ts';
import { CanarySearch } from './canary.ts';
import { OneLine } from './one-line.ts';
import { CHECKOUT, counts, until } from './stack.ts';

let line: OneLine;
beforeAll(async () => {
  line = await OneLine.start(18_480);
});
afterAll(async () => {
  await line[Symbol.asyncDispose]();
});

const shipped = SHIPPED.find(({ ruleset }) => ruleset.name === 'generic-linux')?.ruleset;
if (shipped === undefined) throw new Error('there is a ruleset for any Linux');
const rules = shipped.events;
const redactor = compileRuleset(shipped, ROOTS);

/** The rule says that it leaves as it is, or nearly. */
const saysSo = (event: RawEvent, secret: string): boolean =>
  Object.entries(event.attributes).some(([attribute, value]) => {
    const rule = [...(rules.get(event.name) ?? [])].find(([name]) => name === attribute)?.[1].do ?? 'drop';
    return ['keep', 'mask'].includes(rule) && String(value).includes(secret);
  });

const told = (kind: Exporter, text: string): RawEvent | undefined => {
  const mapped = tell(mapperOf[kind](users), text);
  return typeof mapped === 'string' ? undefined : mapped.event;
};

/** Texts of JSON, not names of fields. */
const TEXT = /"((?:[^"\\]|\\.)*)"(?!\s*:)/g;
const escaped = (text: string): string =>
  text.replaceAll(/./g, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`);

/** The line with a secret of its own in every text that a rule does not let pass; and those secrets. */
function laced(kind: Exporter, text: string, chance: Chance): { readonly line: string; readonly secrets: string[] } {
  const secrets: string[] = [];
  const before = told(kind, text);
  let laced = text;
  for (const { index, 0: found } of [...text.matchAll(TEXT)].toReversed()) {
    const secret = `${chance.word()}${chance.word()}`;
    const spelled = secrets.length % 2 === 0 ? secret : escaped(secret);
    const put = `${found.slice(0, -1)}${spelled}"`;
    const tried = laced.slice(0, index) + put + laced.slice(index + found.length);
    const after = told(kind, tried);
    // What names the event, or the time, must stay what it is; what a rule keeps is not secret.
    if (after?.name !== before?.name || after?.time !== before?.time) continue;
    if (after !== undefined && saysSo(after, secret)) continue;
    laced = tried;
    secrets.push(secret);
  }
  return { line: laced, secrets };
}

/** What an exporter says that it lost itself; laurel says nothing. */
const LOSSES: Readonly<Partial<Record<Exporter, object>>> = {
  falco: {
    ...{ time: '2026-05-01T10:00:00.000000000Z', rule: 'Falco internal: syscall event drop', source: 'internal' },
    output_fields: { n_drops: 42, n_drops_buffer_open_exit: 30, n_drops_buffer_connect_exit: 2 },
  },
  tetragon: { rate_limit_info: { number_of_dropped_process_events: '17' }, time: '2026-05-01T10:00:00.000000000Z' },
  tracee: { L: 'WARN', M: 'Lost 23 events' },
};

type Tally = Partial<Record<EventClass, number>>;

/** What the ledger must have gained: events by class, and losses that the exporter told. */
function expected(
  kind: Exporter,
  lines: readonly string[],
): { readonly events: Tally; readonly lost: Tally; readonly lostOfAnyKind: number } {
  const map = mapperOf[kind](users);
  const [events, lost]: [Tally, Tally] = [{}, {}];
  let lostOfAnyKind = 0;
  for (const text of lines) {
    const mapped = tell(map, text);
    if (typeof mapped === 'string') continue;
    if (mapped.event !== undefined) {
      const { class: cls } = EVENTS[mapped.event.name];
      events[cls] = (events[cls] ?? 0) + 1;
    }
    for (const cls of CLASSES) lost[cls] = (lost[cls] ?? 0) + (mapped.lost?.[cls] ?? 0);
    lostOfAnyKind += mapped.lostOfAnyKind ?? 0;
  }
  return { events, lost, lostOfAnyKind };
}

const seen = (): ReadonlyMap<string, number> => counts(line.statement().get('seen'));
const lostInQueue = (cls: EventClass): number => counts(line.statement().get('lost')).get(`queue.${cls}`) ?? 0;
/** Classes in which nothing but the exporter speaks here. */
const OTHERS = CLASSES.filter((cls) => cls !== 'self' && cls !== 'host');

describe('other exporters', () => {
  const secrets: string[] = [];

  for (const kind of EXPORTERS) {
    test(`${kind}: its lines, through a rotation, to the collector`, async () => {
      const chance = new Chance(`${kind} at the gate`);
      const made = linesOf(kind).map((text) => laced(kind, text, chance));
      const loss = LOSSES[kind];
      const lines = [...made.map((one) => one.line), ...(loss === undefined ? [] : [JSON.stringify(loss)])];
      secrets.push(...made.flatMap((one) => one.secrets));
      const half = Math.ceil(lines.length / 2);
      const file = line.at(`${kind}.json`);
      const want = expected(kind, lines);
      const keptBefore = keptLoss();
      const before = { seen: new Map<string, number>(), lost: new Map<EventClass, number>() };
      const gained = (cls: EventClass): number => (seen().get(cls) ?? 0) - (before.seen.get(cls) ?? 0);
      const isDone = (): boolean =>
        OTHERS.every((cls) => gained(cls) >= (want.events[cls] ?? 0) + (want.lost[cls] ?? 0));

      const said = await line.withAgent({ source: kind, exporter_file: file, heartbeat_ms: 1_000 }, async () => {
        await until(() => (line.statement().get('sources') ?? '').includes(kind), 60_000, 'its first statement');
        before.seen = new Map(seen());
        for (const cls of CLASSES) before.lost.set(cls, lostInQueue(cls));
        // Created, written in pieces that end in the middle of a line, rotated, written on.
        writeFileSync(file, lines.slice(0, 2).join('\n').slice(0, -10));
        appendFileSync(file, `${lines.slice(0, 2).join('\n').slice(-10)}\n`);
        await until(() => line.head().includes(String(statSync(file).ino)), 60_000, 'its first lines');
        appendFileSync(
          file,
          lines
            .slice(2, half)
            .map((text) => `${text}\n`)
            .join(''),
        );
        renameSync(file, `${file}.1`);
        writeFileSync(
          file,
          lines
            .slice(half)
            .map((text) => `${text}\n`)
            .join(''),
        );
        await until(isDone, 60_000, `all of ${kind}`);
      });
      await line.shipped();
      for (const cls of OTHERS) {
        expect(gained(cls), cls).toBe((want.events[cls] ?? 0) + (want.lost[cls] ?? 0));
        expect(lostInQueue(cls) - (before.lost.get(cls) ?? 0), `${cls} lost`).toBe(want.lost[cls] ?? 0);
      }
      expect(Object.values(want.events).reduce((a, b) => a + b, 0)).toBeGreaterThan(0);
      // Without a class: told in the reports of the source, or kept for the next one.
      expect(keptLoss() - keptBefore + lostInReports(kind), 'lost of no class').toBe(want.lostOfAnyKind);
      expect(Object.values({ ...want.lost, any: want.lostOfAnyKind }).some((n) => n > 0)).toBe(kind !== 'laurel');
      expect(said).toContain('stopped');
    });
  }

  test('two real processes: what is withheld changes nothing that they release, count or say', async () => {
    const made = linesOf('tetragon').map((text) => unseen('tetragon', text));
    const runs: Run[] = [];
    for (const which of ['one', 'two'] as const) {
      const file = line.at(`${which}.json`);
      writeFileSync(file, made.map((pair) => `${pair[which]}\n`).join(''));
      runs.push(
        await runOver(
          'tetragon',
          file,
          expected(
            'tetragon',
            made.map((pair) => pair[which]),
          ).events,
        ),
      );
    }
    const [one, two] = runs;
    expect(made.filter((pair) => pair.one.length !== pair.two.length).length).toBeGreaterThan(20);
    expect(one?.lines.length).toBeGreaterThan(15);
    expect(two).toEqual(one);
  });

  test('no text of theirs is found anywhere: neither field, nor sentence, nor whole command line', () => {
    const search = new CanarySearch({ secret: secrets });
    for (const place of ['agent/spool', 'agent/receipts', 'collector', 'shipper', 'log'])
      search.lookInto(line.at(place));
    search.look('what they said', Buffer.from(line.said));
    search.look('events', Buffer.from(cli('events', '--since', '9000d', '--limit', '100000', '--json')));
    expect(secrets.length).toBeGreaterThan(2_000);
    expect(search.packed).toBeGreaterThan(4);
    expect(search.found).toEqual([]);
  });
});

interface Run {
  /** What was released of the exporter's events. */
  readonly lines: readonly string[];
  /** What the ledger gained by them. */
  readonly counted: readonly string[];
  /** On standard error, but for numbers and times. */
  readonly said: string;
}

const COUNTED = ['seen', 'released', 'merged', 'sampled', 'withheld', 'lost'];

/** One life of the agent, from nothing read to all of the file read. */
async function runOver(kind: Exporter, file: string, want: Tally): Promise<Run> {
  const countsNow = (): ReadonlyMap<string, number> =>
    new Map(
      COUNTED.flatMap((key) =>
        [...counts(line.statement().get(key))].map(([cls, n]): [string, number] => [`${key} ${cls}`, n]),
      ),
    );
  const isOthers = (key: string): boolean => OTHERS.some((cls) => key.endsWith(cls));
  const [before, first] = [countsNow(), Number(line.statement().get('sequence') ?? 0)];
  const gained = (key: string): number => (countsNow().get(key) ?? 0) - (before.get(key) ?? 0);
  const isDone = (): boolean => OTHERS.every((cls) => gained(`seen ${cls}`) >= (want[cls] ?? 0));
  const said = await line.withAgent({ source: kind, exporter_file: file }, () =>
    until(isDone, 60_000, `all of ${file}`),
  );
  await line.shipped();
  const where = `sequence > ${first} AND event NOT LIKE 'hushwatch.%' AND event NOT LIKE 'host.%'`;
  const found = cli('events', '--since', '9000d', '--limit', '100000', '--where', where, '--json').split('\n');
  return {
    lines: found.map((text) => text.replace(/"sequence":\d+,/, '')).toSorted((a, b) => (a < b ? -1 : 1)),
    counted: [...countsNow().keys()].filter(isOthers).map((key) => `${key} ${gained(key)}`),
    said: said.replaceAll(/\d+/g, 'N'),
  };
}

/** Two spellings of a line that leave the same: whatever can be changed so was, the second time longer. */
function unseen(kind: Exporter, text: string): { readonly one: string; readonly two: string } {
  const leaves = (spelled: string): string | undefined => {
    const event = told(kind, spelled);
    return event && redactor.redact(event)?.line;
  };
  const [before, name] = [leaves(text), told(kind, text)?.name];
  let [one, two] = [text, text];
  for (const { index, 0: found } of [...text.matchAll(TEXT)].toReversed()) {
    const put = (into: string, more: string): string =>
      `${into.slice(0, index) + found.slice(0, -1) + more}"${into.slice(index + found.length)}`;
    const [shorter, longer] = [put(one, 'hush'), put(two, 'hushwatchhush')];
    if (told(kind, longer)?.name !== name || leaves(shorter) !== before || leaves(longer) !== before) continue;
    [one, two] = [shorter, longer];
  }
  return { one, two };
}

/** Counted, and not told in a report yet. */
const keptLoss = (): number => Number(/"untold":\{"lost":(\d+)/.exec(line.head())?.[1] ?? 0);

function lostInReports(kind: Exporter): number {
  const where = `event = 'hushwatch.source.report' AND hushwatch.source = '${kind}'`;
  const reports = cli('events', '--since', '1h', '--where', where, '--json')
    .split('\n')
    .filter((text) => text !== '');
  return reports.map((text) => Number(JSON.parse(text)['hushwatch.entries.lost'] ?? 0)).reduce((sum, n) => sum + n, 0);
}

function cli(...args: readonly string[]): string {
  const run = spawnSync(process.execPath, [`${CHECKOUT}/hushwatch.ts`, ...args], {
    env: { ...process.env, HUSHWATCH_HOME: line.home.root },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  expect(run.stderr).toBe('');
  return run.stdout;
}

interface Case {
  readonly why: string;
  /** What stands in the file of the ruleset; undefined: nothing does. */
  readonly ruleset: (text: string) => string | undefined;
  readonly approvals?: string;
  readonly says: RegExp;
}

const CASES: readonly Case[] = [
  { why: 'missing', ruleset: () => undefined, says: /ENOENT|no such file/ },
  { why: 'unparsable', ruleset: (text) => text.slice(0, 1_000), says: /rules\.yaml:\d+/ },
  {
    why: 'not covering the vocabulary',
    ruleset: (text) => text.replace(/^ {2}process\.pid:.*\n/m, ''),
    says: /process\.pid: has no rule/,
  },
  {
    why: 'changed by a letter, so that nobody approved it',
    ruleset: (text) => `${text}#\n`,
    says: /no such file; ask the reviewers/,
  },
  {
    why: 'older than one before',
    ruleset: (text) => text,
    says: /version 1 of .*, but version 9 was in force here before/,
  },
];

describe('fail closed: a ruleset that is', () => {
  for (const [i, { why, ruleset, says }] of CASES.entries()) {
    test(`${why}: nothing is released, everything is counted, and it is said here and to the collector`, async () => {
      const generic = `${CHECKOUT}/redaction-rules/rulesets/generic-linux.yaml`;
      const file = line.at('agent/rules.yaml');
      const text = ruleset(readFileSync(generic, 'utf8'));
      rmSync(file, { force: true });
      if (text !== undefined) writeFileSync(file, text);
      const versions = line.at('agent/spool/approved-versions');
      copyFileSync(versions, `${versions}.kept`);
      if (why.startsWith('older')) {
        const known: Record<string, number> = JSON.parse(readFileSync(versions, 'utf8'));
        writeFileSync(versions, JSON.stringify({ ...known, 'ruleset generic-linux': 9 }));
      }
      const exporter = line.at(`closed-${i}.json`);
      writeFileSync(
        exporter,
        linesOf('tetragon')
          .map((one) => `${one}\n`)
          .join(''),
      );
      const released = line.statement().get('released');
      const withheld = counts(line.statement().get('withheld')).get('process') ?? 0;

      const said = await line.withAgent(
        { ruleset: file, source: 'tetragon', exporter_file: exporter, heartbeat_ms: 1_000 },
        async () => {
          const isWithheld = (): boolean => (counts(line.statement().get('withheld')).get('process') ?? 0) > withheld;
          await until(isWithheld, 60_000, 'events that are withheld');
        },
      );
      renameSync(`${versions}.kept`, versions);
      expect(said).toContain('no rules are in force: everything is counted and nothing is released');
      expect(said).toMatch(says);
      const statement = line.statement();
      expect([statement.get('ruleset'), statement.get('rulepack')]).toEqual([NO_RULES, NO_RULES]);
      expect([statement.get('released'), statement.get('events'), statement.get('epochs')]).toEqual([
        released,
        '-',
        '-',
      ]);
      await line.shipped();
      await until(() => cli('alerts', '--since', '1h', '--json').includes('"nothing-released"'), 60_000, 'the alert');
      const check = spawnSync(
        process.execPath,
        [`${CHECKOUT}/hushwatch.ts`, 'agent', 'check', '--config', line.at('agent/changed.yaml')],
        { encoding: 'utf8' },
      );
      // The last of them was put right above; the others are still what they are.
      expect(check.status).toBe(why.startsWith('older') ? 0 : 3);
    });
  }

  test('and with rules that may be used the same chain goes on', async () => {
    const before = line.statement();
    await line.withAgent({ heartbeat_ms: 1_000 }, async () => {
      await until(() => line.statement().get('ruleset') !== NO_RULES, 60_000, 'a statement with rules');
    });
    await line.shipped();
    expect(Number(line.statement().get('sequence'))).toBeGreaterThan(Number(before.get('sequence')));
    await line.stop();
    expect(cli('verify', line.at('collector'))).toMatch(/verified\n$/);
  });
});
