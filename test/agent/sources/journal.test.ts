/** The journal as a source, with a journalctl of our own: where it begins, what it tells again, what it counts, what it survives. */
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ATTRIBUTES, EVENTS, isAttributeName } from '#protocol/vocabulary.ts';
import type { RawEvent } from '../../../agent/event.ts';
import { ProcessTable } from '../../../agent/process-table.ts';
import { journalEvents, journalState } from '../../../agent/sources/journal.ts';
import { parseEntry } from '../../../agent/sources/journal/entry.ts';
import { linesOf } from '../../../agent/sources/journal/follow.ts';
import {
  cursorOf,
  entriesBetween,
  parsePosition,
  type JournalPosition,
} from '../../../agent/sources/journal/position.ts';
import { UserNames } from '../../../agent/users.ts';
import { isOfType } from '../../../redaction-rules/ruleset.ts';
import { stillClock } from '../sample.ts';
import { ACCEPTED, lineOf, LOGIND, SSHD, SUDO } from './journal/sample.ts';

/** Prints the file `lines` from the entry with the cursor, or the next, and what is appended; leaves its process id. */
const JOURNALCTL = `#!/bin/sh
here="$(dirname "$0")"
first=1
for argument; do
  case "$argument" in
    --cursor=*)
      first=$(grep -n -F -- "\${argument#--cursor=}" "$here/lines" | head -n 1 | cut -d: -f1)
      [ -n "$first" ] || first=1 ;;
    --lines=1) exec tail -n 1 "$here/lines" ;;
  esac
done
echo $$ > "$here/pid"
exec tail -n +"$first" -f "$here/lines"
`;

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-journal-'));
  mkdirSync(join(home, 'log'));
  writeFileSync(join(home, 'log', 'system.journal'), '');
  writeFileSync(join(home, 'lines'), '');
  writeFileSync(join(home, 'journalctl'), JOURNALCTL);
  chmodSync(join(home, 'journalctl'), 0o755);
});
afterEach(() => rmSync(home, { recursive: true }));

const write = (...lines: readonly string[]): void =>
  appendFileSync(join(home, 'lines'), lines.map((line) => `${line}\n`).join(''));
const sudo = (command: string): string => lineOf(`alex : PWD=/ ; USER=root ; COMMAND=/bin/${command}`, SUDO);
const accepted = (pid: number): string => lineOf(ACCEPTED, { ...SSHD, _PID: String(pid) });
const session = (pid: number): string =>
  lineOf('New session 4 of user alex.', {
    ...LOGIND,
    MESSAGE_ID: '8d45620c1a4348dbb17410da57c60c66',
    SESSION_ID: '4',
    USER_ID: 'alex',
    LEADER: String(pid),
  });

/** One run of the source: what it told, and how far that reaches on the disk when each chunk is made durable. */
class Run {
  readonly events: RawEvent[] = [];
  position: JournalPosition | undefined;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(position?: JournalPosition) {
    this.position = position;
    const source = journalEvents({
      known: { processes: new ProcessTable('/nonexistent'), users: new UserNames('/nonexistent'), clock: stillClock },
      directory: join(home, 'log'),
      position,
      note: (noted) => (this.position = noted),
      signal: this.#stop.signal,
      program: join(home, 'journalctl'),
    });
    this.#running = (async () => {
      for await (const events of source) {
        this.events.push(...events);
        for (const { journal } of events) this.position = journal ?? this.position;
      }
    })();
  }

  get told(): readonly string[] {
    return this.events
      .filter(({ name }) => name !== 'hushwatch.source.report')
      .map(({ name, attributes }) => {
        const command = attributes['user.switch.command_args'];
        return typeof command === 'object' ? String(command[0]) : name;
      });
  }

  /** The sum of what was reported. */
  reported(what: 'lost' | 'refused' | 'unreadable'): number {
    return this.events.reduce((sum, { attributes }) => sum + Number(attributes[`hushwatch.entries.${what}`] ?? 0), 0);
  }

  async until(isDone: (run: Run) => boolean): Promise<this> {
    for (const end = Date.now() + 10_000; !isDone(this) && Date.now() < end;) await sleep(20);
    expect(isDone(this), JSON.stringify(this.told)).toBe(true);
    return this;
  }

  async stop(): Promise<JournalPosition | undefined> {
    this.#stop.abort();
    await this.#running;
    return this.position === undefined ? undefined : parsePosition(JSON.parse(JSON.stringify(this.position)));
  }
}

