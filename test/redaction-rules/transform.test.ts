/** Each transformation by itself: a table of what goes in and what comes out, edges included. */
import { describe, expect, test } from 'vitest';
import type { AttributeName } from '#protocol/vocabulary.ts';
import { transformer } from './small-ruleset.ts';

const TOP = { reasons: { test: 'A test.' } };
const LONG = 'x'.repeat(5000);
const NODE = { scope: 'node' };

type Row = readonly [what: string, value: unknown, expected: unknown];

function table(
  name: string,
  attribute: AttributeName,
  rule: Readonly<Record<string, unknown>>,
  rows: readonly Row[],
  top = {},
): void {
  describe(name, () => {
    const released = transformer(attribute, rule, { ...('reason' in rule ? TOP : {}), ...top });
    for (const [what, value, expected] of rows) {
      test(what, () => {
        if (expected instanceof RegExp) expect(released(value)).toMatch(expected);
        else expect(released(value)).toEqual(expected);
      });
    }
  });
}

table('keep, text', 'error.type', { do: 'keep' }, [
  ['empty', '', ''],
  ['plain', 'EACCES', 'EACCES'],
  ['huge', LONG, `${'x'.repeat(1024)}…`],
  ['quotes and newlines', '"\\\n\u0000\u2028', '"\\\n\u0000\u2028'],
  ['what invalid UTF-8 was decoded to', 'a\ufffdb', 'a\ufffdb'],
  ['half a surrogate pair', 'a\ud800b', 'a\ufffdb'],
  ['a pair cut in two by the limit', `${'x'.repeat(1023)}😀`, `${'x'.repeat(1023)}\ufffd…`],
]);
table('keep, numbers', 'process.pid', { do: 'keep' }, [
  ['zero', 0, 0],
  ['minus zero', -0, 0],
  ['the largest exact', 2 ** 53 - 1, 2 ** 53 - 1],
  ['beyond 2^53', 2 ** 53, undefined],
  ['a fraction', 0.5, undefined],
]);
table('keep, fractions', 'hushwatch.blind.duration', { do: 'keep' }, [
  ['a fraction', 0.1, 0.1],
  ['small', 1e-9, 1e-9],
  ['infinity', Infinity, undefined],
  ['not a number', Number.NaN, undefined],
]);
table('keep, lists', 'detection.rules', { do: 'keep' }, [
  ['empty', [], []],
  ['many', Array.from({ length: 100 }, () => 'x'), Array.from({ length: 64 }, () => 'x')],
]);
table('keep, yes or no', 'file.open.created', { do: 'keep' }, [
  ['yes', true, true],
  ['no', false, false],
  ['a number', 1, undefined],
  ['a text', 'true', undefined],
]);

table('allow, text', 'process.user.name', { do: 'allow', values: ['root', 'nobody'], reason: 'test' }, [
  ['on the list', 'root', 'root'],
  ['not on it', 'alex', 'other'],
  ['other case', 'Root', 'other'],
  ['empty', '', 'other'],
  ['a name that objects have', 'constructor', 'other'],
]);
table('allow, numbers', 'process.user.id', { do: 'allow', values: [0, '100-999'], reason: 'test' }, [
  ['on the list', 0, 0],
  ['in a range', 999, 999],
  ['not on it', 1000, undefined],
]);
table('allow, lists', 'host.interfaces', { do: 'allow', values: ['lo'], reason: 'test' }, [
  ['each for itself', ['lo', 'wg-acme'], ['lo', 'other']],
]);

table('mask', 'process.user.name', { do: 'mask', patterns: ['[0-9]+', 'al(e|i)x'], reason: 'test' }, [
  ['nothing found', 'root', 'root'],
  ['found', 'alex1999x', '……x'],
  ['empty', '', ''],
  ['a pattern that would take for ever elsewhere', 'a'.repeat(5000), `${'a'.repeat(1024)}…`],
]);

table('pseudonym, text', 'process.user.name', { do: 'pseudonym', ...NODE, keep: ['root'], reason: 'test' }, [
  ['plain', 'alex', /^p-[a-z2-7]{16}$/],
  ['kept', 'root', 'root'],
  ['empty', '', ''],
  ['huge', LONG, /^p-[a-z2-7]{16}$/],
  ['what looks like a pseudonym', 'p-aaaaaaaaaaaaaaaa', /^p-(?!aaaaaaaaaaaaaaaa)[a-z2-7]{16}$/],
  ['half a surrogate pair', '\ud800', /^p-[a-z2-7]{16}$/],
]);
table('pseudonym, numbers', 'process.user.id', { do: 'pseudonym', ...NODE, keep: ['0-999'], reason: 'test' }, [
  ['kept', 999, 999],
  ['beyond 2^53', 2 ** 53, undefined],
]);

