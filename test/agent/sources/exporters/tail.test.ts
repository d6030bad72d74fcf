/** The tail: whatever happens to the file, a line is read once, or its loss is told. */
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FilePosition } from '../../../../agent/sources/exporters/position.ts';
import { MAX_LINE_BYTES, Tail, type Chunk } from '../../../../agent/sources/exporters/tail.ts';

let directory: string;
let path: string;
let tails: Tail[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hushwatch-tail-'));
  path = join(directory, 'events.log');
  tails = [];
});
afterEach(async () => {
  for (const tail of tails) await tail.close();
  rmSync(directory, { recursive: true });
});

function follow(from?: FilePosition, beginning = false): Tail {
  const tail = new Tail(path, from, beginning);
  tails.push(tail);
  return tail;
}

/** Steps until nothing more comes, longer than the patience with an empty successor. */
async function drain(tail: Tail, steps = 30): Promise<Omit<Chunk, 'isIdle'>> {
  let all: Chunk = { state: 'reading', lines: [], spoilt: 0, isGap: false, isIdle: true, position: undefined };
  for (let idle = 0; idle < steps;) {
    const chunk = await tail.read();
    idle = chunk.isIdle ? idle + 1 : 0;
    all = {
      ...chunk,
      lines: [...all.lines, ...chunk.lines],
      spoilt: all.spoilt + chunk.spoilt,
      isGap: all.isGap || chunk.isGap,
    };
  }
  const { isIdle: _, ...rest } = all;
  return rest;
}

/** Clocks of file systems are coarse; those of this test are not. */
let second = 1_700_000_000;
function rotate(to: string): void {
  utimesSync(path, ++second, second);
  renameSync(path, join(directory, to));
}

test('nothing that was there before; then every line, and no part of one', async () => {
  writeFileSync(path, 'old 1\nold 2, half');
  const tail = follow();
  expect((await drain(tail)).lines).toEqual([]);
  appendFileSync(path, ' of it\nnew 1\nnew');
  expect(await drain(tail)).toMatchObject({ lines: ['new 1'], spoilt: 0 });
  appendFileSync(path, ' 2\n');
  expect((await drain(tail)).lines).toEqual(['new 2']);
});

test('a file that comes later is read from its beginning', async () => {
  const tail = follow();
  expect(await tail.read()).toMatchObject({ state: 'absent', position: undefined });
  writeFileSync(path, 'a\n');
  expect((await drain(tail)).lines).toEqual(['a']);
});

test('renamed and made anew: the old one to its end, then the new one', async () => {
  writeFileSync(path, '');
  const tail = follow();
  await tail.read();
  appendFileSync(path, 'a\n');
  rotate('events.log.1');
  writeFileSync(path, '');
  expect((await drain(tail, 3)).lines).toEqual(['a']);
  // Its writer still has it open.
  appendFileSync(join(directory, 'events.log.1'), 'b\n');
  expect((await drain(tail, 3)).lines).toEqual(['b']);
  appendFileSync(path, 'c\n');
  expect(await drain(tail)).toMatchObject({ lines: ['c'], spoilt: 0, isGap: false });
});

test('an empty successor is not waited for forever', async () => {
  writeFileSync(path, 'a\n');
  const tail = follow(undefined, true);
  await drain(tail, 2);
  rotate('events-20260101.log');
  writeFileSync(path, '');
  const { position } = await drain(tail);
  expect(position).toMatchObject({ inode: String(statSync(path).ino), offset: 0 });
});

test('copied and cut: from the beginning again, and the unfinished line is counted', async () => {
  writeFileSync(path, '');
  const tail = follow();
  await tail.read();
  appendFileSync(path, 'a\nhalf');
  await drain(tail);
  copyFileSync(path, join(directory, 'events.log.1'));
  truncateSync(path);
  appendFileSync(path, 'b\n');
  expect(await drain(tail)).toMatchObject({ lines: ['b'], spoilt: 1, isGap: true });
});

