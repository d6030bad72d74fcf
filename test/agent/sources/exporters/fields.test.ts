/** The parts that mappers read with: fields of a line, words of an argument text, addresses in bytes, what was lost. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { falcoMapper } from '../../../../agent/sources/exporters/falco.ts';
import { parseLine } from '../../../../agent/sources/exporters/json.ts';
import { laurelMapper } from '../../../../agent/sources/exporters/laurel.ts';
import { sockaddrOf } from '../../../../agent/sources/exporters/sockaddr.ts';
import { tetragonMapper, wordsOf } from '../../../../agent/sources/exporters/tetragon.ts';
import { traceeMapper } from '../../../../agent/sources/exporters/tracee.ts';
import { tell, users } from './real-lines.ts';

describe('fields', () => {
  test('numbers beyond 2^53 are exact where they can be, and dropped and counted where they cannot', () => {
    const line = parseLine(
      '{"time":1715108059341081180,"inode":18446744073709551615,"text":"9007199254740993","ok":"7"}',
    );
    expect(line?.nanoseconds('time')).toBe(1_715_108_059_341_081);
    expect(line?.digits('inode')).toBe('18446744073709551615');
    expect(line?.unusable).toBe(0);
    expect(line?.int('inode')).toBeUndefined();
    expect(line?.int('text')).toBeUndefined();
    expect(line?.unusable).toBe(2);
    expect(line?.int('ok')).toBe(7);
  });

  test('every integer is read exactly, or not at all', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }), fc.boolean(), (number, isText) => {
        const line = parseLine(`{"n":${isText ? `"${number}"` : number}}`);
        const read = line?.int('n');
        expect(read === undefined ? undefined : BigInt(read)).toBe(
          Number.isSafeInteger(Number(number)) && BigInt(Number(number)) === number ? number : undefined,
        );
      }),
    );
  });

  test('the last of two keys counts; names of Object.prototype are none', () => {
    const line = parseLine('{"a":"1","a":"2","__proto__":{"b":"3"}}');
    expect(line?.text('a')).toBe('2');
    expect(line?.text('b')).toBeUndefined();
    expect(line?.has('constructor')).toBe(false);
  });

  test('of the wrong type: dropped and counted; null and empty: absent', () => {
    const line = parseLine('{"a":{},"b":null,"c":"","d":[1],"e":1.5,"f":"maybe"}');
    expect([line?.text('a'), line?.text('b'), line?.text('c'), line?.texts('d')]).toEqual(Array(4).fill(undefined));
    expect([line?.int('e'), line?.flag('f'), line?.in('b').text('x')]).toEqual(Array(3).fill(undefined));
    expect(line?.unusable).toBe(4);
  });

  test('times with every zone, none that is no time', () => {
    const line = parseLine(
      '{"a":"2024-05-07T18:54:19.341081180Z","b":"2024-05-07T20:54:19+02:00","c":"2021-04-13T20:58:00Z+2","d":"2024-13-41T00:00:00Z"}',
    );
    expect(line?.time('a')).toBe(1_715_108_059_341_081);
    expect(line?.time('b')).toBe(1_715_108_059_000_000);
    expect(line?.time('c')).toBeUndefined();
    expect(line?.time('d')).toBeUndefined();
  });
});

describe('words of a text of arguments', () => {
  test.each([
    ['-c "curl -s x"', ['-c', 'curl -s x']],
    ['a  b ', ['a', '', 'b', '']],
    ['"one two"', ['one two']],
    ['say "hi', undefined],
    ['"x" y', undefined],
    ['a"b', undefined],
    ['"a b"c', undefined],
  ])('%s', (text, words) => expect(wordsOf(text)).toEqual(words));

  test('without quotes in them, every list of arguments is what it was', () => {
    const word = fc.string({ minLength: 1 }).filter((one) => !one.includes('"'));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), (words) => {
        expect(wordsOf(words.map((one) => (one.includes(' ') ? `"${one}"` : one)).join(' '))).toEqual(words);
      }),
    );
  });
});

describe('socket addresses', () => {
  const of = (hex: string): unknown =>
    Object.fromEntries(Object.entries(sockaddrOf(Buffer.from(hex, 'hex'))).filter(([, value]) => value !== undefined));

  test('of every family that we know, and of none', () => {
    expect(of('020001bbcb0071070000000000000000')).toEqual({
      'network.type': 'ipv4',
      'network.peer.address': '203.0.113.7',
      'network.peer.port': 443,
    });
    expect(of('0a0001bb0000000020010db800000000000000000000000100000000')).toMatchObject({
      'network.peer.address': '2001:db8::1',
    });
    expect(of('0a0001bb0000000000000000000000000000ffffcb00710700000000')).toMatchObject({
      'network.peer.address': '203.0.113.7',
    });
    expect(of('010000612f62')).toEqual({ 'network.transport': 'unix', 'network.unix.path': '@a/b' });
    expect(of('10000000')).toEqual({});
  });

  test('no bytes make it throw', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void sockaddrOf(Buffer.from(bytes))));
  });
});

describe('what exporters say they lost', () => {
  test('Tetragon: a number, as text too; and for how long it was throttled', () => {
    const map = tetragonMapper(users);
    expect(tell(map, '{"rate_limit_info":{"number_of_dropped_process_events":"12"},"time":"x"}')).toEqual({
      lostOfAnyKind: 12,
    });
    const throttle = (type: string, second: number): unknown =>
      tell(map, `{"process_throttle":{"type":"${type}","cgroup":"a"},"time":"2024-07-26T13:07:0${second}Z"}`);
    expect(throttle('THROTTLE_START', 1)).toEqual({ blind: 0 });
    expect(throttle('THROTTLE_STOP', 4)).toEqual({ blind: 3 });
  });

  test('Falco: drops by kind, the rest without; snapshots say how many more', () => {
    const drop =
      '{"rule":"Falco internal: syscall event drop","output_fields":{"n_drops":"20","n_drops_buffer_open_exit":"5","n_drops_buffer_execve_exit":"2"}}';
    expect(tell(falcoMapper(users), drop)).toEqual({ lost: { process: 2, file: 5, network: 0 }, lostOfAnyKind: 13 });
    const snapshot = (queue: number): string =>
      `{"rule":"Falco internal: metrics snapshot","output_fields":{"scap.n_drops":9,"scap.n_drops_prev":4,"falco.outputs_queue_num_drops":${queue}}}`;
    const map = falcoMapper(users);
    expect(tell(map, snapshot(3))).toEqual({ lostOfAnyKind: 5 });
    expect(tell(map, snapshot(4))).toEqual({ lostOfAnyKind: 6 });
  });

  test('Tracee: its own log line', () => {
    expect(tell(traceeMapper(users), '{"level":"warn","ts":1.5,"msg":"Lost 3 events"}')).toEqual({ lostOfAnyKind: 3 });
  });
});

test('laurel: percent signs become the bytes that they stand for, relative names become whole', () => {
  const line = JSON.stringify({
    ID: '1700000000.001:1',
    SYSCALL: {
      SYSCALL: 'openat',
      pid: 7,
      exe: '/usr/bin/a%20b',
      exit: 3,
      ARGV: ['0xffffff9c', '0x7f', '0x241', '0x1b6'],
    },
    CWD: { cwd: '/home/user' },
    PATH: [
      { name: 'd', nametype: 'PARENT' },
      { name: 'd/%c3%a9%25', nametype: 'CREATE', mode: '0o100644', dev: 'fd:01' },
    ],
  });
  const told = tell(laurelMapper(users), line);
  expect(told).toMatchObject({
    event: {
      name: 'file.open',
      attributes: {
        'process.executable.path': '/usr/bin/a b',
        'file.path': '/home/user/d/é%',
        'file.open.access': 'write',
        'file.open.truncated': true,
        'file.open.created': true,
        'file.device': '253:1',
        'file.mode': '0644',
      },
    },
  });
});
