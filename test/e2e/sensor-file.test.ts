/**
 * Files under the real sensor: what was written and by how much, what was made, cut, labelled and mounted; and that a name
 * which changes while it is opened fools nobody. `actions-file.c` does the deeds. Needs root, BTF and clang.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CountersFrame, FrameKind } from '../../agent/sources/frame.ts';
import { CHECKOUT, isRoot, WHY_SKIPPED } from './stack.ts';
import { ENDED_BY_THE_KERNEL, HAS_32_BIT, wentWrong } from './thirty-two.ts';
import { balanced, buildSensor, Watched, type Seen } from './watched.ts';

let work = '';
let actions = '';

beforeAll(() => {
  if (!isRoot) return;
  buildSensor();
  work = mkdtempSync(join(tmpdir(), 'hushwatch-file-'));
  actions = join(work, 'actions-file');
  execFileSync('clang', ['-O1', '-pthread', '-o', actions, join(CHECKOUT, 'test/e2e/actions-file.c')]);
});
afterAll(() => {
  if (work !== '') rmSync(work, { recursive: true });
});

interface Done {
  readonly pid: number;
  readonly at: string;
  readonly lines: readonly (readonly [name: string, number: number])[];
}

let directories = 0;
function act(deed: string, ...args: readonly string[]): Done {
  const at = join(work, `${deed}${++directories}`);
  mkdirSync(at);
  const run = spawnSync(actions, [deed, at, ...args], { encoding: 'utf8' });
  if (wentWrong(run, deed)) throw new Error(`actions-file ${deed}: ${String(run.status)} ${run.stderr}`);
  const lines = run.stdout.split('\n').filter(Boolean);
  return {
    pid: run.pid,
    at,
    lines: lines.map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]),
  };
}

const said = (did: Done, name: string): number => did.lines.find(([word]) => word === name)?.[1] ?? -1;

/** File name below the directory of the deed, and how much. */
const written = (frames: readonly Seen[], did: Done): unknown[] =>
  frames.map((frame) => [String(frame['path']).replace(`${did.at}/`, ''), frame['bytes']]);

for (const reads of [[], ['--old-kernel']]) {
  describe.skipIf(!isRoot)(`what is done to files is what is said ${reads.join('')}${WHY_SKIPPED}`, () => {
    let seen: Watched;
    let counters: CountersFrame;
    let wrote: Done;
    let wrote32: Done;
    let changed: Done;
    let mounted: Done;
    const of = (kind: FrameKind, did: Done, name?: string): Seen[] =>
      seen.of(kind, name === undefined ? did.pid : said(did, name));

    beforeAll(async () => {
      seen = await new Watched(['--merge-ms', '0', ...reads]).ready();
      wrote = act('written');
      wrote32 = act('thirty-two');
      changed = act('changed');
      mounted = act('mounted');
      counters = await seen.stop();
    });
    afterAll(() => seen[Symbol.asyncDispose]());

    test('everything adds up', () => balanced(counters, seen.frames));

    test('every way to write, every way to close; nothing of what is no file', () => {
      expect(written(of('modify', wrote), wrote)).toEqual([
        ['plain', 12],
        ['vector', 21],
        ['sent', 10],
        ['copied', 20],
        ['spliced', 30],
        ['replaced', 41],
        ['other', 42],
        ['ranged', 43],
        // Gone with its last name, where the file system does not keep it.
        [expect.stringMatching(/^(?:removed)?$/), 44],
        ['after', 50],
        ['again', 1_000_000],
        ['inherited', 54],
      ]);
      const { ino } = statSync(join(wrote.at, 'plain'));
      expect(of('modify', wrote)[0]).toMatchObject({ origin: 'kernel', file: { inode: ino, mode: 0o100600, uid: 0 } });
    });

    test('the 32-bit way', () => {
      if (HAS_32_BIT) expect(written(of('modify', wrote32), wrote32)).toEqual([['thirty-two', 32]]);
      else expect(of('exit', wrote32)).toMatchObject(ENDED_BY_THE_KERNEL);
    });

    test('what a process leaves open is told at its end, or at its exec', () => {
      expect(written(of('modify', wrote, 'exited'), wrote)).toEqual([
        ['left-open', 51],
        ['left-open-too', 52],
      ]);
      expect(written(of('modify', wrote, 'killed'), wrote)).toEqual([['killed', 53]]);
      expect(written(of('modify', wrote, 'heir'), wrote)).toEqual([['inherited', 55]]);
      const executed = said(wrote, 'executed');
      expect(written(of('modify', wrote, 'executed'), wrote)).toEqual([
        ['closed-by-exec', 57],
        ['kept', 56],
      ]);
      const kinds = seen.frames.filter((frame) => 'pid' in frame && frame.pid === executed).map(({ kind }) => kind);
      expect(kinds).toEqual(['fork', 'open', 'open', 'modify', 'exec', 'modify', 'exit']);
      expect(written(of('modify', wrote, 'threads'), wrote)).toEqual([
        ['by-the-leader', 82],
        ['by-a-thread', 81],
      ]);
    });

    test('made, cut, labelled', () => {
      expect(of('create', changed).map((frame) => [frame['path'], Number(frame['mode'])])).toEqual([
        [`${changed.at}/directory`, 0o40751],
        [`${changed.at}/directory/sub`, 0o40700],
        [`${changed.at}/pipe`, 0o10600],
        [`${changed.at}/null`, 0o20666],
        [`${changed.at}/disk`, 0o60600],
        [`${changed.at}/memory`, 0o20600],
      ]);
      const cut = `${changed.at}/cut`;
      expect(of('truncate', changed)).toMatchObject([
        { path: cut, origin: 'kernel', file: { mode: 0o100600 } },
        { path: cut },
      ]);
      expect(of('xattr', changed)).toMatchObject([
        { path: cut, origin: 'kernel', name: 'trusted.hushwatch', removed: false },
        { path: cut, name: 'trusted.other', removed: false },
        { path: cut, name: 'trusted.other', removed: true },
        { path: cut, origin: 'kernel', name: 'trusted.hushwatch', removed: true },
      ]);
    });

    test('raw devices and the memory of a process, although nobody watches them; kernel parameters', () => {
      const opens = of('open', changed);
      const reads = opens.filter((frame) => frame['write'] === false && frame.errno === 0);
      expect(reads.map((frame) => frame['path'])).toEqual([
        ...(said(changed, 'disk') === 1 ? [`${changed.at}/disk`] : []),
        ...(said(changed, 'memory') === 1 ? [`${changed.at}/memory`] : []),
        `/proc/${changed.pid}/mem`,
      ]);
      const parameter = '/proc/sys/vm/swappiness';
      expect(opens.at(-1)).toMatchObject({ path: parameter, write: true, origin: 'kernel' });
      expect(of('modify', changed)).toMatchObject([{ path: parameter, bytes: said(changed, 'parameter') }]);
    });

    test('mounts: the old way, the new way, again, away, and another root', () => {
      const { at } = mounted;
      const kernel = { origin: 'kernel' };
      const asked = { origin: 'name' };
      expect(of('mount', mounted)).toMatchObject([
        { ...asked, target: '/', type: '', options: 0x4_4000 },
        { ...kernel, source: 'hushwatch', target: `${at}/one`, type: 'tmpfs', options: 0x3 },
        { ...kernel, source: `${at}/one`, target: `${at}/two`, type: 'tmpfs', options: 0x1003 },
        { ...asked, target: `${at}/one`, options: 0x28 },
        { ...kernel, source: 'new-way', target: `${at}/three`, type: 'tmpfs', options: 0x4 },
        { ...asked, target: `${at}/three`, options: 0x28 },
      ]);
      expect(of('unmount', mounted)).toMatchObject([{ ...asked, target: `${at}/two` }]);
      expect(of('pivot-root', mounted)).toHaveLength(1);
    });
  });
}

