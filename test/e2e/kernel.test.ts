/**
 * Other kernels than this machine's: Debian's own, booted in a small virtual machine with the sensor of this checkout. What is
 * done there is what is said there, with two capabilities and no more; what cannot work is refused in one line.
 *
 * Needs qemu and apt; the kernels come from Debian's packages.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Frame } from '../../agent/sources/frame.ts';
import { deedsAreSaid } from './deeds.ts';
import { filesOf, playOn, type Played } from './kernel-scene.ts';
import { boot, kernelOf, type Story } from './machine.ts';
import { balanced, buildSensor, framesOf } from './watched.ts';

beforeAll(buildSensor);

/** The oldest that is promised, and one between it and this machine's. */
describe.each([
  ['6.1', 'linux-image-cloud-amd64'],
  ['6.12', 'linux-image-6.12-cloud-amd64'],
])('Linux %s', (version, name) => {
  let told: Played | undefined;
  const story = (): Story => {
    if (told === undefined) throw new Error('the machine did not boot');
    return told.story;
  };
  const frames = (): readonly Frame[] => told?.scene.frames ?? [];

  beforeAll(async () => {
    const kernel = kernelOf(name);
    expect(kernel.release.startsWith(`${version}.`)).toBe(true);
    told = await playOn(kernel);
  });

  test('two capabilities are enough, BPF for nobody else, and no locked memory', () => {
    const { status, said } = story().step('check');
    expect({ status, said }).toMatchObject({ status: 0 });
    expect(said).toMatch(/^program\ton_module_load\tmodule_load\tloads$/m);
    expect(story().step('sensor')).toMatchObject({ status: 0, said: '' });
  });

  deedsAreSaid(() => {
    if (told === undefined) throw new Error('the machine did not boot');
    return told.scene;
  });

  test('a module: loaded, refused, unloaded', () => {
    const { pid, status } = story().step('load');
    expect(status).toBe(0);
    expect(framesOf(frames(), 'module-load', pid)).toMatchObject([{ name: 'dummy', errno: 0, uid: 0 }]);
    expect(story().step('load-refused')).toMatchObject({ status: 1, said: 'refused 1\n' });
    expect(framesOf(frames(), 'module-load', story().step('load-refused').pid)).toMatchObject([
      { errno: 1, uid: 65_534 },
    ]);
    const unload = story().step('unload');
    expect(unload.status).toBe(0);
    expect(framesOf(frames(), 'module-unload', unload.pid)).toMatchObject([{ name: 'dummy', errno: 0, uid: 0 }]);
  });

  test('nothing is unaccounted for', () => {
    const last = frames().at(-1);
    if (last?.kind !== 'counters') throw new Error('no counters');
    balanced(last, frames());
  });
});

test('Linux 6.1: what cannot work is refused in one line, with what to do', async () => {
  const kernel = kernelOf('linux-image-cloud-amd64');
  const plan = [
    'do locked sensor /bin/sensor --check',
    'hide /sys/kernel/btf',
    'do untyped sensor /bin/sensor --check',
  ];
  const story = await boot(kernel, filesOf(), plan, 'lockdown=confidentiality');
  const lastLines = (name: string): string[] => story.step(name).said.trimEnd().split('\n').slice(-2);
  expect(lastLines('locked')).toEqual([
    'hushwatch-sensor: kernel lockdown (confidentiality) forbids to read what is seen',
    'hint: boot with lockdown=integrity, which protects the kernel from writing all the same',
  ]);
  expect(lastLines('untyped')).toEqual([
    `hushwatch-sensor: Linux ${kernel.release} does not describe its types (no /sys/kernel/btf/vmlinux)`,
    "hint: use a kernel built with CONFIG_DEBUG_INFO_BTF, as Debian's, Ubuntu's and Fedora's are",
  ]);
  expect(['locked', 'untyped'].map((name) => story.step(name).status)).toEqual([3, 3]);
});
