/** Statements: one spelling, sums that add up, chains that hold. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  checkConservation,
  checkSuccession,
  epochAt,
  formatStatement,
  NO_PREVIOUS,
  parseStatement,
  PLACES,
  PSEUDONYM_SCOPES,
  statementDigest,
  type Epochs,
  type Statement,
} from '#protocol/statement.ts';
import { CLASSES } from '#protocol/vocabulary.ts';
import { codeOf } from './refusal.ts';
import { FIRST, following, NAMED } from './sample.ts';

const TEXT = formatStatement(FIRST);

test('a statement is read back as it was written', () => {
  expect(parseStatement(TEXT)).toEqual(FIRST);
  expect(statementDigest(FIRST)).toMatch(/^[0-9a-f]{64}$/);
  expect(TEXT).toContain('\nlost ring.file=3,ring.process=1,spool.process=1,oversize.file=2\n');
});

test('version 2 adds the epochs and nothing else; a chain goes on from one version to the other', () => {
  const text = formatStatement(NAMED);
  expect(parseStatement(text)).toEqual(NAMED);
  expect(text.replace('batch/v2', 'batch/v1').replace('epochs 24h 20717 20717 node,cohort\n', '')).toBe(TEXT);
  const next = following(FIRST, { epochs: 'none' });
  expect(formatStatement(next)).toContain('\nepochs -\n');
  expect(checkSuccession(FIRST, next)).toEqual([]);
});

test.each([FIRST, NAMED])('each line is needed, once, in its place', (statement) => {
  const lines = formatStatement(statement).split('\n').slice(0, -1);
  for (let i = 0; i < lines.length; i++) {
    const without = lines.toSpliced(i, 1);
    const twice = lines.toSpliced(i, 0, lines[i] ?? '');
    const swapped = lines.toSpliced(i, 2, lines[i + 1] ?? 'more', lines[i] ?? '');
    for (const changed of [without, twice, swapped]) {
      expect(
        codeOf(() => parseStatement(`${changed.join('\n')}\n`)),
        lines[i],
      ).toBe('bad-statement');
    }
  }
});

const edits: readonly { name: string; from: string | RegExp; to: string; code?: string }[] = [
  { name: 'version 2 without epochs', from: 'batch/v1', to: 'batch/v2' },
  { name: 'a later version', from: 'batch/v1', to: 'batch/v3', code: 'unknown-version' },
  { name: 'version 0', from: 'batch/v1', to: 'batch/v0' },
  { name: 'another spelling of a version', from: 'batch/v1', to: 'batch/v03' },
  { name: 'no version', from: 'batch/v1', to: 'batch/v' },
  { name: 'a capital in the name', from: 'node node-1', to: 'node Node-1' },
  { name: 'a slash in the name', from: 'node node-1', to: 'node ../node' },
  { name: 'no name', from: 'node node-1', to: 'node ' },
  { name: 'a name of 64 characters', from: 'node node-1', to: `node ${'a'.repeat(64)}` },
  { name: 'a boot id in capitals', from: 'boot 5f0c', to: 'boot 5F0C' },
  { name: 'sequence 0', from: 'sequence 1', to: 'sequence 0' },
  { name: 'a leading zero', from: 'sequence 1', to: 'sequence 01', code: 'bad-number' },
  { name: 'a plus', from: 'sequence 1', to: 'sequence +1', code: 'bad-number' },
  { name: 'a number beyond 2^53', from: 'file=9', to: 'file=9007199254740992', code: 'bad-number' },
  { name: 'a fraction', from: 'file=9', to: 'file=9.0', code: 'bad-number' },
  { name: 'a hexadecimal number', from: 'file=9', to: 'file=0x9', code: 'bad-number' },
  { name: 'sequence 2 without a previous', from: 'sequence 1', to: 'sequence 2' },
  { name: 'sequence 1 with a previous', from: `previous ${NO_PREVIOUS}`, to: `previous ${'a'.repeat(64)}` },
  { name: 'an unknown role', from: 'role generic', to: 'role root' },
  { name: 'a digest in capitals', from: `ruleset ${'a'.repeat(64)}`, to: `ruleset ${'A'.repeat(64)}` },
  { name: 'a short digest', from: `ruleset ${'a'.repeat(64)}`, to: `ruleset ${'a'.repeat(63)}` },
  { name: 'an agent without build', from: /agent 0.1.0 d+/, to: 'agent 0.1.0' },
  { name: 'an agent version with a v', from: 'agent 0', to: 'agent v0' },
  { name: 'sources out of order', from: 'sources ebpf,host', to: 'sources host,ebpf' },
  { name: 'a source twice', from: 'sources ebpf,host', to: 'sources ebpf,ebpf' },
  { name: 'no source', from: 'sources ebpf,host', to: 'sources ' },
  { name: 'an unknown source', from: 'sources ebpf,host', to: 'sources ebpf,osquery' },
  { name: 'time backwards', from: /time \d+/, to: 'time 1790000002000000' },
  { name: 'no time', from: /time \d+ \d+/, to: 'time 0 0' },
  { name: 'a count of zero', from: 'merged file=2', to: 'merged file=2,process=0' },
  { name: 'counts out of order', from: 'seen file=9,process=4', to: 'seen process=4,file=9' },
  { name: 'a class twice', from: 'seen file=9', to: 'seen file=9,file=9' },
  { name: 'an unknown class', from: 'seen file=9', to: 'seen files=9' },
  { name: 'a class named as an object has it', from: 'seen file=9', to: 'seen __proto__=9' },
  { name: 'no counts, written as nothing', from: 'merged file=2', to: 'merged ', code: 'bad-number' },
  { name: 'a count of two numbers', from: 'merged file=2', to: 'merged file=2=3' },
  { name: 'places out of order', from: 'lost ring.file=3,ring.process=1', to: 'lost ring.process=1,ring.file=3' },
  { name: 'an unknown place', from: 'lost ring', to: 'lost attic' },
  { name: 'a loss of no class', from: 'lost ring.file=3', to: 'lost ring=3' },
  { name: 'a loss of a class of a class', from: 'lost ring.file=3', to: 'lost ring.file.x=3' },
  { name: 'another codec', from: ' zstd ', to: ' gzip ' },
  { name: 'a body too large', from: /zstd \d+/, to: 'zstd 4194305', code: 'too-large' },
  { name: 'a body too large unpacked', from: /(zstd \d+) \d+/, to: '$1 33554433', code: 'too-large' },
  { name: 'too many events', from: 'events file=1', to: 'events file=65536', code: 'too-large' },
  { name: 'a trailing space', from: 'cohort lab', to: 'cohort lab ' },
  { name: 'a double space', from: 'cohort lab', to: 'cohort  lab' },
  { name: 'no last newline', from: /\n$/, to: '' },
  { name: 'an empty line behind', from: /\n$/, to: '\n\n' },
  { name: 'too long', from: /\n$/, to: `\n${'x'.repeat(32_768)}`, code: 'too-large' },
];
for (const row of edits) {
  test(`refused: ${row.name}`, () => {
    const changed = TEXT.replace(row.from, row.to);
    expect(changed).not.toBe(TEXT);
    expect(codeOf(() => parseStatement(changed))).toBe(row.code ?? 'bad-statement');
  });
}

test('what would be refused is not written', () => {
  for (const changes of [{ node: 'a b' }, { sequence: 0 }, { seen: { file: 1.5 } }, { merged: { file: -1 } }]) {
    expect(codeOf(() => formatStatement({ ...FIRST, ...changes }))).not.toBe('accepted');
  }
});

const count = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const counts = fc.dictionary(fc.constantFrom(...CLASSES), count).map((entries) => ({ ...entries }));
const lost = fc
  .dictionary(fc.constantFrom(...PLACES), counts)
  .map((places) => Object.fromEntries(Object.entries(places).filter(([, value]) => Object.keys(value).length > 0)));

const epochs = fc.oneof(
  fc.constant('none' as const),
  fc
    .record({
      hours: fc.integer({ min: 1, max: 100_000 }),
      more: fc.tuple(fc.nat(9), fc.nat(9)),
      scopes: fc.subarray([...PSEUDONYM_SCOPES], { minLength: 1 }),
    })
    .map(({ hours, more, scopes }): Epochs => {
      const first = epochAt(FIRST.time.last, { hours, scopes }) + more[0];
      return { hours, first, last: first + more[1], scopes };
    }),
);

test('any statement is read back as it was written', () => {
  fc.assert(
    fc.property(counts, counts, lost, count, fc.option(epochs), (seen, withheld, losses, bytes, named) => {
      const body = { ...FIRST.body, bytes: (bytes % 4_194_304) + 1 };
      const version = named === null ? FIRST : { ...FIRST, epochs: named };
      const statement: Statement = { ...version, seen, withheld, lost: losses, body };
      expect(parseStatement(formatStatement(statement))).toEqual(statement);
    }),
  );
});

test('whatever comes in, only a ProtocolError comes out, and what is accepted has one spelling', () => {
  const mutated = fc
    .tuple(fc.constantFrom(TEXT, formatStatement(NAMED)), fc.nat(), fc.string({ maxLength: 10 }), fc.nat(10))
    .map(([text, at, put, cut]) => text.slice(0, at % text.length) + put + text.slice((at % text.length) + cut));
  fc.assert(
    fc.property(fc.oneof(fc.string(), mutated), (text) => {
      codeOf(() => {
        expect(formatStatement(parseStatement(text))).toBe(text);
      });
    }),
    { numRuns: 3000 },
  );
});

test('conservation: seen is released, merged, sampled, withheld or lost', () => {
  expect(checkConservation(FIRST)).toBeUndefined();
  for (const key of ['seen', 'released', 'merged', 'sampled', 'withheld'] as const) {
    const wrong = { ...FIRST, [key]: { ...FIRST[key], privilege: 1 } };
    expect(checkConservation(wrong)?.code, key).toBe('conservation');
  }
  expect(checkConservation({ ...FIRST, lost: {} })?.message).toBe('file: 9 seen, 4 accounted for');
});

const second = following(FIRST);
const third = following(second);
const successions: readonly { name: string; previous?: Statement; next: Statement; codes: readonly string[] }[] = [
  { name: 'the first', next: FIRST, codes: [] },
  { name: 'the second', previous: FIRST, next: second, codes: [] },
  { name: 'the third', previous: second, next: third, codes: [] },
  { name: 'a chain that begins in the middle', next: second, codes: ['gap'] },
  { name: 'a number left out', previous: FIRST, next: third, codes: ['gap'] },
  { name: 'a number used again long after', previous: third, next: FIRST, codes: ['rewind'] },
  { name: 'the same statement again', previous: second, next: second, codes: ['repeat'] },
  { name: 'another statement with its number', previous: second, next: { ...second, cohort: 'x' }, codes: ['fork'] },
  { name: 'a statement after another one', previous: { ...FIRST, cohort: 'x' }, next: second, codes: ['fork'] },
  { name: 'another node', previous: FIRST, next: { ...second, node: 'node-2' }, codes: ['wrong-node'] },
  {
    name: 'a loss taken back',
    previous: FIRST,
    next: {
      ...second,
      seen: { file: 7, process: 5 },
      lost: { ring: { process: 1 }, spool: { process: 1 }, oversize: { file: 2 } },
    },
    codes: ['counter-decrease', 'counter-decrease'],
  },
  {
    name: 'a counter that forgets',
    previous: FIRST,
    next: { ...second, withheld: {} },
    codes: ['counter-decrease', 'conservation'],
  },
  {
    name: 'released without events',
    previous: FIRST,
    next: { ...second, events: { file: 1 } },
    codes: ['released-mismatch'],
  },
  { name: 'first with released before', next: { ...FIRST, events: { file: 1 } }, codes: ['released-mismatch'] },
];
for (const row of successions) {
  test(`succession: ${row.name}`, () => {
    expect(checkSuccession(row.previous, row.next).map((problem) => problem.code)).toEqual(row.codes);
  });
}
