/**
 * Counters of disks and interfaces, and what became of them between two looks. What is read is the kernel's and strict: a line
 * that it would not write makes the whole table unreadable, as half a table would look like vanished devices.
 */
import { readdir } from 'node:fs/promises';
import { linesOf, Unreadable, type Places } from './places.ts';

/** Read or received first, then written or sent. */
export interface Counters {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly countIn: number;
  readonly countOut: number;
}
export type Table = ReadonlyMap<string, Counters>;

export interface Change extends Counters {
  /** Undefined: the sum of those that did too little to be told one by one. */
  readonly name: string | undefined;
  /** How many this is the sum of. */
  readonly devices: number;
}

const SECTOR = 512;
const MAX_DEVICES = 16_384;
/** The busiest are told one by one, the rest as one sum. */
const TOLD = 16;

/** Interfaces of the machine, not of the agent's own network namespace, which has none: those that the first process has. */
export async function interfaces({ proc }: Places): Promise<Table> {
  const [, , ...lines] = await linesOf(`${proc}/1/net/dev`);
  return tableOf(lines, /^ *([^ /]{1,15}): *([0-9 ]+)$/, (of) => ({
    bytesIn: of(0),
    countIn: of(1),
    bytesOut: of(8),
    countOut: of(9),
  }));
}

/** Whole disks that were ever used: neither partitions nor loop devices that wait for a file. */
export async function disks({ proc, sys }: Places): Promise<Table> {
  const whole = new Set(await readdir(`${sys}/block`));
  const all = tableOf(await linesOf(`${proc}/diskstats`), /^ *[0-9]+ +[0-9]+ ([^ ]{1,64}) ([0-9 ]+)$/, (of) => ({
    countIn: of(0),
    bytesIn: of(2) * SECTOR,
    countOut: of(4),
    bytesOut: of(6) * SECTOR,
  }));
  // A slash in a device's name is an exclamation mark in /sys.
  return new Map([...all].filter(([name, of]) => whole.has(name.replaceAll('/', '!')) && of.countIn + of.countOut > 0));
}

function tableOf(
  lines: readonly string[],
  form: RegExp,
  countersOf: (of: (field: number) => number) => Counters,
): Table {
  if (lines.length > MAX_DEVICES) throw new Unreadable('more devices than we can count');
  return new Map(
    lines.map((line) => {
      const [, name, numbers] = form.exec(line) ?? [];
      if (name === undefined || numbers === undefined) throw new Unreadable('not as the kernel writes it');
      const fields = numbers.trim().split(/ +/).map(Number);
      const counters = countersOf((field) => {
        const value = fields[field];
        if (value === undefined) throw new Unreadable('fewer columns than the kernel has');
        return value;
      });
      return [name, counters];
    }),
  );
}

/** Of devices that were there before and did something since; one whose counters went back is another of that name. */
export function changes(before: Table, after: Table): readonly Change[] {
  const active = [...after].flatMap(([name, now]) => {
    const then = before.get(name);
    return then === undefined ? [] : busy(name, difference(then, now));
  });
  active.sort((a, b) => volume(b) - volume(a));
  const rest = active.slice(TOLD);
  return rest.length === 0 ? active : [...active.slice(0, TOLD), sum(rest)];
}

const volume = (of: Counters): number => of.bytesIn + of.bytesOut;
const busy = (name: string, of: Counters): Change[] =>
  of.countIn < 0 || of.countOut < 0 || of.bytesIn < 0 || of.bytesOut < 0 || of.countIn + of.countOut === 0
    ? []
    : [{ ...of, name, devices: 1 }];

const difference = (then: Counters, now: Counters): Counters => ({
  bytesIn: now.bytesIn - then.bytesIn,
  bytesOut: now.bytesOut - then.bytesOut,
  countIn: now.countIn - then.countIn,
  countOut: now.countOut - then.countOut,
});

const sum = (changed: readonly Change[]): Change =>
  changed.reduce((a, b) => ({
    name: undefined,
    devices: a.devices + b.devices,
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
    countIn: a.countIn + b.countIn,
    countOut: a.countOut + b.countOut,
  }));
