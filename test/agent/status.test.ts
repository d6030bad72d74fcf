/** What `hushwatch status` makes of a node, state by state, and what monitoring is told. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { formatVerifierKey } from '#protocol/note.ts';
import { NO_RULES } from '#protocol/statement.ts';
import { judge, nodeStatus, rowsOf, type NodeStatus } from '../../agent/status.ts';
import { screen } from '../../service/verdict.ts';
import { logKey } from '../protocol/sample.ts';

const WELL: NodeStatus = {
  file: '/etc/hushwatch/agent.yaml',
  problem: undefined,
  configurations: { agent: undefined, shipper: undefined },
  node: 'node-1',
  role: 'generic',
  started: true,
  statement: {
    sequence: 7,
    ruleset: 'a'.repeat(64),
    seen: { process: 1200, file: 34 },
    released: { process: 1200 },
    sampled: {},
    withheld: {},
  },
  signedS: 3,
  lateAfterS: 30,
  lost: 0,
  spool: {
    path: '/var/lib/hushwatch/spool',
    writable: true,
    readOnly: false,
    damaged: 0,
    freeBytes: 2 ** 33,
    limitBytes: 2 ** 28,
    waiting: 0,
    oldestWaitingS: undefined,
    lastReceiptS: 3,
  },
};

test.each<readonly [string, Partial<NodeStatus>, string, RegExp]>([
  ['all is well', {}, 'well', /events are seen/],
  ['stopped', { started: false }, 'act', /not running/],
  ['hanging', { signedS: 31 }, 'act', /nothing was signed for 31 s/],
  ['just late enough', { signedS: 30 }, 'well', /events are seen/],
  ['at the very beginning', { statement: undefined, signedS: undefined }, 'look', /nothing was signed yet/],
  ['without rules', { statement: { ...WELL.statement!, ruleset: NO_RULES } }, 'act', /everything is withheld/],
  [
    'the collector away for minutes',
    { spool: { ...WELL.spool, waiting: 9, oldestWaitingS: 130 } },
    'look',
    /9 batches wait/,
  ],
  [
    'the collector away for hours',
    { spool: { ...WELL.spool, waiting: 9, oldestWaitingS: 3601 } },
    'act',
    /oldest for 3601 s/,
  ],
  [
    'a collector that is older than the node',
    { spool: { ...WELL.spool, waiting: 3, refusal: { sequence: 7, code: 'unknown-version', message: 'batch 7' } } },
    'act',
    /batch 7 \(unknown-version\): upgrade the collector; the batches wait here/,
  ],
  ['a disk that is read-only', { spool: { ...WELL.spool, readOnly: true } }, 'act', /dmesg, then remount/],
  ['damaged batches', { spool: { ...WELL.spool, damaged: 2 } }, 'look', /remove .*\*\.damaged/],
  ['a disk that fills up', { spool: { ...WELL.spool, freeBytes: 2 ** 20 } }, 'look', /less room/],
])('%s', (_, difference, state, because) => {
  const status = { ...WELL, ...difference };
  const [worst] = judge(status);
  expect(worst?.state).toBe(state);
  expect(worst?.because).toMatch(because);
  expect(screen(rowsOf(status), judge(status))).toContain(worst?.because);
});

const REPORT = { file: '/etc/hushwatch/agent.yaml', since: Date.now(), reloads: 1, refused: 2, waiting: [] };

test.each<readonly [string, NodeStatus['configurations'], RegExp]>([
  [
    'a configuration that was refused',
    { agent: { ...REPORT, problem: '/etc/hushwatch/agent.yaml:3:1 nod: no such key\nmore' }, shipper: undefined },
    /^agent: a new configuration was refused \(2 so far\).*:3:1 nod: no such key: mend it, then systemctl reload hushwatch-agent$/,
  ],
  [
    'keys that wait',
    { agent: undefined, shipper: { ...REPORT, waiting: ['log_key'] } },
    /^shipper: log_key in \/etc\/hushwatch\/shipper\.yaml take effect at the next start: systemctl restart hushwatch-shipper$/,
  ],
])('%s', (_, configurations, because) => {
  expect(judge({ ...WELL, configurations })).toEqual([{ state: 'look', because: expect.stringMatching(because) }]);
});

test('a file that has become wrong says how what began with it fares, and that', () => {
  const [look, ...more] = judge({ ...WELL, problem: '/etc/hushwatch/agent.yaml:3:1 nod: no such key\nmore' });
  expect(look).toEqual({ state: 'look', because: expect.stringMatching(/:3:1 nod: no such key: what runs goes on/) });
  expect(more).toEqual([]);
});

test('what to do is what whoever runs it can do', () => {
  const [stopped] = judge({ ...WELL, started: false });
  expect(stopped?.because).toBe('the agent is not running: systemctl start hushwatch.target');
  const [hanging] = judge({ ...WELL, file: '/home/alex/.hushwatch/agent/agent.yaml', signedS: 100 });
  expect(hanging?.because).toMatch(/: see \/home\/alex\/\.hushwatch\/log\/agent\.log$/);
});

test('the worst comes first', () => {
  const states = judge({ ...WELL, started: false, spool: { ...WELL.spool, freeBytes: 0 } }).map(({ state }) => state);
  expect(states).toEqual(['act', 'look']);
});

const home = mkdtempSync(join(tmpdir(), 'hushwatch-status-'));
afterAll(() => rmSync(home, { recursive: true }));

test('a node that never began is told from one that cannot be told', () => {
  const asked = (): number => nodeStatus(join(home, 'agent.yaml'), false);
  expect(asked).toThrow('no such file');
  mkdirSync(join(home, 'spool'));
  const key = formatVerifierKey(logKey.verifier);
  writeFileSync(
    join(home, 'agent.yaml'),
    `node: node-1\nlog_key: ${key}\nruleset: r.yaml\nrule_pack: rules\nspool: spool\nreceipts: receipts\n`,
  );
  expect(asked()).toBe(2);
  writeFileSync(join(home, 'spool/running'), '');
  expect(asked()).toBe(1);
  writeFileSync(join(home, 'spool/0000000000000001.batch'), '');
  utimesSync(join(home, 'spool/0000000000000001.batch'), 1, 1);
  expect(asked()).toBe(2);
});