table('prefix', 'network.peer.address', { do: 'prefix', ...NODE, keep: ['loopback'], reason: 'test' }, [
  ['IPv4', '203.0.113.7', /^p-[0-9]+(?:\.[0-9]+){3}$/],
  ['IPv6', '2001:db8::1', /^p-[0-9a-f:]+$/],
  ['kept', '127.0.0.53', '127.0.0.53'],
  ['kept, mapped into IPv6', '::ffff:127.0.0.1', '127.0.0.1'],
  ['kept, another spelling', '0:0:0:0:0:0:0:1', '::1'],
  ['no address', 'db.example.org', undefined],
  ['empty', '', undefined],
]);
test('prefix: an IPv4-mapped address is the IPv4 address, and neighbours stay neighbours', () => {
  const released = transformer('network.peer.address', { do: 'prefix', ...NODE });
  expect(released('::ffff:203.0.113.7')).toBe(released('203.0.113.7'));
  const network = (text: unknown): string => String(released(text)).split('.').slice(0, 3).join('.');
  expect(network('203.0.113.7')).toBe(network('203.0.113.200'));
  expect(network('203.0.113.7')).not.toBe(network('203.0.114.7'));
});

table(
  'truncate-address',
  'network.peer.address',
  { do: 'truncate-address', ipv4: 16, keep: ['private'], reason: 'test' },
  [
    ['IPv4', '203.0.113.7', '203.0.0.0/16'],
    ['IPv6', '2001:db8:1:2::3', '2001:db8:1::/48'],
    ['kept', '10.1.2.3', '10.1.2.3'],
    ['no address', 'x', undefined],
  ],
);

const PATHS = {
  paths: {
    small: {
      readable: [
        '/usr/bin/{name}',
        '/usr/lib/{names}',
        '/etc/passwd',
        '/tmp/{any}',
        '/home/{user}/{any}',
        '/proc/{number}/{name}',
        '/dev/{name}',
        '/dev/{any}/x',
        '/vault/{rest}',
        '/vault/log/{any}',
      ],
      names: ['.ssh', 'authorized_keys'],
      extensions: ['sh', 'gz'],
    },
  },
};
const P = 'p-[a-z2-7]{10}';
table(
  'path',
  'file.path',
  { do: 'path', ...NODE, template: 'small' },
  [
    ['empty', '', ''],
    ['the root', '/', '/'],
    ['known', '/etc/passwd', '/etc/passwd'],
    ['a name', '/usr/bin/python3.11', '/usr/bin/python3.11'],
    ['names', '/usr/lib/x86_64-linux-gnu/libc.so.6', '/usr/lib/x86_64-linux-gnu/libc.so.6'],
    ['below a name', '/usr/bin/x/y', new RegExp(`^/usr/bin/x/${P}$`)],
    ['unknown', '/etc/acme/x', new RegExp(`^/etc/${P}/${P}$`)],
    ['unknown from the start', '/acme', new RegExp(`^/${P}$`)],
    ['a user', '/home/alex/.ssh/authorized_keys', new RegExp(`^/home/${P}/.ssh/authorized_keys$`)],
    ['an ending', '/tmp/a.sh', new RegExp(`^/tmp/${P}\\.sh$`)],
    ['two endings', '/tmp/a.sh.gz', new RegExp(`^/tmp/${P}\\.sh\\.gz$`)],
    ['an ending that is not known', '/tmp/a.acme', new RegExp(`^/tmp/${P}$`)],
    ['a hidden file', '/tmp/.a', new RegExp(`^/tmp/\\.${P}$`)],
    ['a number', '/proc/4711/maps', '/proc/4711/maps'],
    ['too long for a number', '/proc/12345678901/maps', new RegExp(`^/proc/${P}/${P}$`)],
    ['a canister id among names', '/usr/lib/rrkah-fqaaa-aaaaa-aaaaq-cai', new RegExp(`^/usr/lib/${P}$`)],
    ['a uuid among names', '/usr/bin/123e4567-e89b-12d3-a456-426614174000', new RegExp(`^/usr/bin/${P}$`)],
    ['a digest among names', '/usr/lib/d41d8cd98f00b204e9800998ecf8427e', new RegExp(`^/usr/lib/${P}$`)],
    ['digits among names', '/usr/lib/5551234567', new RegExp(`^/usr/lib/${P}$`)],
    ['what looks like a pseudonym among names', '/usr/bin/p-aaaaaaaaaa', /^\/usr\/bin\/p-(?!aaaaaaaaaa)[a-z2-7]{10}$/],
    ['after dots nothing is known', '/usr/bin/../bin/x', new RegExp(`^/usr/bin/\\.\\./${P}/${P}$`)],
    ['one dot', '/etc/./passwd', '/etc/./passwd'],
    ['two slashes', '//etc//passwd', '//etc//passwd'],
    ['a slash at the end', '/tmp/x/', new RegExp(`^/tmp/${P}/$`)],
    ['a newline', '/usr/bin/a\nb', new RegExp(`^/usr/bin/${P}$`)],
    ['not UTF-8', '/usr/bin/a\ufffd', new RegExp(`^/usr/bin/${P}$`)],
    ['half a surrogate pair', '/usr/bin/\ud800', new RegExp(`^/usr/bin/${P}$`)],
    ['a very long segment', `/usr/bin/${LONG}`, new RegExp(`^/usr/bin/${P}$`)],
    ['very deep', '/a'.repeat(500), new RegExp(`^(?:/${P}){24}/…$`)],
    ['not absolute', 'usr/bin/x', new RegExp(`^${P}/${P}/${P}$`)],
    ['in memory', 'memfd:payload', new RegExp(`^memfd:${P}$`)],
    ['in memory, without a name', '/memfd:', '/memfd:'],
    ['an abstract socket', '@/tmp/x', new RegExp(`^@/tmp/${P}$`)],
    ['a glob', '/tmp/*.sh', '/tmp/*.sh'],
    ['nothing of the rest', '/vault/keys/alex.sh', '/vault/…'],
    ['nothing of the rest, dots included', '/vault/./keys/../alex', '/vault/./…'],
    ['the place itself', '/vault/', '/vault/'],
    ['a known place before the rest', '/vault/log/x', new RegExp(`^/vault/log/${P}$`)],
    ['a name where there also is a way on', '/dev/sda/x', new RegExp(`^/dev/sda/${P}$`)],
  ],
  PATHS,
);
test('path: the same segment has the same pseudonym, and a user is apart from a file', () => {
  const released = transformer('file.path', { do: 'path', ...NODE, template: 'small' }, PATHS);
  const last = (text: unknown): string => String(released(text)).split('/').at(-1) ?? '';
  expect(last('/tmp/alex')).toBe(last('/acme/alex'));
  expect(last('/tmp/alex')).not.toBe(last('/home/alex'));
});
test('path: what is joinable says so', () => {
  const joined = { do: 'path', ...NODE, template: 'small', domain: 'path' };
  expect(transformer('file.path', joined, PATHS)('/tmp/x')).toBe(
    transformer('file.target.path', joined, PATHS)('/tmp/x'),
  );
  const apart = { do: 'path', ...NODE, template: 'small' };
  expect(transformer('file.path', apart, PATHS)('/tmp/x')).not.toBe(
    transformer('file.target.path', apart, PATHS)('/tmp/x'),
  );
});