describe.skipIf(!isRoot)(`files in a hurry${WHY_SKIPPED}`, () => {
  test('a path that changes while it is opened: what is told is what the kernel opened', async () => {
    await using seen = await new Watched(['--merge-ms', '0']).ready();
    const did = act('raced', '1500');
    balanced(await seen.stop(), seen.frames);
    const opens = seen.of('open', did.pid).slice(2);
    const inodeOf = (name: string): number => statSync(join(did.at, name)).ino;
    expect(opens.every((frame) => frame['origin'] === 'kernel')).toBe(true);
    const inodes = opens.map((frame) => Reflect.get(Object(frame['file']), 'inode'));
    expect(inodes).toEqual(did.lines.map(([, inode]) => inode));
    // While the text was rewritten the directories stood still, up to being exchanged as a whole afterwards.
    const still = new Set(opens.slice(0, 1500).map((frame, i) => `${String(frame['path'])} ${String(inodes[i])}`));
    expect(still.size).toBeLessThanOrEqual(2);
    expect(new Set(inodes)).toEqual(new Set([inodeOf('a/x'), inodeOf('b/x')]));
    for (const frame of opens) expect([`${did.at}/a/x`, `${did.at}/b/x`]).toContain(frame['path']);
  });

  test('merged writes add up', async () => {
    await using seen = await new Watched(['--merge-ms', '60000']).ready();
    const did = act('appended', '500');
    const counters = await seen.stop();
    balanced(counters, seen.frames);
    expect(seen.of('modify', did.pid)).toMatchObject([{ bytes: 10, repeats: 0 }]);
    expect(counters.classes.file?.merged).toBeGreaterThanOrEqual(499);
  });

  test('what follows the merged ones says how much they were', async () => {
    await using seen = await new Watched(['--merge-ms', '500']).ready();
    const at = join(work, 'slowly');
    mkdirSync(at);
    const { pid } = spawnSync(
      'bash',
      ['-c', `for i in $(seq 100); do echo 456789 >> log; done; sleep 0.6; echo 1 >> log`],
      {
        cwd: at,
      },
    );
    balanced(await seen.stop(), seen.frames);
    const log = seen.of('modify', pid).filter((frame) => frame['path'] === `${at}/log`);
    expect(log.reduce((sum, frame) => sum + Number(frame['bytes']), 0)).toBe(702);
    expect(log.reduce((sum, frame) => sum + 1 + Number(frame['repeats']), 0)).toBe(101);
    expect(log.length).toBeLessThan(20);
  });
});
