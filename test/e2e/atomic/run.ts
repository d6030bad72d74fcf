/**
 * Runs tests of Atomic Red Team in a container, one after the other, each in a control group of its own, and finds out from
 * the evidence which rules each of them met.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makeSigmaDetector } from '../../../collector/detectors/sigma.ts';
import { clearOf } from '../../../collector/detectors/sigma/plan.ts';
import { LEVELS } from '../../../collector/detectors/sigma/rule.ts';
import { exposure } from '../../../redaction-rules/exposure.ts';
import { loadPack, STARTER_PACK } from '../../../collector/detectors/pack.ts';
import { SHIPPED } from '../../redaction-rules/shipped.ts';
import type { Container } from '../container.ts';
import { readEvidence } from '../ordinary/evidence.ts';
import { Group, Origins, type Mark } from '../origins.ts';
import { RULE_FILES } from '../sightings.ts';

export interface AtomicTest {
  readonly technique: string;
  readonly name: string;
  readonly command: string;
}

const DATA = fileURLToPath(new URL('../../../../shared/data/commands/atomic_linux_tests.json', import.meta.url));
const TEST_MS = 15_000;
/** What could reach beyond a container that shares its kernel; a shell that enters it from outside has them all. */
const FORBIDDEN = [
  'sys_time',
  'sys_module',
  'sys_boot',
  'sys_rawio',
  'sys_resource',
  'syslog',
  'wake_alarm',
  'bpf',
  'perfmon',
];
const CONFINED = ['setpriv', `--bounding-set=${FORBIDDEN.map((name) => `-${name}`).join(',')}`, 'bash', '-s'];

/** The tests of these names (technique first), in the order of the names. */
export function readTests(names: readonly string[]): readonly AtomicTest[] {
  const all: readonly AtomicTest[] = JSON.parse(readFileSync(DATA, 'utf8'));
  return names.map((wanted) => {
    const found = all.find(({ technique, name }) => `${technique} ${name}` === wanted);
    if (found === undefined) throw new Error(`no test ${wanted} in ${DATA}`);
    return found;
  });
}

/** A test as it ran: from when to when, milliseconds since 1970. */
export interface Attack extends Mark {
  readonly until: number;
}

export async function attack(container: Container, tests: readonly AtomicTest[]): Promise<readonly Attack[]> {
  const prepare = readFileSync(fileURLToPath(new URL('prepare.sh', import.meta.url)), 'utf8');
  await inGroup(container, 'hushwatch-atomic-prepare', prepare);
  const attacks: Attack[] = [];
  for (const [index, { technique, name, command }] of tests.entries()) {
    const at = Date.now();
    forget(container);
    const pid = await inGroup(container, `hushwatch-atomic-${index}`, `cd /root; export HOME=/root\n${command}`);
    // What the container's own services do for it comes a moment later.
    await sleep(300);
    attacks.push({ name: `${technique} ${name}`, pid, at, until: Date.now() });
  }
  return attacks;
}

/** What one test did must not show in the next: a library in every program, a history that is a link to nothing. */
function forget(container: Container): void {
  const root = `/proc/${container.leader}/root`;
  rmSync(`${root}/etc/ld.so.preload`, { force: true });
  rmSync(`${root}/root/.bash_history`, { force: true });
  writeFileSync(`${root}/root/.bash_history`, 'before\n');
}

async function inGroup(container: Container, name: string, script: string): Promise<number> {
  using group = new Group(name);
  const [command = '', ...args] = [...group.command, ...container.enter, ...CONFINED];
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin.on('error', () => {}).end(script);
  const timer = setTimeout(() => group.kill(), TEST_MS);
  await once(child, 'close');
  clearTimeout(timer);
  group.kill();
  await sleep(50);
  return child.pid ?? 0;
}

/** Levels by rules that each attack met, by the file of the rule. */
export type Hits = ReadonlyMap<string, ReadonlyMap<string, (typeof LEVELS)[number]>>;

/** `machine` is a mark in the container's own group: what its services do in a test's time is that test's doing. */
export function hitsOf(collector: string, attacks: readonly Attack[], machine: Mark): Hits {
  const pack = loadPack(STARTER_PACK);
  const clear = clearOf(
    exposure(SHIPPED.find(({ ruleset }) => ruleset.name === 'generic-linux')?.ruleset ?? SHIPPED[0]!.ruleset),
  );
  const detector = makeSigmaDetector({ ...pack, clearFor: () => clear });
  const origins = new Origins([...attacks, machine]);
  const hits = new Map(attacks.map(({ name }) => [name, new Map<string, (typeof LEVELS)[number]>()]));
  for (const batch of readEvidence(collector)) {
    for (const record of batch.events) origins.learn(record);
    for (const { rule = '', severity, time, entity } of detector.observe(batch)) {
      const who = entity === undefined ? machine.name : origins.of(entity);
      const during = attacks.find(({ at, until }) => time >= at * 1000 - 5_000 && time <= until * 1000)?.name;
      const name = who === machine.name ? during : who;
      hits.get(name ?? '')?.set(RULE_FILES.get(rule) ?? rule, severity);
    }
  }
  return hits;
}
