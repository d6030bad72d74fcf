/** The line, end to end, with the real sensor: an intrusion alerts, canaries stay at home, the ledger adds up under a flood, evidence verifies. */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVENTS, isEventName } from '#protocol/vocabulary.ts';
import { CanarySearch } from './canary.ts';
import { CHECKOUT, counts, Stack, unaccounted, WHY_SKIPPED, isRoot, until, type AlertLine } from './stack.ts';

const canary = (name: string): string => `${name}q${randomBytes(9).toString('hex')}`;

test('the canary search finds what is planted', () => {
  const secret = canary('planted');
  const plants: readonly (readonly [string, Buffer])[] = [
    ['plain', Buffer.from(`a ${secret} b`)],
    ['base64', Buffer.from(Buffer.from(`xx${secret}yy`).toString('base64'))],
    ['base64 at another offset', Buffer.from(Buffer.from(`x${secret}yy`).toString('base64'))],
    ['hex', Buffer.from(Buffer.from(secret).toString('hex'))],
    ['zstd', Buffer.concat([Buffer.from('head'), zstdCompressSync(Buffer.from(`a ${secret}`))])],
    ['gzip', Buffer.concat([Buffer.from('head'), gzipSync(Buffer.from(`a ${secret}`))])],
  ];
  for (const [name, bytes] of plants) {
    const search = new CanarySearch({ secret });
    search.look(name, bytes);
    expect(search.found, name).not.toEqual([]);
  }
  const search = new CanarySearch({ secret });
  search.look('nothing', Buffer.from('nothing to see here'));
  expect(search.found).toEqual([]);
});

const listening = async (server: Server | ReturnType<typeof createServer>): Promise<number> => {
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  // oxlint-disable-next-line no-unsafe-type-assertion -- a TCP server has an AddressInfo
  return (server.address() as AddressInfo).port;
};

