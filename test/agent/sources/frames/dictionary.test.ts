/** Texts by their bytes: whatever came before, they are what decoding says. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Dictionary } from '../../../../agent/sources/frames/dictionary.ts';

const asked = (dictionary: Dictionary, bytes: Buffer): string =>
  dictionary.text(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 1, bytes.length - 1);

/** Between two bytes that are none of it. */
const framed = (bytes: Uint8Array): Buffer => Buffer.from([0x2f, ...bytes, 0xc3]);

test('bytes are what they are decoded as, the first time and later', () => {
  const some = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 6 }),
    fc.string({ minLength: 1, maxLength: 130, unit: 'binary' }).map((text) => Buffer.from(text)),
    fc.nat(50).map((n) => Buffer.from(`/srv/files/${n}`)),
    fc.constantFrom(Buffer.from('caf\xe9', 'latin1'), Buffer.from('caf\ufffd', 'latin1'), Buffer.from('café')),
  );
  const dictionary = new Dictionary();
  fc.assert(
    fc.property(fc.array(some, { maxLength: 8 }), (texts) => {
      for (const bytes of [...texts, ...texts, ...texts])
        expect(asked(dictionary, framed(bytes))).toBe(Buffer.from(bytes).toString());
    }),
    { numRuns: 40 },
  );
});

test('more texts than fit', () => {
  const dictionary = new Dictionary();
  for (let round = 0; round < 3; round++)
    for (let n = 0; n < 60_000; n++)
      if (asked(dictionary, framed(Buffer.from(`/srv/${n}`))) !== `/srv/${n}`) expect.unreachable(`/srv/${n}`);
});
