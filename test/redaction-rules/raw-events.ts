/** Raw events for property tests: every event of the vocabulary, with values that could be real and values that are meant to hurt. */
import fc from 'fast-check';
import { ATTRIBUTES, EVENTS, isEventName, type AttributeName, type EventName } from '#protocol/vocabulary.ts';
import type { RawEventLike } from '../../redaction-rules/compile.ts';

const word = fc.stringMatching(/^[a-z0-9._-]{1,12}$/);
const path = fc.oneof(
  fc.array(word, { minLength: 1, maxLength: 6 }).map((segments) => `/${segments.join('/')}`),
  fc
    .tuple(
      fc.constantFrom(
        '/usr/bin',
        '/etc/ssh',
        '/home',
        '/tmp',
        '/proc/12',
        '/usr/lib',
        '/var/log',
        '',
        '..',
        '@',
        'memfd:',
      ),
      word,
    )
    .map(([directory, name]) => `${directory}/${name}`),
  fc.constantFrom(
    '',
    '/',
    '//',
    '.',
    '..',
    '/..',
    '/a/../b',
    '/usr/bin/\n',
    '/tmp/…',
    '/tmp/p-aaaaaaaaaa',
    '@/tmp/x',
    'memfd:x',
    'a/b',
  ),
);
const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom('::ffff:192.0.2.1', '127.0.0.1', '::1', '::', '', 'nonsense', 'fe80::1%eth0'),
);
const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '',
    '\ud800',
    '\udc00\ud800',
    '\ufffd',
    '\u0000',
    '…',
    'p-aaaaaaaaaaaaaaaa',
    'a'.repeat(5000),
    '"\\\n\u2028',
  ),
);
const argument = fc.oneof(
  word,
  path,
  address,
  nasty,
  word.map((text) => `--${text}`),
  fc.tuple(word, word).map(([name, value]) => `--${name}=${value}`),
  word.map((text) => `-${text}`),
  fc.constantFrom('-c', '-p', '-u', '--password', 'bash', 'sh', '--', '-', '<number>', '{}', ';'),
  fc
    .array(fc.oneof(word, path, fc.constantFrom(';', '|', '>', '&&', '$(id)', '"a b"', "'x'", '\\', '`', '-c', 'sh')), {
      maxLength: 6,
    })
    .map((words) => words.join(' ')),
  fc.tuple(word, word, word).map(([user, secret, host]) => `https://${user}:${secret}@${host}:443/x?y=z`),
  fc.tuple(word, word).map(([user, host]) => `${user}@${host}:/tmp/x`),
  fc.integer().map(String),
);

const texts = fc.oneof(path, address, word, nasty);

function valueOf(attribute: AttributeName): fc.Arbitrary<unknown> {
  switch (ATTRIBUTES[attribute].type) {
    case 'string':
      return texts;
    case 'int':
      return fc.oneof(
        fc.nat(),
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        fc.constantFrom(0, 1000, 4294967295),
      );
    case 'double':
      return fc.double({ min: 0, max: 1e9, noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'string[]':
      return fc.oneof(fc.array(argument, { maxLength: 12 }), fc.array(word, { maxLength: 80 }));
  }
}

export const EVENT_NAMES: readonly EventName[] = Object.keys(EVENTS).filter(isEventName);

/** Any attributes that the event carries. */
export function attributesOf(name: EventName): fc.Arbitrary<Record<string, unknown>> {
  const carried = Object.fromEntries(EVENTS[name].attributes.map((attribute) => [attribute, valueOf(attribute)]));
  return fc.record(carried, { requiredKeys: [] });
}

export const time = fc.integer({ min: 0, max: 4e15 });

export function rawEvent(name: EventName): fc.Arbitrary<RawEventLike> {
  return fc.record({ name: fc.constant(name), time, attributes: attributesOf(name) });
}
