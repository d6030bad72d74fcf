/** Names of the system calls that audit tells by number: x86_64 and aarch64. */
import type { Fields } from './json.ts';

const X86_64 =
  'open=2 connect=42 accept=43 listen=50 execve=59 truncate=76 ftruncate=77 rename=82 mkdir=83 rmdir=84 creat=85 link=86 ' +
  'unlink=87 chmod=90 fchmod=91 chown=92 fchown=93 lchown=94 ptrace=101 setuid=105 setgid=106 setreuid=113 setregid=114 ' +
  'setresuid=117 setresgid=119 init_module=175 delete_module=176 openat=257 mkdirat=258 fchownat=260 unlinkat=263 ' +
  'renameat=264 linkat=265 fchmodat=268 unshare=272 accept4=288 setns=308 finit_module=313 renameat2=316 execveat=322 ' +
  'openat2=437';
const AARCH64 =
  'mkdirat=34 unlinkat=35 linkat=37 renameat=38 truncate=45 ftruncate=46 fchmod=52 fchmodat=53 fchownat=54 fchown=55 ' +
  'openat=56 unshare=97 init_module=105 delete_module=106 ptrace=117 setregid=143 setgid=144 setreuid=145 setuid=146 ' +
  'setresuid=147 setresgid=149 listen=201 accept=202 connect=203 execve=221 accept4=242 setns=268 finit_module=273 ' +
  'renameat2=276 execveat=281 openat2=437';

const numbered = (table: string): ReadonlyMap<number, string> =>
  new Map(
    table
      .split(' ')
      .map((entry) => entry.split('='))
      .map(([name = '', number]) => [Number(number), name]),
  );
const ARCHITECTURES = new Map([
  ['0xc000003e', numbered(X86_64)],
  ['0xc00000b7', numbered(AARCH64)],
]);

/** Undefined for a call of which we have no name. */
export const callOf = (call: Fields): string | undefined =>
  call.text('SYSCALL') ?? ARCHITECTURES.get(call.text('arch') ?? '')?.get(call.count('syscall') ?? -1);
