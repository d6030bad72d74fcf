/**
 * What the machine is made of and was started with. A change of any of it is told with a fresh inventory: a new interface may be
 * a tunnel, a new disk somebody's stick, a new word on the kernel's command line a protection that is gone.
 */
import { linesOf, Unreadable, type PlaceReader, type Places } from './places.ts';
import type { Table } from './counters.ts';

export interface Shape {
  readonly interfaces: readonly string[] | undefined;
  readonly disks: readonly string[] | undefined;
  /** One line a mounted file system: where, what type, how. */
  readonly mounts: readonly string[] | undefined;
  readonly mountpoints: readonly string[] | undefined;
  readonly commandLine: readonly string[] | undefined;
}

/** File systems of the kernel's own, which hold no files of anybody. */
const KERNEL_TYPES =
  /^(?:autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|efivarfs|fusectl|hugetlbfs|mqueue|nsfs|proc|pstore|ramfs|securityfs|sysfs|tracefs)$/;
const MAX_ARGUMENTS = 64;

export async function shape(places: Places, reader: PlaceReader, interfaces?: Table, disks?: Table): Promise<Shape> {
  const mounts = await reader.attempt('mounts', () => mountTable(places));
  return {
    interfaces: interfaces && [...interfaces.keys()].toSorted(),
    disks: disks && [...disks.keys()].toSorted().map((name) => `/dev/${name}`),
    mounts: mounts?.map(({ line }) => line).toSorted(),
    mountpoints: mounts && [...new Set(mounts.map(({ point }) => point))].toSorted(),
    commandLine: await reader.attempt('command-line', () => commandLine(places)),
  };
}

/** What is not as it was; what could not be read, then or now, is no change. */
export function changesOf(before: Shape, after: Shape): readonly string[] {
  const differs = (a: readonly string[] | undefined, b: readonly string[] | undefined): boolean =>
    a !== undefined && b !== undefined && a.join('\n') !== b.join('\n');
  return [
    ...(differs(before.interfaces, after.interfaces) ? ['interfaces'] : []),
    ...(differs(before.disks, after.disks) ? ['disks'] : []),
    ...(differs(before.mounts, after.mounts) ? ['mounts'] : []),
    ...(differs(before.commandLine, after.commandLine) ? ['command-line'] : []),
  ];
}

/** What was last read stays what is compared with. */
export const remember = (before: Shape | undefined, after: Shape): Shape => ({
  interfaces: after.interfaces ?? before?.interfaces,
  disks: after.disks ?? before?.disks,
  mounts: after.mounts ?? before?.mounts,
  mountpoints: after.mountpoints ?? before?.mountpoints,
  commandLine: after.commandLine ?? before?.commandLine,
});

/** As the first process sees it; ours is a namespace with file systems of its own. */
async function mountTable({ proc }: Places): Promise<{ line: string; point: string }[]> {
  const rows = (await linesOf(`${proc}/1/mounts`)).map((line) => {
    const [device, point, type, options, ...rest] = line.split(' ');
    if (device === undefined || point === undefined || type === undefined || options === undefined || rest.length !== 2)
      throw new Unreadable('not as the kernel writes mounts');
    return { type, line: [device, point, type, options].join(' '), point: unescaped(point) };
  });
  return rows.filter(({ type }) => !KERNEL_TYPES.test(type));
}

/** The kernel writes blanks and backslashes of names in octal. */
const unescaped = (text: string): string =>
  Buffer.from(
    text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    'latin1',
  ).toString('utf8');

async function commandLine({ proc }: Places): Promise<string[]> {
  const [line = ''] = await linesOf(`${proc}/cmdline`);
  return line
    .split(' ')
    .filter((word) => word !== '')
    .slice(0, MAX_ARGUMENTS);
}
