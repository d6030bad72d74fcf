/** Files that operators write: what is right, and what each mistake is told as. */
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatVerifierKey, parseVerifierKey } from '#protocol/note.ts';
import { KEYS, parseConfig, readConfig } from '../../collector/config.ts';
import { initCollector, makeTlsIdentity, readLogKey } from '../../collector/keys.ts';
import { parseRegistry, Registry } from '../../collector/registry.ts';
import { fixedKey, nodeKey, witnessKey } from '../protocol/sample.ts';
import { pin } from './sample.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hushwatch-config-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const WITNESS = formatVerifierKey(witnessKey.verifier);

describe('collector.yaml', () => {
  test('an empty file is all defaults', () => {
    expect(parseConfig('', '/etc/hushwatch/collector.yaml')).toEqual({
      home: '/etc/hushwatch',
      origin: 'localhost/hushwatch',
      listen: { host: '127.0.0.1', port: 8441 },
      dashboard: { host: '127.0.0.1', port: 8440 },
      dashboard_names: [],
      silence_seconds: 300,
      detectors: {},
      witnesses: [],
      webhooks: [],
      syslog: [],
      otlp: [],
      files: [],
    });
  });

  test('every key is read', () => {
    const text = `
origin: logs.example.org/a
listen: "[::1]:443"
dashboard: 0.0.0.0:0
dashboard_names: [hushwatch.example.org]
silence_seconds: 60
detectors: { rate: { deviations: 8 }, stories: { alerts_per_day: 5 } }
witnesses: [{ key: ${WITNESS}, url: https://witness.example.org/ }]
webhooks: [{ url: https://example.org/hook, secret_file: hook.secret }]
syslog: [{ address: logs.example.org:6514, ca_file: ca.pem }]
otlp: [{ url: https://otel.example.org/v1/logs, headers_file: otel.headers }]
files: [stories.ndjson]
`;
    expect(parseConfig(text, '/h/collector.yaml')).toEqual({
      home: '/h',
      origin: 'logs.example.org/a',
      listen: { host: '::1', port: 443 },
      dashboard: { host: '0.0.0.0', port: 0 },
      dashboard_names: ['hushwatch.example.org'],
      silence_seconds: 60,
      detectors: { rate: { deviations: 8 }, stories: { alerts_per_day: 5 } },
      witnesses: [{ key: WITNESS, url: 'https://witness.example.org/' }],
      webhooks: [{ url: 'https://example.org/hook', secret_file: '/h/hook.secret' }],
      syslog: [{ address: { host: 'logs.example.org', port: 6514 }, ca_file: '/h/ca.pem' }],
      otlp: [{ url: 'https://otel.example.org/v1/logs', headers_file: '/h/otel.headers' }],
      files: ['/h/stories.ndjson'],
    });
  });

  const MISTAKES: readonly (readonly [string, string, RegExp])[] = [
    ['a misspelled key', 'lisen: a:1', /^\/c:1:1 lisen: no such key; did you mean `listen`/],
    ['a key twice', 'origin: a\norigin: b', /^\/c:2:1 Map keys must be unique/],
    ['an alias', 'origin: &a x\nlisten: *a', /^\/c:2:9 listen: must be HOST:PORT/],
    ['a tag', 'origin: !!binary aGk=', /^\/c:1:18 origin: must be a name/],
    ['a list', '[]', /^\/c:1:1 must be a map/],
    ['no port', 'listen: localhost', /^\/c:1:\d+ listen: must be HOST:PORT/],
    ['a port beyond', 'listen: localhost:65536', /^\/c:1:\d+ listen: must be HOST:PORT/],
    ['a name with a space', 'origin: a b', /^\/c:1:\d+ origin: must be a name/],
    ['no seconds', 'silence_seconds: 0', /^\/c:1:\d+ silence_seconds: must be a whole number from 1 to/],
    ['syslog without a port', 'syslog: [{ address: example.org }]', /^\/c:1:\d+ syslog.address: must be HOST:PORT/],
    [
      'half a certificate',
      'syslog: [{ address: "a:1", cert_file: x }]',
      /^\/c:1:\d+ syslog: needs cert_file and key_file/,
    ],
    [
      'OTLP without scheme',
      'otlp: [{ url: example.org }]',
      /^\/c:1:\d+ otlp.url: must be a URL that begins with https:\/\/ or http/,
    ],
    [
      'a witness twice',
      `witnesses: [${`{ key: ${WITNESS}, url: https://w.example.org/ }, `.repeat(2)}]`,
      /^\/c:1:\d+ witnesses: must name at most 15 witnesses, each of them once/,
    ],
    ['files that are none', 'files: [1]', /^\/c:1:\d+ files: must be a path/],
    [
      'a detector without knobs',
      'detectors: { silence: { x: 1 } }',
      /^\/c:1:\d+ detectors.silence: no such key; known are /,
    ],
    [
      'a knob that is none',
      'detectors: { rate: { x: 1 } }',
      /^\/c:1:\d+ detectors.rate.x: no such key; known are deviations, /,
    ],
    [
      'a knob beyond its bounds',
      'detectors: { rate: { deviations: 1 } }',
      /^\/c:1:\d+ detectors.rate.deviations: must be a number from 2 to 100\. /,
    ],
    [
      'a hook without scheme',
      'webhooks:\n  - url: example.org',
      /^\/c:2:\d+ webhooks.url: must be a URL that begins with https:\/\/ or http/,
    ],
    [
      'a hook to a file',
      'webhooks: [{ url: "file:///etc/passwd" }]',
      /^\/c:1:\d+ webhooks.url: must be a URL that begins with https:\/\/ or http/,
    ],
  ];
  for (const [name, text, message] of MISTAKES) {
    test(`told: ${name}`, () => expect(() => parseConfig(text, '/c')).toThrow(message));
  }

  test('all mistakes at once', () => {
    expect(() => parseConfig('a: 1\nlisten: 2', '/c')).toThrow(/c:1:1 a: .*\n\/c:2:9 listen: /);
  });

  test('a file that everyone may write is refused', () => {
    const file = join(home, 'collector.yaml');
    writeFileSync(file, '');
    chmodSync(file, 0o666);
    expect(() => readConfig(file)).toThrow('chmod o-w');
  });

  test('what takes effect at once, and what waits for a start', () => {
    const live = Object.entries(KEYS).filter(([, { isLive }]) => isLive === true);
    expect(live.map(([name]) => name)).toEqual(['silence_seconds', 'webhooks', 'syslog', 'otlp', 'files', 'detectors']);
  });
});

describe('nodes.yaml', () => {
  const entry = (changes: Readonly<Record<string, string>> = {}): string => {
    const batchKey = formatVerifierKey(nodeKey.verifier);
    const keys = {
      name: 'node-1',
      role: 'generic',
      cohort: 'lab',
      batch_key: batchKey,
      transport_key: pin('A'),
      ...changes,
    };
    return `  - { ${Object.entries(keys)
      .filter(([, value]) => value !== '')
      .map(([key, value]) => `${key}: "${value}"`)
      .join(', ')} }\n`;
  };

  test('a node', () => {
    const nodes = parseRegistry(`nodes:\n${entry()}`, 'n');
    expect(nodes.get('node-1')).toMatchObject({
      name: 'node-1',
      role: 'generic',
      cohort: 'lab',
      transportKey: pin('A'),
    });
    expect(nodes.get('node-1')?.batchKey.id).toBe(nodeKey.verifier.id);
  });

  const MISTAKES: readonly (readonly [string, string, RegExp])[] = [
    ['no list', 'nodes: 1', /^n:1:\d+ nodes: must be a list/],
    ['another key', `nodes:\n${entry({ colour: 'red' })}`, /^n:2:\d+ nodes.colour: no such key/],
    ['no name', `nodes:\n${entry({ name: '' })}`, /^n:2:\d+ name: must be a name/],
    ['a name in capitals', `nodes:\n${entry({ name: 'Node' })}`, /^n:2:\d+ name: must be a name/],
    ['another role', `nodes:\n${entry({ role: 'boss' })}`, /^n:2:\d+ role: must be one of guest, host, generic/],
    ['a pin too short', `nodes:\n${entry({ transport_key: 'sha256/AA' })}`, /^n:2:\d+ transport_key: must be sha256/],
    ['no key', `nodes:\n${entry({ batch_key: 'x' })}`, /^n:2:\d+ batch_key: .*copy the line of identity.pub/],
    [
      'the key of another node',
      `nodes:\n${entry({ batch_key: formatVerifierKey(fixedKey('node-2', 7).verifier) })}`,
      /^n:2:\d+ batch_key: is a key of node-2, not of node-1/,
    ],
    ['a node twice', `nodes:\n${entry()}${entry({ transport_key: pin('B') })}`, /^n:3:\d+ node-1: stands twice/],
  ];
  for (const [name, text, message] of MISTAKES) {
    test(`told: ${name}`, () => expect(() => parseRegistry(text, 'n')).toThrow(message));
  }

  test('one transport key is one node', () => {
    const other = entry({ name: 'node-2', batch_key: formatVerifierKey(fixedKey('node-2', 7).verifier) });
    expect(() => parseRegistry(`nodes:\n${entry()}${other}`, 'n')).toThrow(
      'n:3:5 node-2: has the transport key of another',
    );
  });

  test('a changed file is read again; a mistake is told once and changes nothing', () => {
    const file = join(home, 'nodes.yaml');
    writeFileSync(file, 'nodes: []\n');
    const registry = Registry.open(file);
    expect(registry.refresh()).toBe(false);
    writeFileSync(file, `nodes:\n${entry()}`);
    expect(registry.refresh()).toBe(true);
    expect(registry.ofTransportKey(pin('A'))?.name).toBe('node-1');
    appendFileSync(file, 'more: 1\n');
    expect(() => registry.refresh()).toThrow('more: no such key');
    expect(registry.refresh()).toBe(false);
    expect(registry.node('node-1')?.name).toBe('node-1');
  });
});

describe('keys', () => {
  test('a collector begins with keys that only it may read, and keeps them', async () => {
    const made = await initCollector({ home, origin: 'localhost/test', listen: '127.0.0.1:1' });
    expect(made.pin).toMatch(/^sha256\/[A-Za-z0-9+/]{43}=$/);
    expect(parseVerifierKey(made.logKey).name).toBe('localhost/test');
    expect(readLogKey(home, 'localhost/test').verifier.id).toBe(parseVerifierKey(made.logKey).id);
    for (const name of ['log.key', 'tls.key', 'dashboard.token']) {
      expect((statSync(join(home, name)).mode & 0o777).toString(8), name).toBe('600');
    }
    expect(readConfig(join(home, 'collector.yaml'))).toMatchObject({ origin: 'localhost/test', listen: { port: 1 } });
    const key = readFileSync(join(home, 'log.key'));
    expect(await initCollector({ home, origin: 'localhost/test' })).toEqual(made);
    expect(readFileSync(join(home, 'log.key')).equals(key)).toBe(true);
  });

  test('a TLS identity is kept, and two are not alike', async () => {
    const first = await makeTlsIdentity(join(home, 'a'), 'a');
    expect(await makeTlsIdentity(join(home, 'a'), 'a')).toBe(first);
    expect(await makeTlsIdentity(join(home, 'b'), 'b')).not.toBe(first);
  });
});
