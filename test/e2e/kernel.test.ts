/**
 * Other kernels than this machine's: Debian's own, booted in a small virtual machine with the sensor of this checkout. What is
 * done there is what is said there, with two capabilities and no more; what cannot work is refused in one line.
 *
 * Needs qemu and apt; the kernels come from Debian's packages.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Frame } from '../../agent/sources/frame.ts';
import { FrameDecoder } from '../../agent/sources/frames.ts';
import { deedsAreSaid, numbersSaid, type Done, type Scene } from './deeds.ts';
import {
  boot,
  compile,
  directoryEntry,
  fileEntry,
  kernelOf,
  moduleOf,
  type Entry,
  type Kernel,
  type Story,
} from './machine.ts';
import { CHECKOUT } from './stack.ts';
import { balanced, buildSensor, framesOf, SENSOR } from './watched.ts';

const LISTENS = '--socket /run/agent.sock --merge-ms 0';
const MODULE = 'drivers/net/dummy.ko';

let work = '';
let programs: readonly Entry[] = [];

beforeAll(() => {
  buildSensor();
  work = mkdtempSync(join(tmpdir(), 'hushwatch-kernel-'));
  const program = (name: string, ...sources: readonly string[]): Entry =>
    fileEntry(`bin/${name}`, readFileSync(compile(join(work, name), ...sources.map((file) => here(file)))), 0o755);
  programs = [
    program('actions', 'actions.c'),
    program('module', 'machine/module.c'),
    fileEntry('bin/sensor', readFileSync(SENSOR), 0o755),
  ];
});
afterAll(() => {
  if (work !== '') rmSync(work, { recursive: true });
});

const here = (file: string): string => join(CHECKOUT, 'test/e2e', file);

/** What the machine holds beside its one program. */
const filesFor = (kernel: Kernel): readonly Entry[] => [
  directoryEntry('did'),
  directoryEntry('did32'),
  fileEntry('etc/passwd', 'root:x:0:0::/:/bin/none\n'),
  fileEntry('etc/shadow', 'root:*:1::::::\n', 0o600),
  fileEntry('module.ko', moduleOf(kernel, MODULE)),
  ...programs,
];

const PLAN = [
  'facts',
  'do check sensor /bin/sensor --check',
  'record',
  `start sensor sensor /bin/sensor ${LISTENS}`,
  'heard',
  'do all root /bin/actions all /did',
  'do denied nobody /bin/actions denied',
  'do compat root /bin/actions compat /did32',
  'do load root /bin/module load /module.ko',
  'do load-refused nobody /bin/module load /module.ko',
  'do unload root /bin/module unload dummy',
  'stop sensor',
];

function doneBy(story: Story, name: string): Done {
  const { pid, status, said } = story.step(name);
  expect({ name, status, said }).toMatchObject({ status: 0 });
  return { pid, said: numbersSaid(said) };
}

function sceneOf(story: Story): Scene {
  const frames = new FrameDecoder().push(story.frames);
  const counters = frames.at(-1);
  if (counters?.kind !== 'counters') throw new Error('the sensor did not end with its counters');
  const fact = (name: string): number => story.facts[name] ?? -1;
  return {
    frames,
    counters,
    did: doneBy(story, 'all'),
    refused: doneBy(story, 'denied'),
    thirtyTwo: doneBy(story, 'compat'),
    at: '/did',
    at32: '/did32',
    actions: '/bin/actions',
    facts: {
      namespaces: { mnt: fact('mnt'), pid: fact('pid'), net: fact('net'), user: fact('user') },
      cgroup: '/',
      shadow: fact('shadow'),
    },
  };
}

/** The oldest that is promised, and one between it and this machine's. */
describe.each([
  ['6.1', 'linux-image-cloud-amd64'],
  ['6.12', 'linux-image-6.12-cloud-amd64'],
])('Linux %s', (version, name) => {
  let told: { readonly story: Story; readonly scene: Scene } | undefined;
  const story = (): Story => {
    if (told === undefined) throw new Error('the machine did not boot');
    return told.story;
  };
  const frames = (): readonly Frame[] => told?.scene.frames ?? [];

  beforeAll(async () => {
    const kernel = kernelOf(name);
    expect(kernel.release.startsWith(`${version}.`)).toBe(true);
    const came = await boot(kernel, filesFor(kernel), PLAN);
    told = { story: came, scene: sceneOf(came) };
  });

  test('two capabilities are enough', () => {
    expect(story().step('check')).toMatchObject({ status: 0 });
    expect(story().step('sensor')).toMatchObject({ status: 0, said: '' });
  });

  deedsAreSaid(() => {
    if (told === undefined) throw new Error('the machine did not boot');
    return told.scene;
  });

  test('a module, loaded and refused', () => {
    const { pid, status } = story().step('load');
    expect(status).toBe(0);
    expect(framesOf(frames(), 'module-load', pid)).toMatchObject([{ name: 'dummy', errno: 0, uid: 0 }]);
    expect(story().step('load-refused')).toMatchObject({ status: 1, said: 'refused 1\n' });
    expect(framesOf(frames(), 'module-load', story().step('load-refused').pid)).toMatchObject([
      { errno: 1, uid: 65_534 },
    ]);
    expect(story().step('unload').status).toBe(0);
  });

  test('nothing is unaccounted for', () => {
    const last = frames().at(-1);
    if (last?.kind !== 'counters') throw new Error('no counters');
    balanced(last, frames());
  });
});