test('what was there before the first run is not told; what comes is; the next run goes on', async () => {
  write(sudo('before'));
  const first = new Run();
  await first.until(({ position }) => position !== undefined);
  write(sudo('one'), sudo('two'));
  await first.until(({ told }) => told.length === 2);
  const position = await first.stop();
  write(sudo('three'));
  const second = new Run(position);
  await second.until(({ told }) => told.length === 1);
  await second.stop();
  expect([...first.told, ...second.told]).toEqual(['/bin/one', '/bin/two', '/bin/three']);
  expect(second.reported('lost')).toBe(0);
  for (const { name, attributes } of first.events)
    for (const [attribute, value] of Object.entries(attributes)) {
      if (value === undefined || !isAttributeName(attribute)) continue;
      expect(EVENTS[name].attributes, attribute).toContain(attribute);
      expect(isOfType(value, ATTRIBUTES[attribute].type), attribute).toBe(true);
    }
});

test('a first run in an empty journal tells the first entry', async () => {
  const run = new Run();
  await run.until(({ events }) => events.length === 1);
  await sleep(300);
  write(sudo('one'));
  await run.until(({ told }) => told.length === 1);
  await run.stop();
});

test(
  'however the run is cut, and whichever entries waited then, each event is told once',
  { timeout: 120_000 },
  async () => {
    write(sudo('before'));
    const told: string[] = [];
    let run = new Run();
    await run.until(({ position }) => position !== undefined);
    for (let round = 0; round < 6; round++) {
      // One log-on waits for its other half over the cut, while others pass it by.
      write(accepted(100 + round), sudo(`a${round}`));
      await run.until((one) => one.told.includes(`/bin/a${round}`));
      const position = await run.stop();
      told.push(...run.told);
      expect(position?.from).not.toBe(position?.to);
      write(sudo(`b${round}`), session(100 + round));
      run = new Run(position);
      await run.until((one) => one.told.includes('session.start'));
      if (round % 2 === 0) continue;
      const again = await run.stop();
      told.push(...run.told);
      run = new Run(again);
    }
    await run.stop();
    told.push(...run.told);
    const expected = [0, 1, 2, 3, 4, 5].flatMap((round) => [`/bin/a${round}`, `/bin/b${round}`, 'session.start']);
    expect(told.toSorted()).toEqual(expected.toSorted());
  },
);

test('what waited long enough before the cut is not told again', async () => {
  write(sudo('before'));
  const first = new Run();
  await first.until(({ position }) => position !== undefined);
  write(accepted(7), sudo('one'));
  // The journal's time is long past: as soon as nothing comes, nothing more is waited for.
  await first.until(({ told }) => told.includes('session.start'));
  const position = await first.stop();
  write(sudo('two'));
  const second = new Run(position);
  await second.until(({ told }) => told.includes('/bin/two'));
  await second.stop();
  expect(second.told).toEqual(['/bin/two']);
});

test('a journalctl that is killed is started again where it was', async () => {
  write(sudo('before'));
  const run = new Run();
  await run.until(({ position }) => position !== undefined);
  for (const name of ['one', 'two', 'three']) {
    write(sudo(name));
    await run.until(({ told }) => told.includes(`/bin/${name}`));
    process.kill(Number(readFileSync(join(home, 'pid'), 'utf8')), 'SIGKILL');
    write(sudo(`${name}-meanwhile`));
  }
  await run.until(({ told }) => told.length === 6);
  await run.stop();
  expect(run.told).toEqual(
    ['one', 'one-meanwhile', 'two', 'two-meanwhile', 'three', 'three-meanwhile'].map((name) => `/bin/${name}`),
  );
  expect(run.reported('lost')).toBe(0);
});

test('what was rotated away is counted, and said', async () => {
  write(sudo('one'));
  const first = new Run();
  await first.until(({ position }) => position !== undefined);
  const position = await first.stop();
  // Numbered on, and gone before anybody came.
  for (let i = 0; i < 5; i++) sudo('gone');
  writeFileSync(join(home, 'lines'), `${sudo('later')}\n`);
  const second = new Run(position);
  await second.until(({ told }) => told.length === 1);
  await second.stop();
  expect(second.told).toEqual(['/bin/later']);
  expect(second.reported('lost')).toBe(5);
  expect(second.events.find(({ attributes }) => attributes['hushwatch.blind.duration'] !== undefined)).toBeDefined();
});

