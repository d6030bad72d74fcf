/** DNS messages: what is whole is read, what is not is no message, and no bytes do harm. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_ANSWERS, parseDns } from '../../agent/dns.ts';

const name = (text: string): Buffer =>
  Buffer.concat([
    ...text
      .split('.')
      .filter(Boolean)
      .map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label, 'latin1')])),
    Buffer.of(0),
  ]);
const u16 = (...numbers: number[]): Buffer => Buffer.from(numbers.flatMap((n) => [n >> 8, n & 255]));
const header = (flags: number, questions: number, answers: number): Buffer =>
  u16(0x1234, flags, questions, answers, 0, 0);
const query = (asked: string, type = 1): Buffer => Buffer.concat([header(0x0100, 1, 0), name(asked), u16(type, 1)]);
const record = (owner: Buffer, type: number, data: Buffer): Buffer =>
  Buffer.concat([owner, u16(type, 1, 0, 60, data.length), data]);
const answer = (code: number, ...records: Buffer[]): Buffer =>
  Buffer.concat([header(0x8180 | code, 1, records.length), name('example.org'), u16(1, 1), ...records]);

const POINTER = u16(0xc00c);
const V4 = Buffer.of(203, 0, 113, 7);
const V6 = Buffer.from('20010db8000000000000000000000001', 'hex');

describe('questions', () => {
  const READ: readonly (readonly [bytes: Buffer, name: string, type: string])[] = [
    [query('www.example.org'), 'www.example.org', 'A'],
    [query('wWw.ExAmPlE.oRg', 28), 'www.example.org', 'AAAA'],
    [query('', 2), '.', 'NS'],
    [query('x', 999), 'x', 'TYPE999'],
    [query('\u{1}a\u{ff} b'), String.raw`\001a\255\032b`, 'A'],
    [query(`${'a'.repeat(63)}.b`, 16), `${'a'.repeat(63)}.b`, 'TXT'],
    [
      Buffer.concat([header(0x0100, 1, 0), Buffer.from('\u{3}a.b\u{2}\\c\u{0}', 'latin1'), u16(1, 1)]),
      String.raw`a\046b.\092c`,
      'A',
    ],
  ];
  for (const [bytes, asked, type] of READ) {
    test(`${asked} ${type}`, () =>
      expect(parseDns(bytes)).toEqual({ isAnswer: false, code: 'NOERROR', name: asked, type, addresses: [] }));
  }

  const REFUSED: readonly (readonly [why: string, bytes: Buffer])[] = [
    ['nothing', Buffer.alloc(0)],
    ['half a header', header(0, 1, 0).subarray(0, 11)],
    ['no question', header(0x0100, 0, 0)],
    ['two questions', Buffer.concat([header(0, 2, 0), name('a'), u16(1, 1), name('b'), u16(1, 1)])],
    ['a name that does not end', Buffer.concat([header(0, 1, 0), Buffer.from('\u{3}abc')])],
    ['a label that reaches beyond', Buffer.concat([header(0, 1, 0), Buffer.from('\u{9}abc\0\0\0\0\0')])],
    [
      'a label that is too long',
      Buffer.concat([header(0, 1, 0), Buffer.of(64), Buffer.alloc(64, 97), Buffer.alloc(5)]),
    ],
    ['a pointer', Buffer.concat([header(0, 1, 0), POINTER, u16(1, 1)])],
    ['a name that is too long', query(Array.from({ length: 64 }, () => 'abc').join('.'))],
    ['half a type', query('example.org').subarray(0, -3)],
    ['another protocol', Buffer.from('GET / HTTP/1.0\r\n\r\n')],
  ];
  for (const [why, bytes] of REFUSED) test(`no message: ${why}`, () => expect(parseDns(bytes)).toBeUndefined());
});

describe('answers', () => {
  test('addresses behind an alias', () => {
    const message = parseDns(
      answer(
        0,
        record(POINTER, 5, name('cdn.example.net')),
        record(name('cdn.example.net'), 1, V4),
        record(POINTER, 28, V6),
      ),
    );
    expect(message).toMatchObject({ isAnswer: true, code: 'NOERROR', name: 'example.org' });
    expect(message?.addresses).toEqual([Uint8Array.from(V4), Uint8Array.from(V6)]);
  });
  test('codes', () => {
    expect(parseDns(answer(3))?.code).toBe('NXDOMAIN');
    expect(parseDns(answer(15))?.code).toBe('RCODE15');
  });
  test('what is cut off is not there, what stands before it is', () => {
    const whole = answer(0, record(POINTER, 1, V4), record(POINTER, 28, V6));
    expect(parseDns(whole.subarray(0, -1))?.addresses).toEqual([Uint8Array.from(V4)]);
  });
  test('an address of the wrong length is none', () => {
    expect(parseDns(answer(0, record(POINTER, 1, V6), record(POINTER, 28, V4)))?.addresses).toEqual([]);
  });
  test('no more than so many', () => {
    const many = answer(0, ...Array.from({ length: 100 }, () => record(POINTER, 1, V4)));
    expect(parseDns(many)?.addresses).toHaveLength(MAX_ANSWERS);
  });
});

test('any name that can be asked for comes back', () => {
  const label = fc.stringMatching(/^[a-z0-9_-]{1,20}$/);
  fc.assert(
    fc.property(fc.array(label, { minLength: 1, maxLength: 8 }), fc.nat(65_535), (labels, type) => {
      expect(parseDns(query(labels.join('.'), type))?.name).toBe(labels.join('.'));
    }),
  );
});

test('any bytes are a message or none; a message is bounded', () => {
  const near = fc
    .tuple(fc.constantFrom(query('www.example.org'), answer(0, record(POINTER, 1, V4), record(POINTER, 28, V6))))
    .chain(([bytes]) =>
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 4 }).map((changes) => {
        const changed = Buffer.from(bytes);
        for (const [at, byte] of changes) changed[at] = byte;
        return changed;
      }),
    );
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 512 }), near), (bytes) => {
      const message = parseDns(bytes);
      if (message === undefined) return;
      expect(message.name.length).toBeLessThanOrEqual(4 * 255);
      expect(message.name).toMatch(/^[\x21-\x7e]+$/);
      expect(message.addresses.length).toBeLessThanOrEqual(MAX_ANSWERS);
    }),
    { numRuns: 1000 },
  );
});

test('asked of many: the first of several names, and no address of an answer', () => {
  const two = query('printer.local', 12);
  new DataView(two.buffer, two.byteOffset).setUint16(4, 2);
  expect(parseDns(two)).toBeUndefined();
  expect(parseDns(two, true)).toMatchObject({ name: 'printer.local', type: 'PTR', addresses: [] });
  new DataView(two.buffer, two.byteOffset).setUint16(4, 0);
  expect(parseDns(two, true)).toBeUndefined();
});
