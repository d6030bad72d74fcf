/**
 * `npm run footprint [-- --minutes 30 --still 5 --loaded 10 --json]`: what the installed packages take of a machine, each process by itself:
 * processor, memory, disk, network, in containers with systemd.
 *
 * The sensor sees the whole kernel, so in a container a machine is never idle while something else runs outside. Idle is
 * therefore measured twice: for a while with the sensor stopped, when all that happens are heartbeats and the host's own numbers;
 * then with what the machine does, whose pace is told. Then comes the paced load of the benchmark.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MachineRoom, type Machine } from '../e2e/machine-room.ts';
import { packagedPair } from '../e2e/packaged.ts';
import { CHECKOUT } from '../e2e/stack.ts';

const UNITS = ['sensor', 'agent', 'shipper', 'collector'] as const;
type Unit = (typeof UNITS)[number];
const TICKS = 100;

/** Of a unit, with the programs that it started: since they began, but for memory. */
interface Reading {
  readonly cpuS: number;
  readonly rssMb: number;
  readonly pssMb: number;
  readonly writtenMb: number;
  readonly wakeups: number;
}

interface Sample {
  readonly atS: number;
  readonly units: Readonly<Record<Unit, Reading>>;
  readonly seen: number;
  readonly networkBytes: number;
  /** What the node's three processes have on their disk, kB. */
  readonly diskKb: number;
}

const NODE_STATE = '/var/lib/hushwatch /var/lib/hushwatch-ship';

/** One line a process: ticks of user and system, kB resident and proportional, bytes written (to files and sockets; the machine's disk is in memory), times it was woken. */
const READ = (unit: string): string => `
systemctl -q is-active hushwatch-${unit} || exit 0
for pid in $(cat /sys/fs/cgroup$(systemctl show -p ControlGroup --value hushwatch-${unit})/cgroup.procs); do
  set -- $(sed 's/.*) //' /proc/$pid/stat)
  echo "$((\${12} + \${13} + \${14} + \${15}))" $(awk '/^Rss:/{r=$2} /^Pss:/{p=$2} END{print r, p}' /proc/$pid/smaps_rollup) \\
    $(awk '/^wchar/{print $2}' /proc/$pid/io) $(cat /proc/$pid/task/*/status | awk '/^voluntary_ctxt/{n+=$2} END{print n}')
done`;

/** Of a unit that is stopped: nothing. */
function read(machine: Machine, unit: Unit): Reading {
  const rows = machine
    .run(READ(unit))
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
  const sum = (column: number): number => rows.reduce((total, row) => total + (row[column] ?? 0), 0);
  return {
    cpuS: sum(0) / TICKS,
    rssMb: sum(1) / 1024,
    pssMb: sum(2) / 1024,
    writtenMb: sum(3) / 2 ** 20,
    wakeups: sum(4),
  };
}

function sample(node: Machine, collector: Machine): Sample {
  const status: { statement?: { seen: Record<string, number> } } = JSON.parse(
    node.try('hushwatch status --json').stdout || '{}',
  );
  const seen = Object.values(status.statement?.seen ?? {}).reduce((a, b) => a + b, 0);
  const network = node.run('cat /sys/class/net/node0/statistics/tx_bytes /sys/class/net/node0/statistics/rx_bytes');
  const on = (unit: Unit): Reading => read(unit === 'collector' ? collector : node, unit);
  return {
    atS: performance.now() / 1_000,
    units: { sensor: on('sensor'), agent: on('agent'), shipper: on('shipper'), collector: on('collector') },
    seen,
    networkBytes: network.split('\n').reduce((total, line) => total + Number(line), 0),
    diskKb: Number(node.run(`du -skc ${NODE_STATE} | tail -1 | cut -f1`)),
  };
}

interface Row {
  readonly unit: Unit;
  /** Percent of one core. */
  readonly cpu: number;
  readonly rssMb: number;
  readonly pssMb: number;
  /** Proportional megabytes at the end less those after the first third. */
  readonly grownMb: number;
  readonly writtenKbS: number;
  readonly wakeupsS: number;
}

export interface Phase {
  readonly seconds: number;
  readonly eventsS: number;
  readonly bytesPerEvent: number;
  /** The most at any time, and the change from the first third to the end. */
  readonly diskKb: { readonly most: number; readonly grown: number };
  readonly rows: readonly Row[];
}