test('forged, malformed and endless lines are counted, and nothing of them is told', async () => {
  write(sudo('before'));
  const run = new Run();
  await run.until(({ position }) => position !== undefined);
  write(
    lineOf(ACCEPTED, { ...SSHD, _UID: '1000' }),
    '{"not": json hunter2',
    '[]',
    lineOf([1, 'x'], SSHD),
    lineOf(['a', 'b'], SSHD),
    lineOf(null, SSHD),
    lineOf('x'.repeat(70_000), SSHD),
    lineOf([...Buffer.from('alex : PWD=/\xff ; USER=root ; COMMAND=/bin/bytes', 'latin1')], SUDO),
    sudo('last'),
  );
  await run.until(({ told }) => told.includes('/bin/last'));
  const position = await run.stop();
  expect(run.told).toEqual(['/bin/bytes', '/bin/last']);
  const { refused = 0, unreadable = 0 } = position?.untold ?? {};
  expect(run.reported('refused') + refused).toBe(1);
  expect(run.reported('unreadable') + unreadable).toBe(6);
  expect(JSON.stringify(run.events) + JSON.stringify(position)).not.toContain('hunter2');
});

test('counts that were not reported yet survive', async () => {
  write(sudo('one'));
  const first = new Run();
  await first.until(({ position }) => position !== undefined);
  const position = await first.stop();
  if (position === undefined) expect.fail('no position');
  const second = new Run({ ...position, untold: { lost: 1, refused: 2, unreadable: 3 } });
  await second.until((run) => run.reported('refused') === 2);
  await second.stop();
  expect([second.reported('lost'), second.reported('unreadable')]).toEqual([1, 3]);
});

test('where there is no journal, it says so once and ends; where it is not ours to read, likewise', async () => {
  rmSync(join(home, 'log', 'system.journal'));
  const run = new Run();
  await run.stop();
  expect(run.events.map(({ attributes }) => attributes['hushwatch.source.state'])).toEqual(['absent']);
  rmSync(join(home, 'log'), { recursive: true });
  expect(journalState(join(home, 'log'), [join(home, 'journalctl')])).toBe('absent');
  writeFileSync(join(home, 'system@rotated.journal'), '');
  expect(journalState(home, [join(home, 'journalctl')])).toBe('reading');
  expect(journalState(home, [join(home, 'no-such-program')])).toBe('absent');
});

test('lines are the same however they arrive, and none is longer than the bound', async () => {
  const line = fc.string({ maxLength: 40 }).map((text) => text.replaceAll('\n', ' '));
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 20 }),
      fc.array(fc.nat(30), { minLength: 1, maxLength: 20 }),
      async (lines, sizes) => {
        const bytes = Buffer.from(lines.map((one) => `${one}\n`).join('') + 'without an end');
        const chunks: Buffer[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = (sizes[i % sizes.length] ?? 0) + 1;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        const read = await Array.fromAsync(linesOf(Readable.from(chunks)));
        expect(read.flatMap((one) => one.lines)).toEqual(lines.map((one) => Buffer.from(one).toString()));
      },
    ),
    { numRuns: 100 },
  );
});

test('no bytes make an entry of nothing, and a cursor keeps no hash', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(parseEntry(text)).toBeUndefined();
      expect(cursorOf(text)).toBeUndefined();
    }),
  );
  expect(cursorOf('s=ab;i=5;b=cd;m=1;t=2;x=deadbeef')).toBe('s=ab;i=5;b=cd;m=1;t=2');
  expect(cursorOf('s=ab;i=5;b=cd;m=1')).toBeUndefined();
  expect(entriesBetween('s=ab;i=5;b=cd;m=1;t=2', 's=ab;i=f;b=cd;m=1;t=3')).toBe(9);
  expect(
    parsePosition({ from: 'x', to: 'y', waitedUntil: 0, untold: { lost: 0, refused: 0, unreadable: 0 } }),
  ).toBeUndefined();
  expect(parsePosition(null)).toBeUndefined();
});
