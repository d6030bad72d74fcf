/** The way to the collector: certificates that expire or are another's, a resolver that is gone, a collector that is away for long. */
import { createSocket, type Socket } from 'node:dgram';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { examine } from '../../../agent/doctor/checks.ts';
import { gather } from '../../../agent/doctor/facts.ts';
import { memory } from '../../bench/processes.ts';
import { counts, isRoot, until, WHY_SKIPPED } from '../stack.ts';
import { must, nothingLost, Site } from './site.ts';

const inMemory = (at: string): void => void must('mount', '-t', 'tmpfs', '-o', 'size=512m', 'hushwatch-faults', at);

let site: Site;
beforeAll(async () => {
  site = await Site.build(18_530, isRoot ? { agent: inMemory, collector: inMemory } : {}, { spool_bytes: 1 << 28 });
});
afterAll(async () => site?.[Symbol.asyncDispose]());

/** Nobody ended either. */
async function accounted(): Promise<void> {
  await nothingLost(site);
  expect(site.ends).toEqual([]);
}

/** What the doctor has to say of these topics, and what to do. */
async function doctor(...topics: readonly string[]): Promise<readonly string[]> {
  const config = site.at('agent.changed.yaml');
  const facts = await gather({ config, shipper: site.at('shipper.changed.yaml'), sensor: '/nonexistent' });
  const findings = examine(facts).filter(({ topic, state }) => topics.includes(topic) && state !== 'ok');
  return findings.map(({ says, hint }) => `${says}; ${hint}`);
}

/** A certificate for a key, new or the one that is there, valid between two days. */
function certify(directory: string, name: string, from: string, to: string, isNewKey: boolean): void {
  const at = (file: string): string => join(directory, file);
  if (isNewKey) writeFileSync(at('tls.key'), must('openssl', 'genpkey', '-algorithm', 'ed25519'), { mode: 0o600 });
  must('openssl', 'req', '-new', '-key', at('tls.key'), '-subj', `/CN=${name}`, '-out', at('tls.csr'));
  const authority = [
    ...['[ca]', 'default_ca=x', '[x]', 'policy=p', 'default_md=default', 'unique_subject=no'],
    ...[`database=${at('database')}`, `serial=${at('serial')}`, `new_certs_dir=${directory}`],
    ...['[p]', 'commonName=supplied', ''],
  ];
  writeFileSync(at('ca.conf'), authority.join('\n'));
  writeFileSync(at('database'), '');
  writeFileSync(at('serial'), `${String(Date.now()).slice(-8)}\n`);
  const files = ['-config', at('ca.conf'), '-keyfile', at('tls.key'), '-in', at('tls.csr'), '-out', at('tls.crt')];
  must('openssl', 'ca', '-batch', '-selfsign', '-notext', ...files, '-startdate', from, '-enddate', to);
}

async function restartBoth(): Promise<void> {
  await site.restart('collector');
  await site.restart('shipper');
}

describe('certificates', () => {
  const kept: Record<string, string> = {};
  beforeAll(() => {
    for (const side of ['collector', 'shipper'])
      for (const file of ['tls.key', 'tls.crt']) {
        kept[`${side}/${file}`] = site.at(side, `${file}.kept`);
        copyFileSync(site.at(side, file), site.at(side, `${file}.kept`));
      }
  });
  const putBack = (): void => {
    for (const [file, copy] of Object.entries(kept)) copyFileSync(copy, site.at(file));
  };

  test('expired at both ends, in the name of somebody else, renewed for the same key: only keys count, and the doctor warns', async () => {
    await accounted();
    for (const side of ['collector', 'shipper'])
      certify(site.at(side), 'somebody.example.net', '20200101000000Z', '20200201000000Z', false);
    await restartBoth();
    await accounted();
    expect(await doctor('certificate', 'collector')).toEqual([
      expect.stringMatching(/tls\.crt: expired; the key counts/),
    ]);
    putBack();
  });

  test('another key of the collector: nothing is sent to it, it is said, and the right one gets everything', async () => {
    certify(site.at('collector'), 'hushwatch-collector', '20200101000000Z', '20990101000000Z', true);
    await restartBoth();
    site.produce(100);
    await until(() => /not the pinned one.*enroll again/.test(site.said('shipper')), 30_000, 'words');
    expect((await doctor('collector'))[0]).toMatch(/not the pinned one; .*enroll again/);
    await until(() => site.waiting > 0, 30_000, 'a batch that waits');
    putBack();
    await site.restart('collector');
    await accounted();
  });

  test('another key of the node: the collector wants nothing of it, it is said', async () => {
    certify(site.at('shipper'), 'this-machine', '20200101000000Z', '20990101000000Z', true);
    await site.restart('shipper');
    site.produce(100);
    await until(() => /response: 403.*hushwatch collector admit/.test(site.said('shipper')), 30_000, 'words');
    putBack();
    await site.restart('shipper');
    await accounted();
  });
});

