/**
 * The real tools on the real kernel: what useradd, editors and shells do to accounts, services and tasks is told once
 * each, by the process that did it, and nothing is told of what happens to another root's files. Needs root and BTF.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AttributeName } from '#protocol/vocabulary.ts';
import { SystemClock } from '../../agent/clock.ts';
import { Deriver } from '../../agent/derive.ts';
import { Enricher } from '../../agent/enrich.ts';
import type { RawEvent } from '../../agent/event.ts';
import { Inspector } from '../../agent/inspect.ts';
import { Digester } from '../../agent/inspect/digest.ts';
import { nodeFiles } from '../../agent/node-files.ts';
import { ProcessTable } from '../../agent/process-table.ts';
import { UserNames } from '../../agent/users.ts';
import { unpacked } from './package.ts';
import { isRoot, until, WHY_SKIPPED } from './stack.ts';
import { buildSensor, Watched } from './watched.ts';

const ROUNDS = 12;

/** Of each account: made, given a shell, a password by two tools and a group, taken away. As an administrator's script would. */
const ACCOUNTS = `
for name in $NAMES; do
  useradd -M $name; $PAUSE; usermod -s /bin/dash $name; $PAUSE; usermod -p x $name; $PAUSE
  echo $name:$name-secret | chpasswd; $PAUSE
  usermod -aG sudo $name; $PAUSE; userdel $name; $PAUSE
done`;

/** Of each name: a cron file, a crontab, a unit, its drop-in, its link, a timer, a key, a job of at. The tools are Debian's. */
const THINGS = `
set -e
mkdir -p /etc/ssh-home/.ssh
for name in $NAMES; do
  sh -c "echo '* * * * * root true' > /etc/cron.d/$name"
  sed -i s/true/false/ /etc/cron.d/$name
  rm /etc/cron.d/$name
  echo "* * * * * true $name" | $CRONTAB -
  $CRONTAB -r
  sleep 0.3 # The next round puts back what is gone here, and what is back when it is looked at was never gone.
  sh -c "echo '[Service]' > /etc/systemd/system/$name.service"
  ln -s ../$name.service /etc/systemd/system/multi-user.target.wants/$name.service
  mkdir /etc/systemd/system/$name.service.d
  sh -c "echo > /etc/systemd/system/$name.service.d/x.conf"
  rm -r /etc/systemd/system/multi-user.target.wants/$name.service /etc/systemd/system/$name.service.d
  rm /etc/systemd/system/$name.service
  sh -c "echo '[Timer]' > /etc/systemd/system/$name.timer"
  sh -c "echo key >> /etc/ssh-home/.ssh/authorized_keys"
  echo "true $name" | $AT -q b now + 5 minutes 2> /dev/null
  $AT -r $($AT -l | cut -f 1)
done`;

/** What every round of {@link THINGS} must be told as. */
const THINGS_TOLD: readonly (readonly [event: string, changes: string])[] = [
  ['task.schedule.create', 'cron definition'],
  ['task.schedule.change', 'cron definition'],
  ['task.schedule.delete', 'cron definition'],
  // What crontab(1) renames into a directory that was not listed may have been there before.
  ['task.schedule.change', 'cron definition'],
  ['task.schedule.delete', 'cron definition'],
  ['service.create', 'definition'],
  ['service.change', 'enabled'],
  ['service.change', 'drop-in'],
  ['service.change', 'disabled,drop-in'],
  ['service.delete', 'definition'],
  ['task.schedule.create', 'systemd definition'],
  ['user.credential.change', ''],
  ['task.schedule.create', 'at definition,permissions'],
  ['task.schedule.delete', 'at definition'],
];

const random = (): string =>
  `h${Math.floor(Math.random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0')}`;
const distinct = (): string[] => [...new Set(Array.from({ length: ROUNDS }, random))];

/** A copy of the places that tools change, and a root for the agent's eyes in which they stand. */
function copyOfNode(): string {
  const root = mkdtempSync(join(tmpdir(), 'hushwatch-derive-'));
  execFileSync('cp', ['-a', '/etc', root]);
  for (const path of [
    'var/spool/cron/crontabs',
    'var/spool/cron/atjobs',
    'etc/systemd/system/multi-user.target.wants',
    'etc/cron.d',
  ])
    mkdirSync(join(root, path), { recursive: true });
  // As the packages leave them, when they are installed.
  const jobs = join(root, 'var/spool/cron/atjobs');
  writeFileSync(join(jobs, '.SEQ'), '0\n');
  execFileSync('chown', ['-R', 'daemon:daemon', jobs]);
  return root;
}

/** A command that waits until everything before it was understood; it asks by a file, which {@link Understood} takes away. */
const askFile = (root: string): string => join(root, 'understood?');
function untilUnderstood(root: string): string {
  const path = join(root, 'wait');
  writeFileSync(path, `: > '${askFile(root)}'; while [ -e '${askFile(root)}' ]; do sleep 0.02; done`);
  return `sh ${path}`;
}