test('a line that is too long is counted, and the next one is read', async () => {
  writeFileSync(path, '');
  const tail = follow();
  await tail.read();
  appendFileSync(path, `${'x'.repeat(MAX_LINE_BYTES + 1)}\n${'y'.repeat(MAX_LINE_BYTES)}\nz\n`);
  const { lines, spoilt } = await drain(tail);
  expect([lines.map((line) => line.length), spoilt]).toEqual([[MAX_LINE_BYTES, 1], 1]);
});

test('another start goes on where the position says, through all that was rotated away meanwhile', async () => {
  writeFileSync(path, '');
  const tail = follow();
  await tail.read();
  appendFileSync(path, 'a\nhalf');
  const { position } = await drain(tail);
  appendFileSync(path, ' whole\n');
  rotate('events.log.1');
  writeFileSync(path, 'b\n');
  renameSync(join(directory, 'events.log.1'), join(directory, 'events.log.2'));
  rotate('events.log.1');
  writeFileSync(path, 'c\n');
  writeFileSync(join(directory, 'events.log.3.gz'), 'no line\n');
  writeFileSync(join(directory, 'events.log.note'), 'no line\n');
  expect(await drain(follow(position))).toMatchObject({ lines: ['half whole', 'b', 'c'], spoilt: 0, isGap: false });
});

test('what is gone, or was cut, when we come back is a gap', async () => {
  writeFileSync(path, 'a\nb\n');
  const { position } = await drain(follow(undefined, true));
  writeFileSync(path, 'x');
  appendFileSync(path, 'yz, longer than before\n');
  expect(await drain(follow(position))).toMatchObject({ lines: ['xyz, longer than before'], isGap: true });
  writeFileSync(join(directory, 'other'), 'd\n');
  unlinkSync(path);
  renameSync(join(directory, 'other'), path);
  expect(await drain(follow({ device: '1', inode: '1', offset: 0 }))).toMatchObject({ lines: ['d'], isGap: true });
});

test('what is no file is unreadable, and never waited for', async () => {
  expect(await new Tail(directory, undefined).read()).toMatchObject({ state: 'unreadable' });
});

type Step = { readonly do: 'write' | 'rotate' | 'read' | 'restart'; readonly text: string };

test('over any order of writing, rotating, reading and starting again every line is read once, in order', async () => {
  const step = fc.record<Step>({
    do: fc.constantFrom('write', 'write', 'write', 'rotate', 'read', 'read', 'restart'),
    text: fc.stringMatching(/^[a-z]{0,6}\n?[a-z]{0,6}\n?[a-z]{0,3}$/),
  });
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      path = join(directory, `run${++runs}.log`);
      writeFileSync(path, '');
      let written = '';
      let rotations = 0;
      const read: string[] = [];
      let tail = follow(undefined, true);
      let position: FilePosition | undefined;
      const take = async (): Promise<void> => {
        const chunk = await tail.read();
        expect([chunk.spoilt, chunk.isGap]).toEqual([0, false]);
        read.push(...chunk.lines);
        position = chunk.position;
      };
      await take();
      for (const { do: what, text } of steps) {
        if (what === 'write') {
          appendFileSync(path, text);
          written += text;
        } else if (what === 'rotate') {
          // Writers rotate between lines.
          appendFileSync(path, '\n');
          written += '\n';
          rotate(`run${runs}-${1000 + rotations++}.log`);
          writeFileSync(path, '');
        } else if (what === 'read') await take();
        else {
          await tail.close();
          tail = follow(position, true);
        }
      }
      appendFileSync(path, '\nend\n');
      for (let i = 0; read.at(-1) !== 'end' && i < 400; i++) await take();
      expect(read.join('\n')).toBe(`${written}\nend`);
      await tail.close();
    }),
    { numRuns: 60 },
  );
});
