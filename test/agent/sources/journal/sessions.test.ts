/** One fact, one event, whatever number of lines tells it, in whichever order. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Entry } from '../../../../agent/sources/journal/entry.ts';
import { ACCEPTED, entryOf, Heard, LOGIN, LOGIND, newSession, removed, SSHD, START_US, SUDO, told } from './sample.ts';

const pid = { _PID: '128' };
const accepted = (): Entry => entryOf(ACCEPTED, { ...SSHD, ...pid });
const opened = (): Entry =>
  entryOf('pam_unix(sshd:session): session opened for user alex(uid=1000) by (uid=0)', { ...SSHD, ...pid });
const closed = (): Entry => entryOf('pam_unix(sshd:session): session closed for user alex', { ...SSHD, ...pid });
const left = (): Entry =>
  entryOf('Session 4 logged out. Waiting for processes to exit.', {
    ...LOGIND,
    SESSION_ID: '4',
    USER_ID: 'alex',
    LEADER: '128',
  });
const failed = (): Entry => entryOf('Failed password for alex from 203.0.113.7 port 48122 ssh2', { ...SSHD, ...pid });
const givenUp = (): Entry =>
  entryOf('Connection closed by authenticating user alex 203.0.113.7 port 48122 [preauth]', { ...SSHD, ...pid });
const names = (heard: Heard, ...entries: readonly Entry[]): readonly string[] =>
  heard.toTheEnd(...entries).map(({ name }) => name);

test('a log-on and a log-off through sshd and logind: two events, with everything that both know', () => {
  const events = new Heard()
    .toTheEnd(accepted(), opened(), newSession('4', 128), closed(), left(), removed('4', 128))
    .map(told);
  expect(events).toEqual([
    {
      event: 'session.start',
      'process.pid': 128,
      'process.executable.path': '/usr/sbin/sshd',
      'process.audit.session.id': 4,
      'user.name': 'alex',
      'source.address': '203.0.113.7',
      'source.port': 48122,
      'session.id': '4',
      'session.service': 'sshd',
      'session.authentication.method': 'publickey',
      'session.key.type': 'ED25519',
      'session.key.fingerprint': 'SHA256:AAAAC3NzaC1lZDI1NTE5AAAAIExampleOnlyNotReal',
    },
    {
      event: 'session.end',
      'process.pid': 128,
      'process.audit.session.id': 4,
      'user.name': 'alex',
      'session.id': '4',
    },
  ]);
});

test('the lines of one log-on may come in any order', () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
      fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
      (a, b) => {
        const on = [accepted, opened, () => newSession('4', 128)];
        const off = [closed, left, () => removed('4', 128)];
        const lines = [...a.map((i) => on[i]), ...b.map((i) => off[i])].flatMap((make) =>
          make === undefined ? [] : [make()],
        );
        expect(names(new Heard(), ...lines)).toEqual(['session.start', 'session.end']);
      },
    ),
  );
});

test('without logind, sshd and PAM are enough; with logind, a console log-on has its service', () => {
  expect(names(new Heard(), accepted(), opened(), closed())).toEqual(['session.start', 'session.end']);
  const console_ = { ...LOGIN, ...pid };
  expect(
    new Heard()
      .toTheEnd(
        entryOf('pam_unix(login:session): session opened for user alex(uid=1000) by LOGIN(uid=0)', console_),
        newSession('4', 128),
      )
      .map(told),
  ).toMatchObject([{ event: 'session.start', 'session.service': 'login', 'session.id': '4' }]);
});

test('a half that comes after two seconds is known to be late', () => {
  const late = START_US + 3_600_000_000;
  const heard = new Heard();
  expect(names(heard, entryOf(ACCEPTED, { ...SSHD, ...pid }, late), removed('9', 9, late + 3_000_000))).toEqual([
    'session.start',
    'session.end',
  ]);
  const second = new Heard();
  second.hear(entryOf(ACCEPTED, { ...SSHD, ...pid }, late));
  expect(second.sessions.waitUntil(late + 2_000_001)).toHaveLength(1);
  expect(second.hear(newSession('4', 128))).toEqual([]);
});

test('sessions that nobody logged on to begin and end unsaid', () => {
  const heard = new Heard();
  expect(names(heard, newSession('5', 130, " with class 'manager' and type 'unspecified'"), removed('5', 130))).toEqual(
    [],
  );
});

test('each wrong password is one failure; a connection that gave up is one, if nothing had failed on it', () => {
  expect(names(new Heard(), failed(), failed(), givenUp())).toEqual(['session.failure', 'session.failure']);
  expect(names(new Heard(), givenUp())).toEqual(['session.failure']);
  expect(names(new Heard(), failed(), accepted(), newSession('4', 128))).toEqual(['session.failure', 'session.start']);
});

test('names are told of those that exist', () => {
  const unknown = entryOf('Failed password for invalid user hunter2 from 203.0.113.7 port 48122 ssh2', SSHD);
  const login = entryOf("FAILED LOGIN (1) on '/dev/tty1' FOR 'hunter2', Authentication failure", LOGIN);
  const events = new Heard().toTheEnd(unknown, login);
  expect(events).toHaveLength(2);
  expect(JSON.stringify(events)).not.toContain('hunter2');
});

test('one use of sudo is one event, however many lines PAM adds', () => {
  expect(
    names(
      new Heard(),
      entryOf('alex : TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id', SUDO),
      entryOf('pam_unix(sudo:session): session opened for user root(uid=0) by alex(uid=1000)', SUDO),
      entryOf('pam_unix(sudo:session): session closed for user root', SUDO),
    ),
  ).toEqual(['user.switch']);
});

test('a denial that comes both ways is told once; two of them are two', () => {
  const kernel = (serial: number): Entry =>
    entryOf(
      `audit: type=1400 audit(1700000000.123:${serial}): avc:  denied  { read } for  pid=7 scontext=a:b:c tcontext=d:e:f tclass=file permissive=0`,
      { SYSLOG_IDENTIFIER: 'kernel', SYSLOG_FACILITY: '0', _TRANSPORT: 'kernel' },
    );
  const audit = entryOf(
    'AVC avc:  denied  { read } for  pid=7 scontext=a:b:c tcontext=d:e:f tclass=file permissive=0',
    {
      _TRANSPORT: 'audit',
      _AUDIT_TYPE_NAME: 'AVC',
      _AUDIT_ID: '456',
      _SOURCE_REALTIME_TIMESTAMP: '1700000000123000',
    },
  );
  expect(names(new Heard(), kernel(456), audit, kernel(457))).toEqual(['security.avc.denied', 'security.avc.denied']);
});

test('what waits is bounded, and what is pushed out is told', () => {
  const heard = new Heard();
  const lines = Array.from({ length: 5_000 }, (_, i) => entryOf(ACCEPTED, { ...SSHD, _PID: String(i + 1) }, START_US));
  expect(heard.toTheEnd(...lines)).toHaveLength(5_000);
});

test('process ids are used again', () => {
  expect(names(new Heard(), accepted(), accepted(), newSession('4', 128))).toEqual(['session.start', 'session.start']);
  const late = START_US + 7_200_000_000;
  const again = (atUs: number): Entry => entryOf(ACCEPTED, { ...SSHD, ...pid }, atUs);
  const ended = (atUs: number): Entry =>
    entryOf('pam_unix(sshd:session): session closed for user alex', { ...SSHD, ...pid }, atUs);
  expect(
    names(new Heard(), again(late), ended(late + 3e6), again(late + 6e6), ended(late + 9e6), again(late + 12e6)),
  ).toEqual(['session.start', 'session.end', 'session.start', 'session.end', 'session.start']);
});