/** In a mount namespace in which the copy stands where the node's files stand: the machine's own are never touched. */
async function inside(root: string, script: string, names: readonly string[], pause = 'true'): Promise<void> {
  const mounts = `mount --bind ${root}/etc /etc; mount --bind ${root}/var/spool /var/spool; mount -t tmpfs none /var/log; mount -t tmpfs none /var/mail`;
  const all = `set -e; ${mounts}; set +e\n${script}`;
  const environment = {
    ...{ PATH: '/usr/sbin:/usr/bin:/sbin:/bin', NAMES: names.join(' '), PAUSE: pause },
    CRONTAB: join(unpacked('cron'), 'usr/bin/crontab'),
    AT: join(unpacked('at'), 'usr/bin/at'),
  };
  const child = spawn('unshare', ['-m', '--propagation', 'private', 'sh', '-c', all], {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = await once(child, 'close');
  expect({ code, stderr }).toMatchObject({ code: 0 });
}

/** Sensor, enrichment, and what the agent finds out by itself. */
class Understood implements AsyncDisposable {
  readonly told: RawEvent[] = [];
  readonly #watched = new Watched([]);
  readonly #processes = new ProcessTable();
  readonly #enricher = new Enricher(this.#processes, new UserNames(), new SystemClock());
  readonly #deriver: Deriver;
  readonly #inspector = new Inspector(new Digester(() => false), () => this.lost++);
  readonly #over = new AbortController();
  readonly #asked: string;
  #done: Promise<unknown> = Promise.resolve();
  lost = 0;

  constructor(root: string) {
    this.#asked = askFile(root);
    this.#processes.scan();
    this.#deriver = new Deriver(nodeFiles(root), (pid) => this.#processes.peek(pid)?.args);
  }

  async ready(): Promise<this> {
    await this.#watched.ready();
    this.#done = Promise.all([this.#listen(), this.#ask()]);
    return this;
  }

  async #listen(): Promise<void> {
    for (let at = 0; !this.#over.signal.aborted; await sleep(20)) {
      let isAsked = false;
      for (; at < this.#watched.frames.length; at++) {
        const frame = this.#watched.frames[at];
        if (frame === undefined || frame.kind === 'hello' || frame.kind === 'counters' || frame.kind === 'process')
          continue;
        const event = this.#enricher.enrich(frame);
        this.#inspector.note(event);
        this.#deriver.note(event, Date.now());
        isAsked ||= event.attributes['file.path'] === this.#asked;
      }
      this.told.push(...this.#deriver.ready(Date.now()));
      if (isAsked) rmSync(this.#asked, { force: true });
    }
  }

  async #ask(): Promise<void> {
    for await (const events of this.#inspector.events(this.#over.signal)) this.told.push(...events);
  }

  /** What was told of these names, once it has become quiet. */
  async about(...names: readonly string[]): Promise<RawEvent[]> {
    for (let before = -1; before !== this.told.length;) {
      before = this.told.length;
      await sleep(3_000);
    }
    return this.told.filter(({ attributes }) => names.some((name) => JSON.stringify(attributes).includes(name)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#done;
    await this.#watched[Symbol.asyncDispose]();
  }
}

const programOf = ({ attributes }: RawEvent): string =>
  String(attributes['process.executable.path']).replace(/.*\//, '');
const said = (event: RawEvent, name: AttributeName): string => String(event.attributes[name] ?? '');

describe.skipIf(!isRoot)(`what the agent finds out by itself${WHY_SKIPPED}`, () => {
  const roots: string[] = [];
  const newRoot = (): string => {
    const root = copyOfNode();
    roots.push(root);
    return root;
  };
  let understood: Understood;
  let root = '';

  beforeAll(async () => {
    buildSensor();
    root = newRoot();
    understood = await new Understood(root).ready();
  });
  afterAll(async () => {
    await understood[Symbol.asyncDispose]();
    for (const path of roots) rmSync(path, { recursive: true });
  });

  test(`${ROUNDS} accounts, as the tools of the distribution make, change and remove them`, async () => {
    const names = distinct();
    const from = understood.told.length;
    await inside(root, ACCOUNTS, names, untilUnderstood(root));
    const told = await understood.about(...names);
    const lines = told.map((event) =>
      [
        said(event, 'user.name') ||
          `${said(event, 'user.group.name')} ${said(event, 'user.group.members.added') || said(event, 'user.group.members.removed')}`.trim(),
        event.name,
        said(event, 'user.changes'),
        programOf(event),
      ]
        .join(' ')
        .replace(/ {2,}/g, ' '),
    );
    const expected = names.flatMap((name) => [
      `${name} user.account.create useradd`,
      `${name} user.group.create useradd`,
      `${name} user.account.change shell usermod`,
      `${name} user.account.change password usermod`,
      `sudo ${name} user.group.change usermod`,
      `${name} user.account.delete userdel`,
      `sudo ${name} user.group.change userdel`,
      `${name} user.group.delete userdel`,
    ]);
    expect(lines.toSorted()).toEqual(expected.toSorted());
    // Its arguments name nobody, and /etc/shadow is not ours to read.
    const nameless = understood.told.slice(from).filter((event) => programOf(event) === 'chpasswd');
    expect(nameless.map((event) => `${event.name} ${said(event, 'user.name')}${said(event, 'user.changes')}`)).toEqual(
      names.map(() => 'user.account.change password'),
    );
  });

  test('in a hurry the files run ahead of the events: every process still tells what it did', async () => {
    const names = distinct();
    const from = understood.told.length;
    await inside(root, ACCOUNTS, names);
    await understood.about();
    const told = understood.told.slice(from).filter(({ name }) => name.startsWith('user.'));
    const actors = new Map<string, Set<string>>();
    for (const event of told) {
      const program = programOf(event);
      actors.set(program, (actors.get(program) ?? new Set()).add(said(event, 'process.entity.id')));
    }
    expect(Object.fromEntries([...actors].map(([program, those]) => [program, those.size]))).toEqual({
      useradd: names.length,
      usermod: 3 * names.length,
      chpasswd: names.length,
      userdel: names.length,
    });
    // Whatever they overtook, nobody is told to have done what another did.
    const doers: Readonly<Record<string, string>> = { create: 'useradd', delete: 'userdel' };
    for (const event of told.filter(({ name }) => name.startsWith('user.account.'))) {
      const doer = doers[event.name.slice('user.account.'.length)];
      if (doer !== undefined) expect(programOf(event), event.name).toBe(doer);
    }
  });

  test(`${ROUNDS} services, tasks and keys of every kind`, async () => {
    const names = distinct();
    const from = understood.told.length;
    await inside(root, THINGS, names);
    await understood.about();
    const ours = new RegExp(`${names.join('|')}|/var/spool/cron/|/etc/ssh-home/`);
    const told = understood.told
      .slice(from)
      .filter(({ name, attributes }) => /^(?:service|task|user)\./.test(name) && ours.test(JSON.stringify(attributes)));
    const counted = (list: readonly string[]): Record<string, number> =>
      list.reduce<Record<string, number>>((sum, one) => ({ ...sum, [one]: (sum[one] ?? 0) + 1 }), {});
    expect(
      counted(
        told.map((event) =>
          [event.name, said(event, 'task.scheduler'), said(event, 'task.changes') || said(event, 'service.changes')]
            .filter(Boolean)
            .join(' '),
        ),
      ),
    ).toEqual(
      counted(THINGS_TOLD.flatMap(([name, changes]) => names.map(() => [name, changes].filter(Boolean).join(' ')))),
    );
    for (const event of told) expect(event.attributes).toMatchObject({ 'file.path.verified': true });
    expect(readFileSync('/etc/passwd', 'utf8')).not.toContain(names[0]);
    expect(existsSync(`/etc/cron.d/${names[0]}`)).toBe(false);
  });

  test('the same in a container: these are not the files of the node', async () => {
    const names = distinct().slice(0, 3);
    const from = understood.told.length;
    await inside(newRoot(), ACCOUNTS, names);
    await inside(newRoot(), THINGS, names);
    await understood.about();
    expect(understood.told.slice(from).filter(({ name }) => name !== 'file.inspect')).toEqual([]);
  });

  test('written, then run: programs, scripts, what has no name', async () => {
    const directory = join(root, 'run');
    mkdirSync(directory);
    const program = join(directory, random());
    const script = join(directory, `${random()}.sh`);
    execFileSync('sh', ['-c', `cat /bin/true > ${program}; chmod +x ${program}; ${program}`]);
    execFileSync('sh', ['-c', `printf '#!/bin/sh\\ntrue\\n' > ${script}; chmod +x ${script}`]);
    execFileSync(script);
    execFileSync('sh', [script]);
    const gone = join(directory, random());
    cpSync('/bin/sleep', gone);
    execFileSync('sh', ['-c', `exec 3<${gone}; rm ${gone}; exec /proc/self/fd/3 0`]);
    await until(() => understood.told.filter(({ name }) => name === 'file.inspect').length >= 3, 20_000, 'three facts');
    const told = await understood.about(directory);
    const facts = told.filter(({ name }) => name === 'file.inspect').map(({ attributes }) => attributes);
    const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
    expect(facts).toMatchObject([
      {
        'file.path': program,
        'file.inspect.result': 'ok',
        'file.content.type': 'elf',
        'file.hash.sha256': sha256(program),
      },
      {
        'file.path': script,
        'file.inspect.result': 'ok',
        'file.content.type': 'script',
        'file.script.hash.sha256': sha256(script),
      },
      { 'file.inspect.result': 'unreadable' },
    ]);
    expect(understood.lost).toBe(0);
  });
});