table('round', 'hushwatch.blind.duration', { do: 'round', quantum: 0.05 }, [
  ['down', 0.12, 0.1],
  ['up', 0.13, 0.15],
  ['zero', 0, 0],
  ['three times a twentieth', 0.15, 0.15],
  ['too large to be exact', 1e300, 1e300],
]);
table('round, whole', 'host.memory.size', { do: 'round', quantum: 1024 }, [
  ['near', 1500, 1024],
  ['the largest', 2 ** 53 - 1, undefined],
]);

describe('noise', () => {
  const rule = { do: 'noise', quantum: 0.5, scale: 2, window: '1h' };
  const released = transformer('system.cpu.load_average.1m', rule);
  const hour = 3_600_000_000;
  test('the same within a window, so that it cannot be averaged away', () => {
    expect(new Set([0, 1, hour - 1].map((time) => released(10, time))).size).toBe(1);
  });
  test('differs between windows, and is quantised', () => {
    const values = Array.from({ length: 20 }, (_, window) => Number(released(10, window * hour)));
    expect(new Set(values).size).toBeGreaterThan(3);
    for (const value of values) expect(value % 0.5).toBe(0);
  });
  test('never below zero', () => {
    for (let window = 0; window < 50; window++) expect(Number(released(0, window * hour))).toBeGreaterThanOrEqual(0);
  });
});

table('count', 'host.interfaces', { do: 'count' }, [
  ['none', [], 0],
  ['some', ['lo', 'eth0'], 2],
  ['many', Array.from({ length: 1000 }, () => 'x'), 1000],
  ['no list', 'lo', undefined],
]);
table('length', 'host.name', { do: 'length' }, [
  ['empty', '', 0],
  ['some', 'db-1', 4],
]);
table('drop', 'host.name', { do: 'drop' }, [['anything', 'db-1', undefined]]);