describe.skipIf(!isRoot)(`an intrusion${WHY_SKIPPED}`, () => {
  const secrets = {
    CANARY_ARG: canary('arg'),
    CANARY_ENV: canary('env'),
    CANARY_FILE: canary('file'),
    CANARY_HOST: canary('host'),
    CANARY_USER: `u${randomBytes(8).toString('hex')}`,
  };
  const work = mkdtempSync(join(tmpdir(), 'hushwatch-intrusion-'));
  const web = createServer((_, response) => response.end('#!/bin/sh\nexit 0\n'));
  const sink = createTcpServer((socket) => socket.on('error', () => {}).resume());
  let stack: Stack;
  let alerts: AlertLine[] = [];
  let ran: { status: number | null; stderr: string };
  const pages: Buffer[] = [];

  beforeAll(async () => {
    chmodSync(work, 0o777);
    copyFileSync(join(CHECKOUT, 'test/e2e/intrusion.sh'), join(work, 'intrusion.sh'));
    spawnSync('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', secrets.CANARY_USER]);
    stack = await new Stack(18_450).start();
    const child = spawn(
      'unshare',
      [
        '--mount',
        '--uts',
        'sh',
        join(work, 'intrusion.sh'),
        work,
        String(await listening(web)),
        String(await listening(sink)),
      ],
      { env: { ...process.env, ...secrets }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    ran = { status: await new Promise((settle) => child.once('close', settle)), stderr };
    await stack.settled();
    alerts = stack.alerts();
    const base = `http://127.0.0.1:${stack.port}`;
    const token = /token=(\S+)/.exec(stack.output)?.[1] ?? '';
    const login = await fetch(`${base}/?token=${token}`, { redirect: 'manual' });
    const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
    for (const path of [
      '/',
      '/nodes',
      '/left',
      '/events',
      '/api/v1/alerts',
      '/api/v1/nodes',
      '/api/v1/events',
      '/metrics',
    ]) {
      const response = await fetch(base + path, { headers: { cookie } });
      pages.push(Buffer.from(await response.arrayBuffer()));
    }
  });

  afterAll(async () => {
    web.close();
    sink.close();
    spawnSync('userdel', [secrets.CANARY_USER]);
    await stack[Symbol.asyncDispose]();
    rmSync(work, { recursive: true, force: true });
  });

  test('the script itself ran to its end', () => {
    expect(ran).toMatchObject({ status: 0 });
  });

  const EXPECTED: readonly (readonly [string, RegExp])[] = [
    ['run from a temporary directory', /tempor|\/tmp|world-writable/i],
    ['an ssh key was added', /ssh|authorized_keys/i],
    ['cron persistence', /cron/i],
    ['a setuid copy', /setuid/i],
    ['a shell connected out', /shell|reverse|interpreter/i],
    ['a program run from memory', /memory|memfd/i],
    ['traces deleted', /history|log/i],
  ];
  for (const [what, words] of EXPECTED) {
    test(`alert: ${what}`, () => {
      expect(
        alerts
          .filter((alert) => words.test(alert.title) && alert.severity !== 'informational')
          .map((alert) => alert.reason),
      ).not.toEqual([]);
    });
  }

  test('every alert says why in one sentence', () => {
    for (const alert of alerts) expect(alert.reason).toMatch(/^[A-Z].{20,}\.$/);
  });

  test('released events tell the story without the secrets', () => {
    const names = new Set(stack.events().map((row) => row['event']));
    for (const name of [
      'process.exec',
      'process.exit',
      'file.open',
      'file.mode.change',
      'file.delete',
      'file.memory.create',
      'network.connect',
    ]) {
      expect(names).toContain(name);
    }
  });

  test('canaries are nowhere: spool, evidence, tables, logs, state, pages', () => {
    const search = new CanarySearch(secrets);
    search.lookInto(stack.home);
    for (const [i, page] of pages.entries()) search.look(`page ${i}`, page);
    search.look('output of start', Buffer.from(stack.output));
    expect(pages[0]?.toString()).toContain('<html');
    expect(search.bytes).toBeGreaterThan(100_000);
    expect(search.packed).toBeGreaterThan(0);
    expect(search.found).toEqual([]);
  });

  test('the evidence verifies offline, from public keys alone', () => {
    expect(stack.verify()).toMatchObject({ status: 0 });
  });

  test('a signal opens no debugger onto what is in memory', () => {
    const pids = stack.pids();
    for (const part of ['agent', 'shipper', 'collector']) {
      const caught = /^SigCgt:\t([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pids[part]}/status`, 'utf8'))?.[1] ?? '';
      expect((BigInt(`0x${caught}`) >> BigInt(constants.signals.SIGUSR1 - 1)) & 1n, part).toBe(0n);
    }
  });

  test('the chain goes on after a stop and a start', async () => {
    const before = Number(stack.statement().get('sequence'));
    await stack.stop();
    expect(stack.output).toContain('stopped');
    await stack.start();
    await stack.settled();
    expect(Number(stack.statement().get('sequence'))).toBeGreaterThan(before);
    expect(stack.verify()).toMatchObject({ status: 0 });
  });
});

describe.skipIf(!isRoot)(`a flood that overruns the ring${WHY_SKIPPED}`, () => {
  test('conservation adds up to the event, for every class', async () => {
    await using stack = new Stack(18_460, {
      HUSHWATCH_SENSOR_ARGS: '--ring-bytes 65536 --rate 10000000 --burst 10000000 --merge-ms 0',
    });
    await stack.start();
    const directory = mkdtempSync(join(tmpdir(), 'hushwatch-flood-'));
    const program = join(directory, 'load');
    expect(
      spawnSync('cc', ['-O2', '-static', '-pthread', '-o', program, join(CHECKOUT, 'test/bench/load.c')]).status,
    ).toBe(0);
    expect(spawnSync(program, ['burst', '300000', directory, '1000']).status).toBe(0);
    await until(
      () => (counts(stack.statement().get('seen')).get('file') ?? 0) >= 300_000,
      30_000,
      'the flood in the ledger',
    );
    await stack.settled();
    rmSync(directory, { recursive: true });

    await stack.stop();
    const statement = stack.statement();
    const lost = counts(statement.get('lost'));
    expect(lost.get('ring.file') ?? 0).toBeGreaterThan(0);
    expect(unaccounted(statement)).toEqual([]);
    const files = Object.keys(EVENTS).filter((name) => isEventName(name) && EVENTS[name].class === 'file');
    const kept = stack.events(`event IN (${files.map((name) => `'${name}'`).join(', ')})`).length;
    expect(kept).toBe(counts(statement.get('released')).get('file'));
    expect(stack.verify()).toMatchObject({ status: 0 });
  });
});
