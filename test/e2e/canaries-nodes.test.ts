/**
 * Canaries under the rules for nodes of the Internet Computer, through real sensor, agent, shipper and collector of a guest
 * and of a host. What a guest's sandboxes do besides leaves by no line of its own.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { formatVerifierKey } from '#protocol/note.ts';
import { generateSealKey, sealKeys } from '../../redaction-rules/sealed-keys.ts';
import { releasedLines } from '../../redaction-rules/released-lines.ts';
import { fixedKey } from '../protocol/sample.ts';
import { KINDS } from '../redaction-rules/canaries.ts';
import { CanarySearch } from './canary.ts';
import { OneLine } from './one-line.ts';
import { plant, report, runDeeds, SEEN_BY, type Planted } from './plant.ts';
import { isRoot, until, WHY_SKIPPED } from './stack.ts';
import { buildSensor, SENSOR } from './watched.ts';

/** Every kind in some places; in all of them they are tried under the rules for any server. */
const EVERY = 12;
const SANDBOXES = 40;
const authority = fixedKey('authority', 41);

/** As on a guest, and as nobody: programs of the image at their place, which is made for them alone. */
const RUN_SANDBOXES = `set -e
mount -t tmpfs none /opt
mkdir -p /opt/ic/bin
cp /bin/true /opt/ic/bin/canister_sandbox
for i in $(seq ${SANDBOXES}); do setpriv --reuid=65534 --regid=65534 --clear-groups /opt/ic/bin/canister_sandbox rrkah-$i; done`;

async function withSealedRoots(line: OneLine): Promise<Readonly<Record<string, string>>> {
  const seal = await generateSealKey();
  const root = { lasting: Buffer.alloc(32, 5), hour: Math.floor(Date.now() / 3.6e6) - 200, chain: Buffer.alloc(32, 6) };
  const to = { node: 'this-machine', cohort: 'local', publicKey: seal.public };
  writeFileSync(line.at('agent/seal.key'), Buffer.from(seal.secret).toString('base64'), { mode: 0o600 });
  writeFileSync(line.at('agent/sealed'), await sealKeys(to, { cohort: root }, authority));
  return {
    authority: formatVerifierKey(authority.verifier),
    sealed_keys: line.at('agent/sealed'),
    seal_key: line.at('agent/seal.key'),
  };
}

/** The real sensor for that agent, as long as `during` takes; it ends before, so that all it saw has been told. */
async function withSensor(socket: string, during: () => Promise<void>): Promise<void> {
  const args = ['--socket', socket, '--rate', '10000000', '--burst', '10000000', '--ring-bytes', '67108864'];
  const sensor = spawn(SENSOR, args, { stdio: 'ignore' });
  const gone = new Promise((settle) => sensor.once('close', settle));
  try {
    await during();
  } finally {
    sensor.kill('SIGTERM');
    await gone;
  }
}

describe.skipIf(!isRoot)(`canaries on nodes${WHY_SKIPPED}`, () => {
  const planted = Object.entries(KINDS).map(([kind, make], i) => ({ kind, ...plant(kind, i, make, EVERY) }));
  const deeds = planted.flatMap((one) => one.deeds);
  const telling = Object.assign({}, ...planted.map((one) => one.telling)) as Planted['telling']; // oxlint-disable-line no-unsafe-type-assertion -- what was put in
  const counts = new Map<string, number>();
  for (const deed of deeds) counts.set(deed.do, (counts.get(deed.do) ?? 0) + 1);
  let work: string;

  beforeAll(buildSensor);
  beforeEach(() => {
    work = mkdtempSync(join(tmpdir(), 'hushwatch-canaries-'));
    copyFileSync('/bin/true', join(work, '.true'));
    chmodSync(work, 0o755);
  });
  afterEach(() => rmSync(work, { recursive: true, force: true }));

  /** Everything is done under these rules, told, and found nowhere; what was told. */
  async function tryUnder(
    line: OneLine,
    changes: Readonly<Record<string, unknown>>,
    more: () => Promise<void>,
  ): Promise<readonly string[]> {
    await line.withAgent({ batch_age_ms: 500, heartbeat_ms: 1_000, ...changes }, async () => {
      await withSensor(line.home.socket, async () => {
        await until(() => line.head().includes('"instance"'), 90_000, 'the sensor');
        const done = await runDeeds(work, deeds);
        expect(done).toEqual(Object.fromEntries([...counts].map(([what, n]) => [what, [n, 0]])));
        await more();
      });
    });
    await line.shipped();
    const lines = [...releasedLines(line.at('collector'))].map(({ line: text }) => text);
    const seen = Map.groupBy(lines, (text) => /^\{"event":"([^"]+)"/.exec(text)?.[1] ?? '');
    expect(seen.get('process.exec')?.length).toBeGreaterThanOrEqual(
      (counts.get('exec') ?? 0) + (counts.get('env') ?? 0),
    );
    for (const [event, what] of Object.entries(SEEN_BY))
      expect(seen.get(event)?.length ?? 0, event).toBeGreaterThanOrEqual(counts.get(what) ?? Infinity);
    expect(line.statement().get('lost')).toBe('-');

    await line.stop();
    const search = new CanarySearch(telling);
    search.lookInto(line.home.root);
    search.look('what was said', Buffer.from(line.said));
    console.info(report(`under ${line.statement().get('role') ?? ''}`, planted, search.found));
    expect(search.packed).toBeGreaterThan(3);
    expect(search.found).toEqual([]);
    return lines;
  }

  test('hostos: they are found nowhere', async () => {
    await using line = await OneLine.start(18_730, { rules: 'hostos', source: 'ebpf' });
    await tryUnder(line, {}, async () => {});
  });

  test('guestos: they are found nowhere; sandboxes are counted, and no line is about one', async () => {
    await using line = await OneLine.start(18_720, { rules: 'guestos', source: 'ebpf' });
    const lines = await tryUnder(line, await withSealedRoots(line), async () => {
      execFileSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', RUN_SANDBOXES]);
      await until(() => countedAs(line, 'process.exit') >= SANDBOXES, 60_000, 'the end of every sandbox');
    });
    expect([countedAs(line, 'process.exec'), countedAs(line, 'process.exit')]).toEqual([SANDBOXES, SANDBOXES]);
    const told = lines.filter((text) => text.includes('"process.executable.path":"/opt/ic'));
    // That a program was run which somebody had written just now: no image does that.
    expect(told.filter((text) => !text.startsWith('{"event":"file.inspect"'))).toEqual([]);
  });
});

/** What the agent has counted of an event and not told. */
function countedAs(line: OneLine, of: string): number {
  const [account = '{}'] = new RegExp(`\\{"sum":"sandboxes","of":"${of}"[^}]*\\}`).exec(line.head()) ?? [];
  const { count = 0 }: { readonly count?: number } = JSON.parse(account);
  return count;
}