/** Answers every question for an address of IPv4 with 127.0.0.1. */
async function resolver(address: string): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => {
    const end = question.indexOf(0, 12) + 5;
    const isV4 = question.readUInt16BE(end - 4) === 1;
    const head = Buffer.from(question.subarray(0, end));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(isV4 ? 1 : 0, 6);
    head.fill(0, 8, 12);
    const answer = Buffer.from('c00c00010001000000010004' + '7f000001', 'hex');
    socket.send(isV4 ? Buffer.concat([head, answer]) : head, from.port, from.address);
  });
  await new Promise<void>((settle) => socket.bind(53, address, settle));
  return socket;
}

describe.skipIf(!isRoot)(`names${WHY_SKIPPED}`, () => {
  test('a resolver that is gone, then silent, then back', async () => {
    const address = '127.0.83.53';
    const file = site.at('resolv.conf');
    writeFileSync(file, `nameserver ${address}\noptions timeout:1 attempts:1\n`);
    const namespace = `mount --bind ${file} /etc/resolv.conf && exec "$@"`;
    const prefix = ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', namespace, 'sh'];
    const collector = `wss://collector.hushwatch.example:${18_531}/v1/ship`;
    await site.restart('shipper', { prefix, config: { collector } });
    site.produce(100);
    await until(() => /EAI_AGAIN.*resolv\.conf/.test(site.said('shipper')), 30_000, 'words');
    await until(() => site.waiting > 0, 30_000, 'a batch that waits');
    const silent = createSocket('udp4');
    await new Promise<void>((settle) => silent.bind(53, address, settle));
    const words = site.said('shipper').length;
    await until(() => site.said('shipper').slice(words).includes('EAI_AGAIN'), 60_000, 'words about silence');
    silent.close();
    const speaking = await resolver(address);
    await accounted();
    speaking.close();
    // Who is connected needs no name.
    await accounted();
    await site.restart('shipper');
  });
});

describe('a collector that is away', () => {
  /**
   * An hour of a busy node is 14,400 batches, one each 250 ms. The agent's own line makes so many as fast as it can, on a disk in
   * memory: the spool is the same. What is compressed is the waiting, of which the shipper's first pauses are seen.
   */
  const BATCHES = process.env['HUSHWATCH_FAULTS'] === 'long' ? 14_400 : 10_000;

  test(`for an hour: ${BATCHES} batches wait, and go in order, over one connection`, async () => {
    await site.stop('collector');
    const goneAt = performance.now();
    const words = site.said('shipper').length;
    await site.fillSpool(BATCHES);
    expect(site.waiting).toBeGreaterThan(BATCHES - 10);
    const startedAt = performance.now();
    site.start('agent');
    const last = site.produced;
    site.produce(1);
    await until(() => site.seen > last, 60_000, 'the agent to begin');
    const beganMs = performance.now() - startedAt;
    // Few attempts, further and further apart: the ninth after 25 s at the earliest, then one in 15.
    const said = site.said('shipper').slice(words);
    expect(said).toMatch(/ECONNREFUSED.*is the collector running/);
    const goneS = (performance.now() - goneAt) / 1_000;
    expect(said.match(/cannot connect/g)?.length).toBeLessThanOrEqual(9 + goneS / 15);
    const connections = site.said('shipper').match(/"connected"/g)?.length ?? 0;
    const drainedFrom = performance.now();
    site.start('collector');
    let most = { agent: 0, shipper: 0 };
    const measuring = setInterval(() => {
      const [agent, shipper] = (['agent', 'shipper'] as const).map((part) => memory(site.pid(part) ?? 0).rss);
      most = { agent: Math.max(most.agent, agent ?? 0), shipper: Math.max(most.shipper, shipper ?? 0) };
    }, 500);
    await site.settled(240_000);
    clearInterval(measuring);
    const drainedMs = performance.now() - drainedFrom;
    expect((site.said('shipper').match(/"connected"/g)?.length ?? 0) - connections).toBe(1);
    await site.stop('agent');
    await until(() => site.waiting === 0, 60_000, 'the last receipt');
    // In order and whole: the archive's own judge counts what is in it.
    const released = [...counts(site.statement().get('released')).values()].reduce((sum, n) => sum + n, 0);
    expect(site.seen).toBe(site.produced);
    expect(site.statement().get('lost')).toBe('-');
    const { status, stdout } = site.verify();
    expect(status).toBe(0);
    expect(stdout).toMatch(/batches 1 to (\d+) \(\1\)/);
    expect(stdout).toContain(`, ${released} events, 0 lost`);
    process.stdout.write(
      `${BATCHES} batches: the agent began in ${(beganMs / 1_000).toFixed(1)} s, all had receipts after ${(drainedMs / 1_000).toFixed(1)} s; at most ${most.agent} MB agent, ${most.shipper} MB shipper\n`,
    );
    expect(most.agent).toBeLessThan(300);
    expect(most.shipper).toBeLessThan(200);
  });
});
