/**
 * Everything that `actions.c` and `machine/module.c` do, played on another kernel in a machine of its own; shared by the test
 * that holds it to what must be said, and by the recorder of test data.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FrameDecoder } from '../../agent/sources/frames.ts';
import { numbersSaid, type Done, type Scene } from './deeds.ts';
import { boot, compile, directoryEntry, fileEntry, moduleOf, type Entry, type Kernel, type Story } from './machine.ts';
import { CHECKOUT } from './stack.ts';
import { SENSOR } from './watched.ts';

const MODULE = 'drivers/net/dummy.ko';
const here = (file: string): string => join(CHECKOUT, 'test/e2e', file);

/** The sensor is started after `facts`, with two capabilities. */
const PLAN = [
  'facts',
  'write /proc/sys/kernel/unprivileged_bpf_disabled 1',
  'do check sensor /bin/sensor --check',
  'record',
  'start sensor sensor /bin/sensor --socket /run/agent.sock --merge-ms 0',
  'heard',
  'do all root /bin/actions all /did',
  'do denied nobody /bin/actions denied',
  'do compat root /bin/actions compat /did32',
  'do load root /bin/module load /module.ko',
  'do load-refused nobody /bin/module load /module.ko',
  'do unload root /bin/module unload dummy',
  'stop sensor',
];

/** What a machine, or a directory that stands for one, holds beside its first program. */
export function filesOf(): readonly Entry[] {
  const work = mkdtempSync(join(tmpdir(), 'hushwatch-scene-'));
  const program = (name: string, source: string): Entry =>
    fileEntry(`bin/${name}`, readFileSync(compile(join(work, name), here(source))), 0o755);
  try {
    return [
      directoryEntry('did'),
      directoryEntry('did32'),
      fileEntry('etc/passwd', 'root:x:0:0::/:/bin/none\n'),
      fileEntry('etc/shadow', 'root:*:1::::::\n', 0o600),
      fileEntry('bin/sensor', readFileSync(SENSOR), 0o755),
      program('actions', 'actions.c'),
      program('module', 'machine/module.c'),
    ];
  } finally {
    rmSync(work, { recursive: true });
  }
}

export interface Played {
  readonly story: Story;
  readonly scene: Scene;
}

export async function playOn(kernel: Kernel): Promise<Played> {
  const story = await boot(kernel, [...filesOf(), fileEntry('module.ko', moduleOf(kernel, MODULE))], PLAN);
  return { story, scene: sceneOf(story) };
}

function sceneOf(story: Story): Scene {
  const frames = new FrameDecoder().push(story.frames);
  const counters = frames.at(-1);
  if (counters?.kind !== 'counters') throw new Error(`the sensor did not end with its counters: ${story.text}`);
  const fact = (name: string): number => story.facts[name] ?? -1;
  return {
    frames,
    counters,
    did: doneBy(story, 'all'),
    refused: doneBy(story, 'denied'),
    thirtyTwo: doneBy(story, 'compat'),
    has32Bit: true,
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

function doneBy(story: Story, name: string): Done {
  const { pid, status, said } = story.step(name);
  if (status !== 0) throw new Error(`${name} ended with ${status}: ${said}`);
  return { pid, said: numbersSaid(said) };
}
