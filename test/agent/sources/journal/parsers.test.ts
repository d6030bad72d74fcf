/** What the lines of sshd, sudo, su, login, PAM and the kernel are taken to say; and that no line can make a parser say more. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAudit, parseKernel } from '../../../../agent/sources/journal/audit.ts';
import { parseLogin } from '../../../../agent/sources/journal/login.ts';
import { parseLogind } from '../../../../agent/sources/journal/logind.ts';
import { parsePam } from '../../../../agent/sources/journal/pam.ts';
import { parseSshd } from '../../../../agent/sources/journal/sshd.ts';
import { parseSu, parseSudo } from '../../../../agent/sources/journal/sudo.ts';
import { ACCEPTED, entryOf, KERNEL, newSession, removed } from './sample.ts';

const KEY = { keyType: 'ED25519', keyFingerprint: 'SHA256:AAAAC3NzaC1lZDI1NTE5AAAAIExampleOnlyNotReal' };
const FROM = { service: 'sshd', address: '203.0.113.7', port: 48122 };

test('sshd: who was let in, how, from where, with which key', () => {
  expect(parseSshd(ACCEPTED)).toEqual({ kind: 'accepted', method: 'publickey', user: 'alex', ...FROM, ...KEY });
  expect(parseSshd('Accepted password for alex from 2001:db8::7%eth0 port 22 ssh2')).toMatchObject({
    method: 'password',
    address: '2001:db8::7',
    port: 22,
  });
  expect(parseSshd('Accepted keyboard-interactive/pam for alex from 203.0.113.7 port 48122 ssh2')).toMatchObject({
    method: 'keyboard-interactive',
  });
  const certified = `${ACCEPTED.replace('ED25519', 'ED25519-CERT')} ID alex (serial 0) CA RSA SHA256:abc`;
  expect(parseSshd(certified)).toMatchObject({ keyType: 'ED25519-CERT', keyFingerprint: KEY.keyFingerprint });
});

test('sshd: who was not', () => {
  expect(parseSshd('Failed password for alex from 203.0.113.7 port 48122 ssh2')).toMatchObject({
    kind: 'failed',
    user: 'alex',
  });
  expect(parseSshd('Failed none for alex from 203.0.113.7 port 48122 ssh2')).toBeUndefined();
  expect(parseSshd('Connection closed by authenticating user alex 203.0.113.7 port 48122 [preauth]')).toEqual({
    kind: 'given-up',
    user: 'alex',
    reason: 'given-up',
    ...FROM,
  });
  for (const line of [
    'Connection closed by 203.0.113.7 port 48122 [preauth]',
    'Disconnected from user alex 203.0.113.7 port 48122',
    'Received disconnect from 203.0.113.7 port 48122:11: disconnected by user',
    'Invalid user hunter2 from 203.0.113.7 port 48122',
    'Postponed publickey for alex from 203.0.113.7 port 48122 ssh2 [preauth]',
  ])
    expect(parseSshd(line), line).toBeUndefined();
});

test('sshd: names that do not exist are never read, and cannot say where somebody comes from', () => {
  const name = fc.oneof(
    fc.string({ maxLength: 100 }),
    fc.constantFrom(
      'root from 192.0.2.9 port 22 ssh2',
      'x from 192.0.2.9 port 1 ssh2: RSA SHA256:abc',
      '',
      'invalid user ',
      ' ; ',
    ),
  );
  fc.assert(
    fc.property(name, (user) => {
      const failed = parseSshd(`Failed password for invalid user ${user} from 203.0.113.7 port 48122 ssh2`);
      const left = parseSshd(`Connection closed by invalid user ${user} 203.0.113.7 port 48122 [preauth]`);
      for (const fact of [failed, left]) {
        if (user.includes('\n') || user.includes('\r') || user.includes('\u2028') || user.includes('\u2029')) continue;
        expect(fact).toMatchObject({ reason: 'unknown-user', address: '203.0.113.7', port: 48122 });
        expect(fact).not.toHaveProperty('user');
      }
    }),
  );
});

test('sudo: who, as whom, where, what', () => {
  expect(parseSudo('    alex : TTY=pts/1 ; PWD=/home/alex ; USER=root ; COMMAND=/usr/bin/id -u')).toEqual({
    kind: 'switch',
    program: 'sudo',
    by: 'alex',
    to: 'root',
    terminal: 'pts/1',
    directory: '/home/alex',
    command: ['/usr/bin/id', '-u'],
    error: undefined,
  });
  expect(
    parseSudo("alex : PWD=/ ; USER=root ; GROUP=adm ; ENV=A=1 ; COMMAND=/usr/bin/sh -c 'id; echo it'\\''s'"),
  ).toMatchObject({
    command: ['/usr/bin/sh', '-c', "id; echo it's"],
  });
});

test('sudo: why not', () => {
  const rest = 'TTY=pts/1 ; PWD=/home/alex ; USER=root ; COMMAND=/usr/bin/id';
  const errorOf = (reason: string): unknown => parseSudo(`alex : ${reason} ; ${rest}`)?.error;
  expect(errorOf('3 incorrect password attempts')).toBe('wrong-password');
  expect(errorOf('1 incorrect password attempt')).toBe('wrong-password');
  expect(errorOf('user NOT in sudoers')).toBe('not-in-sudoers');
  expect(errorOf('command not allowed')).toBe('not-allowed');
  expect(errorOf('a password is required')).toBe('password-required');
  expect(parseSudo('alex : unable to resolve host vm: Temporary failure in name resolution')).toBeUndefined();
  expect(parseSudo('alex : (command continued) -x')).toBeUndefined();
});

test('sudo: a line that can be read in two ways tells who and that, and no more', () => {
  const lines = [
    'alex : TTY=pts/1 ; PWD=/tmp/x ; USER=nobody ; COMMAND=/bin/ls ; USER=root ; COMMAND=/bin/sh',
    'alex : PWD=/x ; USER=root ; COMMAND=/bin/sh -c x ; COMMAND=/bin/ls',
    'alex : PWD=/x ; TTY=pts/9 ; TTY=pts/1 ; USER=root ; COMMAND=/bin/sh',
    'alex : PWD=/x ; SOMETHING=y ; USER=root ; COMMAND=/bin/sh',
  ];
  for (const line of lines) {
    const fact = parseSudo(line);
    expect(fact, line).toMatchObject({ by: 'alex' });
    expect(fact, line).not.toHaveProperty('to');
    expect(fact, line).not.toHaveProperty('command');
  }
});

test('sudo: no directory and no command can tell another user than sudo does', () => {
  const part = fc.array(fc.constantFrom(' ; ', 'USER=', 'nobody', 'COMMAND=', 'PWD=', 'TTY=', '/x', ' ', "'"), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(part, part, (directory, command) => {
      const fact = parseSudo(`alex : PWD=/${directory.join('')} ; USER=root ; COMMAND=/bin/sh ${command.join('')}`);
      expect([undefined, 'root']).toContain(fact?.to);
    }),
  );
});

test('su: as whom', () => {
  expect(parseSu('(to root) alex on pts/1')).toMatchObject({
    program: 'su',
    to: 'root',
    terminal: 'pts/1',
    error: undefined,
  });
  expect(parseSu('FAILED SU (to root) alex on none')).toMatchObject({ to: 'root', error: 'wrong-password' });
  expect(parseSu('Successful su for root by alex')).toMatchObject({ to: 'root' });
  expect(parseSu('pam_unix(su:session): session opened for user root(uid=0) by (uid=1000)')).toBeUndefined();
});

test('PAM: only where nobody else speaks', () => {
  expect(parsePam('pam_unix(gdm-password:session): session opened for user alex(uid=1000) by (uid=0)')).toMatchObject({
    kind: 'opened',
    service: 'gdm-password',
    user: 'alex',
  });
  expect(parsePam('pam_unix(sshd:session): session closed for user alex')).toMatchObject({
    kind: 'closed',
    user: 'alex',
  });
  expect(
    parsePam('pam_unix(lightdm:auth): authentication failure; logname= uid=0 euid=0 tty=:0 ruser= rhost=  user=alex'),
  ).toMatchObject({ kind: 'failed', user: 'alex' });
  for (const line of [
    'pam_unix(sshd:session): session opened for user alex(uid=1000) by (uid=0)',
    'pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7  user=alex',
    'pam_unix(sudo:session): session opened for user root(uid=0) by alex(uid=1000)',
    'pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)',
    'pam_unix(systemd-user:session): session opened for user alex(uid=1000) by (uid=0)',
  ])
    expect(parsePam(line), line).toBeUndefined();
});

test('login: in both spellings', () => {
  expect(parseLogin("FAILED LOGIN (1) on '/dev/tty1' FOR 'alex', Authentication failure")).toMatchObject({
    terminal: 'tty1',
    user: 'alex',
  });
  expect(parseLogin('FAILED LOGIN 1 FROM tty1 FOR alex, Authentication failure')).toMatchObject({ terminal: 'tty1' });
});

test('logind: sessions of people, by its fields and not by its words', () => {
  expect(parseLogind(newSession('4', 128))).toEqual({ kind: 'session-new', session: '4', user: 'alex', leader: 128 });
  expect(parseLogind(removed('4', 128))).toMatchObject({ kind: 'session-removed' });
  expect(parseLogind(newSession('5', 128, " with class 'manager' and type 'unspecified'"))).toMatchObject({
    kind: 'session-other',
  });
  expect(parseLogind(entryOf('New session 4 of user alex.'))).toBeUndefined();
});

const AVC =
  'avc:  denied  { read open } for  pid=4711 comm="cat" path="/etc/shadow" dev="dm-0" ino=7 scontext=system_u:system_r:httpd_t:s0 tcontext=system_u:object_r:shadow_t:s0 tclass=file permissive=1';

test('the kernel: what SELinux and AppArmor denied, or would have', () => {
  expect(parseKernel(entryOf(`audit: type=1400 audit(1700000000.123:456): ${AVC}`, KERNEL))).toMatchObject({
    module: 'selinux',
    pid: 4711,
    path: '/etc/shadow',
    sourceContext: 'system_u:system_r:httpd_t:s0',
    targetContext: 'system_u:object_r:shadow_t:s0',
    targetClass: 'file',
    permissions: ['read', 'open'],
    permissive: true,
  });
  const hex = Buffer.from('/tmp/a" tclass=x').toString('hex').toUpperCase();
  expect(
    parseKernel(entryOf(`audit: type=1400 audit(1700000000.123:457): ${AVC.replace('"/etc/shadow"', hex)}`, KERNEL)),
  ).toMatchObject({ path: '/tmp/a" tclass=x', targetClass: 'file' });
  expect(
    parseKernel(
      entryOf(
        'audit: type=1400 audit(1700000000.123:458): apparmor="DENIED" operation="open" class="file" profile="man" name="/etc/shadow" pid=7 comm="man" requested_mask="r" denied_mask="r" fsuid=0 ouid=0',
        KERNEL,
      ),
    ),
  ).toMatchObject({
    module: 'apparmor',
    path: '/etc/shadow',
    targetClass: 'open',
    permissions: ['r'],
    permissive: false,
  });
  expect(
    parseKernel(
      entryOf('audit: type=1400 audit(1700000000.123:459): apparmor="STATUS" operation="profile_load"', KERNEL),
    ),
  ).toBeUndefined();
});

test('the kernel: what a seccomp filter stopped', () => {
  const line =
    'audit: type=1326 audit(1700000000.123:460): auid=1000 uid=1000 gid=1000 ses=4 subj=unconfined pid=4711 comm="x" exe="/usr/bin/x" sig=31 arch=c000003e syscall=165 compat=0 ip=0x7f code=0x80000000';
  expect(parseKernel(entryOf(line, KERNEL))).toMatchObject({
    kind: 'seccomp',
    pid: 4711,
    uid: 1000,
    loginUid: 1000,
    auditSession: 4,
    executable: '/usr/bin/x',
    signal: 31,
    architecture: 'amd64',
    syscall: 165,
    action: 'kill-process',
  });
});

test('the audit socket tells the same record under the same id', () => {
  const kernel = parseKernel(entryOf(`audit: type=1400 audit(1700000000.123:456): ${AVC}`, KERNEL));
  const audit = parseAudit(
    entryOf(`AVC ${AVC}`, {
      _TRANSPORT: 'audit',
      _AUDIT_TYPE_NAME: 'AVC',
      _AUDIT_ID: '456',
      _SOURCE_REALTIME_TIMESTAMP: '1700000000123000',
    }),
  );
  expect(kernel).toBeDefined();
  expect(audit).toEqual(kernel);
});

test('any text at all: an answer or none, in little time', () => {
  const words = fc.constantFrom(
    'Accepted ', 'Failed ', 'password', ' for ', 'invalid user ', ' from ', '203.0.113.7', ' port ', '22', ' ssh2', ': ', ' ; ',
    'USER=', 'COMMAND=', 'PWD=', 'alex', ' : ', '(to ', ') ', 'pam_unix(login:session): ', 'session closed for user ', 'audit: type=1400 audit(1.000:1): ',
    'avc:  denied  { ', ' } for ', 'pid=', 'exe="', '"', "'", '\n', 'x'.repeat(2_000),
  ); // prettier-ignore
  const text = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.array(words, { maxLength: 40 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (message) => {
      const began = performance.now();
      for (const parse of [parseSshd, parseSudo, parseSu, parsePam, parseLogin]) parse(message);
      for (const parse of [parseKernel, parseAudit, parseLogind]) parse(entryOf(message));
      expect(performance.now() - began).toBeLessThan(100);
    }),
    { numRuns: 2_000 },
  );
});
