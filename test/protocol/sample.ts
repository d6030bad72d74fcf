/** Keys and statements with which the tests of the protocol (and the frozen vectors) are made. */
import { createPrivateKey } from 'node:crypto';
import { encodeBatch, packBody } from '#protocol/batch.ts';
import { COSIGNATURE, NOTE_SIGNATURE, signingKey, signNote, type PrivateKey, type SigningKey } from '#protocol/note.ts';
import type { Restart } from '#protocol/restart.ts';
import { formatStatement, NO_PREVIOUS, statementDigest, type Statement } from '#protocol/statement.ts';

const pkcs8 = (fill: number): ReturnType<typeof createPrivateKey> =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, fill)]),
    format: 'der',
    type: 'pkcs8',
  });

/** A key that is the same on every run. */
export const fixedKey = (name: string, fill: number): SigningKey => signingKey(name, NOTE_SIGNATURE, pkcs8(fill));
export const fixedCosigner = (name: string, fill: number): PrivateKey<typeof COSIGNATURE> =>
  signingKey(name, COSIGNATURE, pkcs8(fill));

export const nodeKey = fixedKey('node-1', 1);
export const logKey = fixedKey('localhost/hushwatch', 2);
export const witnessKey = fixedCosigner('witness.example/w1', 3);

export const LINES = [
  '{"event":"process.exec","time":1790000000000000,"process.executable.path":"/usr/bin/curl"}',
  '{"event":"file.open","time":1790000001000000,"file.path":"/tmp/x","file.open.access":"write"}',
];

const digest = (digit: string): string => digit.repeat(64);

export const FIRST: Statement = {
  node: 'node-1',
  boot: '5f0c8d1e-0d0a-4c57-9f5b-2f6f0c0f3a11',
  sequence: 1,
  previous: NO_PREVIOUS,
  role: 'generic',
  cohort: 'lab',
  ruleset: digest('a'),
  rulepack: digest('b'),
  vocabulary: digest('c'),
  agent: { version: '0.1.0', build: digest('d') },
  sources: ['ebpf', 'host'],
  time: { first: 1790000000000000, last: 1790000001000000 },
  events: { file: 1, process: 1 },
  seen: { file: 9, process: 4 },
  released: { file: 1, process: 1 },
  merged: { file: 2 },
  sampled: { process: 1 },
  withheld: { file: 1 },
  lost: { ring: { file: 3, process: 1 }, spool: { process: 1 }, oversize: { file: 2 } },
  body: packBody(LINES).body,
};

/** As agents write it now: with the epochs of its pseudonyms, days here. 1,790,000,000 s are in day 20,717. */
export const NAMED: Statement = {
  ...FIRST,
  epochs: { hours: 24, first: 20_717, last: 20_717, scopes: ['node', 'cohort'] },
};

/** After {@link FIRST}, which is the first entry of the log. */
export const RESTART: Restart = {
  node: 'node-1',
  boot: '5f0c8d1e-0d0a-4c57-9f5b-2f6f0c0f3a12',
  sequence: 2,
  previous: statementDigest(FIRST),
  index: 0,
  role: 'generic',
  cohort: 'lab',
  agent: FIRST.agent,
  reason: 'state-lost',
  time: 1790000002000000,
};

/** The statement after `previous`, with the same events again and nothing lost or withheld. */
export function following(previous: Statement, changes: Partial<Statement> = {}): Statement {
  const grown = (counts: Statement['seen']): Statement['seen'] => ({
    ...counts,
    file: (counts.file ?? 0) + 1,
    process: (counts.process ?? 0) + 1,
  });
  return {
    ...previous,
    sequence: previous.sequence + 1,
    previous: statementDigest(previous),
    seen: grown(previous.seen),
    released: grown(previous.released),
    ...changes,
  };
}

export const signedStatement = (statement: Statement, key: SigningKey = nodeKey): Uint8Array =>
  signNote(formatStatement(statement), key);

export const goldenBatch = (): Uint8Array => encodeBatch({ note: signedStatement(FIRST), body: packBody(LINES).bytes });