function phaseOf(samples: readonly Sample[]): Phase {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || samples.length < 3) throw new Error('too few samples');
  const seconds = last.atS - first.atS;
  const events = last.seen - first.seen;
  const third = samples[Math.floor(samples.length / 3)] ?? first;
  const rows = UNITS.map((unit): Row => {
    const [a, b] = [first.units[unit], last.units[unit]];
    const mean = (pick: (one: Reading) => number): number =>
      samples.reduce((total, { units }) => total + pick(units[unit]), 0) / samples.length;
    return {
      unit,
      cpu: ((b.cpuS - a.cpuS) / seconds) * 100,
      rssMb: mean(({ rssMb }) => rssMb),
      pssMb: mean(({ pssMb }) => pssMb),
      grownMb: b.pssMb - third.units[unit].pssMb,
      writtenKbS: ((b.writtenMb - a.writtenMb) * 1_024) / seconds,
      wakeupsS: (b.wakeups - a.wakeups) / seconds,
    };
  });
  return {
    seconds,
    eventsS: events / seconds,
    bytesPerEvent: (last.networkBytes - first.networkBytes) / events,
    diskKb: { most: Math.max(...samples.map(({ diskKb }) => diskKb)), grown: last.diskKb - third.diskKb },
    rows,
  };
}

async function watch(node: Machine, collector: Machine, minutes: number, everyS: number): Promise<Phase> {
  const samples = [sample(node, collector)];
  for (const end = performance.now() + minutes * 60_000; performance.now() < end;) {
    await sleep(everyS * 1_000);
    samples.push(sample(node, collector));
  }
  return phaseOf(samples);
}

export function table(name: string, { seconds, eventsS, bytesPerEvent, diskKb, rows }: Phase): string {
  const disk = `on the node's disk ${diskKb.most} kB at most, grown by ${diskKb.grown}`;
  const head = `${name}: ${(seconds / 60).toFixed(0)} minutes, ${eventsS.toFixed(1)} events seen a second, ${Number.isFinite(bytesPerEvent) ? `${bytesPerEvent.toFixed(0)} bytes on the network for each` : ''}; ${disk}`;
  const lines = rows.map(
    ({ unit, cpu, rssMb, pssMb, grownMb, writtenKbS, wakeupsS }) =>
      `| ${unit} | ${cpu.toFixed(2)} | ${rssMb.toFixed(0)} / ${pssMb.toFixed(0)} | ${grownMb >= 0 ? '+' : ''}${grownMb.toFixed(1)} | ${writtenKbS.toFixed(1)} | ${wakeupsS.toFixed(1)} |`,
  );
  const columns =
    '| process | % of a core | MB resident / proportional | grown, MB | kB written a second | woken a second |\n|---|---|---|---|---|---|---|';
  return `${head}\n\n${columns}\n${lines.join('\n')}\n`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '30' },
      still: { type: 'string', default: '5' },
      loaded: { type: 'string', default: '10' },
      json: { type: 'boolean', default: false },
    },
  });
  await using room = new MachineRoom();
  mkdirSync(room.shared, { recursive: true });
  const built = spawnSync('cc', [
    ...['-O2', '-static', '-pthread', '-o', join(room.shared, 'load'), join(CHECKOUT, 'test/bench/load.c')],
  ]);
  if (built.status !== 0) throw new Error('the load did not compile');
  const { node, collector } = await packagedPair(room);
  await sleep(30_000);
  node.run('systemctl stop hushwatch-sensor');
  await sleep(30_000);
  const still = await watch(node, collector, Number(values.still), 15);
  process.stdout.write(`${table('without the sensor', still)}\n`);
  node.run('systemctl start hushwatch-sensor');
  await sleep(30_000);
  const quiet = await watch(node, collector, Number(values.minutes), 15);
  process.stdout.write(`${table('what this machine does', quiet)}\n`);
  const loadedMinutes = Number(values.loaded);
  let loaded: Phase | undefined;
  if (loadedMinutes > 0) {
    const seconds = String(Math.ceil(loadedMinutes * 60) + 60);
    node.run(
      `mkdir -p /tmp/load; cd /tmp; /shared/load paced ${seconds} 20000 400 400 /tmp/load 10000 >/dev/null 2>&1 &`,
    );
    await sleep(15_000);
    loaded = await watch(node, collector, loadedMinutes, 15);
    process.stdout.write(`${table('20,000 opens, 400 fork-execs, 400 connects a second', loaded)}\n`);
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ still, quiet, loaded })}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
