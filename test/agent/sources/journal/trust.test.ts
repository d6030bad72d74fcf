/** Anybody can write to the journal under any name; only the program itself is believed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ACCEPTED, entryOf, Heard, KERNEL, LOGIND, newSession, SSHD, START_US, SU, SUDO, told } from './sample.ts';

const SWITCHED = 'alex : TTY=pts/1 ; PWD=/home/alex ; USER=root ; COMMAND=/usr/bin/id';
const SECCOMP =
  'audit: type=1326 audit(1700000000.123:460): auid=1000 uid=1000 gid=1000 ses=4 pid=4711 comm="x" exe="/usr/bin/x" sig=31 arch=c000003e syscall=165 compat=0 ip=0x7f code=0x80000000';

test('a forged line is refused and counted, whoever it names', () => {
  const user = { _UID: '1000', _EXE: '/usr/bin/logger' };
  const forged = [
    entryOf(ACCEPTED, { ...SSHD, ...user }),
    entryOf(ACCEPTED, { SYSLOG_IDENTIFIER: 'sshd', _UID: '1000' }),
    entryOf(ACCEPTED, { ...SSHD, _UID: '1000' }),
    entryOf(ACCEPTED, { ...SSHD, _EXE: '/usr/bin/logger' }),
    entryOf(ACCEPTED, { ...SSHD, _UID: undefined }),
    entryOf('Failed password for alex from 203.0.113.7 port 22 ssh2', { ...SSHD, ...user }),
    entryOf('pam_unix(sshd:session): session closed for user alex', { ...SSHD, ...user }),
    entryOf(SWITCHED, { ...SUDO, ...user }),
    entryOf(SWITCHED, { SYSLOG_IDENTIFIER: 'sudo', _UID: '1000' }),
    entryOf(SWITCHED, { ...SUDO, _EXE: '/home/alex/sudo' }),
    entryOf('(to root) alex on pts/1', { ...SU, ...user }),
    entryOf('New session 4 of user alex.', {
      ...LOGIND,
      ...user,
      MESSAGE_ID: '8d45620c1a4348dbb17410da57c60c66',
      SESSION_ID: '4',
      USER_ID: 'alex',
      LEADER: '7',
    }),
    entryOf(SECCOMP, { ...KERNEL, _TRANSPORT: 'syslog', ...user }),
    entryOf(SECCOMP, { ...KERNEL, SYSLOG_FACILITY: '1' }),
  ];
  const heard = new Heard();
  expect(heard.toTheEnd(...forged)).toEqual([]);
  expect(heard.refused).toBe(forged.length);
});

test('what the program says besides is neither told nor counted', () => {
  const heard = new Heard();
  expect(heard.toTheEnd(entryOf('Server listening on 0.0.0.0 port 22.', SSHD), entryOf('anything', SUDO))).toEqual([]);
  expect(heard.refused).toBe(0);
});

test('of a root process that is gone the kernel’s word is enough; of another the sensor’s memory is', () => {
  const heard = new Heard();
  expect(heard.toTheEnd(entryOf(ACCEPTED, { SYSLOG_IDENTIFIER: 'sshd-session' }))).toHaveLength(1);
  const gone = entryOf(SWITCHED, { SYSLOG_IDENTIFIER: 'sudo', _UID: '1000', _PID: '77' }, START_US + 90_000_000);
  expect(heard.toTheEnd(gone)).toEqual([]);
  const record = heard.processes.fork(77, 88_000_000_000, 1, 1);
  record.executable = '/usr/bin/sudo';
  expect(heard.toTheEnd(gone).map(told)).toMatchObject([
    { event: 'user.switch', 'process.entity.id': '77-88000000000' },
  ]);
  // A process that began later is another one.
  const earlier = entryOf(SWITCHED, { SYSLOG_IDENTIFIER: 'sudo', _UID: '1000', _PID: '77' }, START_US + 80_000_000);
  expect(heard.toTheEnd(earlier)).toEqual([]);
});

test('whoever calls sudo cannot be told about as somebody else', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hushwatch-journal-'));
  const passwd = join(directory, 'passwd');
  writeFileSync(passwd, 'alex:x:1000:1000::/home/alex:/bin/sh\nsam:x:1001:1001::/home/sam:/bin/sh\n');
  const heard = new Heard(passwd);
  rmSync(directory, { recursive: true });
  expect(heard.toTheEnd(entryOf(SWITCHED, SUDO)).map(told)).toMatchObject([{ 'process.user.name': 'alex' }]);
  expect(heard.toTheEnd(entryOf(SWITCHED.replace('alex', 'sam'), SUDO))).toEqual([]);
  expect(heard.refused).toBe(1);
});

test('logind is believed about its own sessions only under its own name', () => {
  const heard = new Heard();
  expect(heard.toTheEnd(newSession('4', 128)).map(told)).toMatchObject([{ event: 'session.start', 'session.id': '4' }]);
});
