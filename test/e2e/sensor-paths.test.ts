/**
 * Names under the real sensor that a second thread changes while the kernel is called with them: what is told is what the
 * kernel used, or is marked as the caller's word. `actions-paths.c` calls, and finds out from the disk what really happened.
 * Needs root, BTF and clang.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Frame } from '../../agent/sources/frame.ts';
import { CHECKOUT, isRoot, WHY_SKIPPED } from './stack.ts';
import { balanced, buildSensor, Watched } from './watched.ts';

const COUNT = 300;
/** Nothing is sampled: the frames are compared one by one. */
const SENSOR_OPTIONS = ['--merge-ms', '0', '--rate', '1000000', '--burst', '1000000', '--class', 'file,process,kernel'];

let work = '';
let actions = '';

beforeAll(() => {
  if (!isRoot) return;
  buildSensor();
  work = mkdtempSync(join(tmpdir(), 'hushwatch-paths-'));
  actions = join(work, 'actions-paths');
  execFileSync('clang', ['-O1', '-pthread', '-o', actions, join(CHECKOUT, 'test/e2e/actions-paths.c')]);
});
afterAll(() => {
  if (work !== '') rmSync(work, { recursive: true });
});

const FILE_SYSTEMS = ['of the disk', 'tmpfs', 'overlay'] as const;
type FileSystem = (typeof FILE_SYSTEMS)[number];

/** Mounts one on the working directory, in a namespace of its own. */
const MOUNTING: Readonly<Record<FileSystem, string>> = {
  'of the disk': 'true',
  tmpfs: 'mount -t tmpfs none .',
  overlay: 'mkdir lower upper work && mount -t overlay none -o lowerdir=lower,upperdir=upper,workdir=work .',
};

interface Done {
  readonly pid: number;
  readonly lines: readonly string[];
}

let directories = 0;
function act(what: 'names' | 'places', fileSystem: FileSystem): Done {
  const at = join(work, String(++directories));
  mkdirSync(at);
  const script = `${MOUNTING[fileSystem]} && exec "$0" ${what} "$PWD" ${COUNT}`;
  const run = spawnSync('unshare', ['--mount', 'sh', '-c', script, actions], { cwd: at, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`actions-paths ${what}: ${String(run.status)} ${run.stderr}`);
  return { pid: run.pid, lines: run.stdout.split('\n').filter(Boolean) };
}

interface Told {
  readonly line: string;
  readonly origin: string;
}

/** The frames of these deeds as the deeds print themselves. */
function lineOf(frame: Frame): Told | undefined {
  switch (frame.kind) {
    case 'create':
    case 'delete':
    case 'chmod':
    case 'chown':
    case 'truncate':
    case 'xattr':
      return { line: `${frame.kind} ${frame.path}`, origin: frame.origin };
    case 'rename':
    case 'link':
    case 'symlink':
      return { line: `${frame.kind} ${frame.path} ${frame.target}`, origin: frame.origin };
    case 'exec-refused':
      return { line: `${frame.kind} ${frame.executable}`, origin: frame.origin };
    case 'mount': {
      const source = frame.source.startsWith('/') ? ` ${frame.source}` : '';
      return { line: `${frame.kind} ${frame.target}${source}`, origin: frame.origin };
    }
    case 'unmount':
      return { line: `${frame.kind} ${frame.target}`, origin: frame.origin };
    default:
      return undefined;
  }
}

/** From the first deed on: before it the directory was made ready. */
function toldOf(seen: Watched, did: Done): readonly Told[] {
  const told = seen.frames.flatMap((frame) => ('pid' in frame && frame.pid === did.pid ? (lineOf(frame) ?? []) : []));
  return told.slice(told.findIndex(({ line }) => line === did.lines[0]));
}

interface Compared {
  /** Not marked, and not what happened. */
  readonly wrong: readonly (readonly [happened: string | undefined, told: string])[];
  readonly marked: number;
  readonly all: number;
}

/** One by one, in order. Of what is marked only the kind must fit. */
function compared(happened: readonly string[], told: readonly Told[]): Compared {
  const kindOf = (line: string): string | undefined => line.split(' ')[0];
  expect(told.map(({ line }) => kindOf(line))).toEqual(happened.map(kindOf));
  const marked = told.filter(({ origin }) => origin === 'argument').length;
  const wrong = told.flatMap(({ line, origin }, i) =>
    origin === 'argument' || line === happened[i] ? [] : [[happened[i], line] as const],
  );
  return { wrong, marked, all: told.length };
}

for (const reads of [[], ['--old-kernel']]) {
  describe.skipIf(!isRoot)(`names that change under the call ${reads.join('')}${WHY_SKIPPED}`, () => {
    let seen: Watched;
    let places: Done;
    const named = new Map<FileSystem, Done>();
    const namedOn = (fileSystem: FileSystem): Done => named.get(fileSystem) ?? { pid: 0, lines: [] };

    beforeAll(async () => {
      seen = await new Watched([...SENSOR_OPTIONS, ...reads]).ready();
      for (const fileSystem of FILE_SYSTEMS) named.set(fileSystem, act('names', fileSystem));
      places = act('places', 'tmpfs');
      balanced(await seen.stop(), seen.frames);
    });
    afterAll(() => seen[Symbol.asyncDispose]());

    test.each(FILE_SYSTEMS)('what is told is what the kernel used: %s', (fileSystem) => {
      const did = namedOn(fileSystem);
      const { wrong, marked, all } = compared(did.lines.slice(0, -1), toldOf(seen, did));
      expect(wrong).toEqual([]);
      // Another thread can hold the place where a name would be kept; nothing else gives a reason to mark here.
      expect(marked).toBeLessThan(all / 10);
      expect(all).toBeGreaterThan(20 * COUNT);
    });

    test('it was not what stood in memory afterwards', () => {
      const changed = FILE_SYSTEMS.map((fileSystem) => Number(namedOn(fileSystem).lines.at(-1)?.split(' ')[1]));
      expect(Math.max(...changed)).toBeGreaterThan(0);
    });

    test('where a relative name starts from is certain while nobody can move it, else marked', () => {
      const told = toldOf(seen, places);
      const others = places.lines.indexOf('others');
      const made = (some: readonly Told[]): readonly string[] =>
        some.filter(({ line }) => line.endsWith('/there') && line.startsWith('create')).map(({ origin }) => origin);
      expect(compared(places.lines.slice(0, others), told.slice(0, others)).wrong).toEqual([]);
      const alone = made(told.slice(0, others));
      expect(alone.filter((origin) => origin === 'name').length).toBeGreaterThan(alone.length / 2);
      expect(compared(places.lines.slice(others + 1), told.slice(others)).wrong).toEqual([]);
      expect(new Set(made(told.slice(others)))).toEqual(new Set(['argument']));
    });
  });
}
