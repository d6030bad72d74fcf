/** A log and its witnesses over HTTP: cosigned as it grows, refused when it is forked, and what verify makes of both. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CosigningKey } from '#protocol/cosignature.ts';
import { verifyReceipt } from '#protocol/receipt.ts';
import { verifyArchive, type ArchiveReport } from '#protocol/verify.ts';
import { Rounds } from '../../collector/cosigning.ts';
import type { Alert } from '../../collector/detectors/detector.ts';
import { TransparencyLog } from '../../collector/log.ts';
import { startWitness, type WitnessServer } from '../../collector/witness/server.ts';
import { Witness } from '../../collector/witness/witness.ts';
import { fixedCosigner, logKey, FIRST, following, signedStatement, nodeKey } from '../protocol/sample.ts';

const logger = pino({ level: 'silent' });
const KEYS = [fixedCosigner('w1', 11), fixedCosigner('w2', 12), fixedCosigner('w3', 13)];
const never = new AbortController().signal;

let home: string;
let servers: (WitnessServer & { witness: Witness })[];
let alerts: Alert[];
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-cosigning-'));
  alerts = [];
  servers = await Promise.all(KEYS.map(start));
});
afterEach(async () => {
  for (const server of servers) await stop(server);
  rmSync(home, { recursive: true });
});

async function start(key: CosigningKey): Promise<WitnessServer & { witness: Witness }> {
  const witness = await Witness.open({ home: join(home, key.verifier.name), key, logs: [logKey.verifier] });
  const server = await startWitness(witness, { host: '127.0.0.1', port: 0 }, logger);
  return { ...server, witness };
}
async function stop(server: WitnessServer & { witness: Witness }): Promise<void> {
  await server[Symbol.asyncDispose]();
  server.witness[Symbol.dispose]();
}

const roundsOf = (log: TransparencyLog): Rounds =>
  new Rounds({
    log,
    logKey: logKey.verifier,
    witnesses: KEYS.map((key, i) => ({ key: key.verifier, url: `http://127.0.0.1:${servers[i]?.port}` })),
    logger,
    alarm: (alert) => alerts.push(alert),
  });
const openLog = (name = 'log'): Promise<TransparencyLog> => TransparencyLog.open(join(home, name, 'log'), logKey);

let last = FIRST;
/** The next statements of a node; what is in them is of no interest here. */
async function grow(log: TransparencyLog, by: number): Promise<void> {
  const appended: Promise<number>[] = [];
  for (let i = 0; i < by; i++) {
    last = log.size === 0 && i === 0 ? FIRST : following(last);
    appended.push(log.append(signedStatement(last, nodeKey)));
  }
  await Promise.all(appended);
}

function verified(quorum: number, name = 'log'): Promise<ArchiveReport> {
  const readFile = (path: string): Promise<Uint8Array | undefined> => {
    const file = join(home, name, path);
    return Promise.resolve(existsSync(file) ? readFileSync(file) : undefined);
  };
  const witnesses = KEYS.map(({ verifier }) => verifier);
  const nodes = [{ name: 'node-1', key: nodeKey.verifier }];
  const bodiesSince = Number.MAX_SAFE_INTEGER;
  return verifyArchive({ reader: { readFile }, logKey: logKey.verifier, nodes, witnesses, quorum, bodiesSince });
}

test('all witnesses cosign what grows, and receipts are made from it', async () => {
  await using log = await openLog();
  const rounds = roundsOf(log);
  expect(await rounds.ask(never)).toBe(true);
  for (const by of [1, 2, 300]) {
    await grow(log, by);
    expect(await rounds.ask(never)).toBe(true);
  }
  const report = await verified(3);
  expect(report.problems).toEqual([]);
  expect(report.witnessed).toMatchObject({ size: 303, by: [{ name: 'w1' }, { name: 'w2' }, { name: 'w3' }] });
  await grow(log, 1);
  const [{ entry } = { entry: Buffer.of() }] = await Array.fromAsync(log.entries(302));
  const claim = { noteBytes: entry, logKey: logKey.verifier, witnesses: KEYS.map(({ verifier }) => verifier) };
  expect(verifyReceipt({ ...claim, receipt: Buffer.from(await log.receipt(302)) })?.checkpoint.size).toBe(303);
  // The newest is not cosigned yet: nobody waits for a witness.
  expect(verifyReceipt({ ...claim, receipt: Buffer.from(await log.receipt(303)) })).toBeUndefined();
  expect((await verified(3)).witnessed?.size).toBe(303);
});

test('a witness that is away is missed, and what the others say is kept', async () => {
  await using log = await openLog();
  const rounds = roundsOf(log);
  await grow(log, 2);
  const away = servers.pop();
  if (away !== undefined) await stop(away);
  expect(await rounds.ask(never)).toBe(false);
  expect((await verified(2)).witnessed?.by.map(({ name }) => name)).toEqual(['w1', 'w2']);
  expect((await verified(3)).problems.map(({ code }) => code)).toEqual(['unwitnessed']);
  expect(alerts).toEqual([]);
});

test('a collector that starts again goes on with its witnesses, and knows what they signed', async () => {
  {
    await using log = await openLog();
    await grow(log, 3);
    await roundsOf(log).ask(never);
  }
  await using log = await openLog();
  const receipt = { receipt: Buffer.from(await log.receipt(1)), noteBytes: signedStatement(following(FIRST), nodeKey) };
  expect(
    verifyReceipt({ ...receipt, logKey: logKey.verifier, witnesses: KEYS.map(({ verifier }) => verifier) }),
  ).toBeDefined();
  await grow(log, 2);
  expect(await roundsOf(log).ask(never)).toBe(true);
  expect((await verified(3)).witnessed?.size).toBe(5);
});

test('a forked log gets no cosignature; the collector alarms, and verify tells', async () => {
  {
    await using log = await openLog();
    await grow(log, 3);
  }
  cpSync(join(home, 'log'), join(home, 'fork'), { recursive: true });
  await using log = await openLog();
  await grow(log, 2);
  expect(await roundsOf(log).ask(never)).toBe(true);

  // The same key signs another continuation of the copy.
  await using fork = await openLog('fork');
  last = following(following(FIRST));
  await grow(fork, 1);
  last = following(last, { boot: '5f0c8d1e-0d0a-4c57-9f5b-2f6f0c0f3a99' });
  await fork.append(signedStatement(last, nodeKey));
  await grow(fork, 4);
  expect(await roundsOf(fork).ask(never)).toBe(false);
  expect(existsSync(join(home, 'fork/log/cosigned'))).toBe(false);
  expect((await verified(1, 'fork')).problems.map(({ code }) => code)).toContain('unwitnessed');
  expect(alerts.map(({ rule, severity }) => [rule, severity])).toContainEqual(['contradiction', 'critical']);

  // It shows what the witnesses signed of the other one.
  cpSync(join(home, 'log/log/cosigned'), join(home, 'fork/log/cosigned'));
  expect((await verified(3, 'fork')).problems.map(({ code }) => code)).toContain('rewritten');
  expect((await verified(3)).problems).toEqual([]);
});

test('a log restored from an older copy is told, though it is no fork yet', async () => {
  {
    await using log = await openLog();
    await grow(log, 2);
  }
  cpSync(join(home, 'log'), join(home, 'old'), { recursive: true });
  await using log = await openLog();
  await grow(log, 2);
  await roundsOf(log).ask(never);
  await using old = await openLog('old');
  expect(await roundsOf(old).ask(never)).toBe(false);
  expect(alerts[0]?.reason).toMatch(/does not cosign the log of 2 entries \(409: 4\)/);
});
