/** Written, then run: what is told of content, and what hostile owners of files can do about it. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  linkSync,
  lstatSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AttributeName } from '#protocol/vocabulary.ts';
import type { Attributes, RawEvent } from '../../agent/event.ts';
import { Inspector, scriptOf } from '../../agent/inspect.ts';
import { deviceOf, Digester, MOST_BYTES, type Wanted } from '../../agent/inspect/digest.ts';
import { entropyOf, kindOf } from '../../agent/inspect/kind.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hushwatch-inspect-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

function file(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function wanted(path: string, changes: Partial<Wanted> = {}): Wanted {
  const { ino, dev } = lstatSync(path, { bigint: true });
  return { path, inode: Number(ino), device: deviceOf(dev), ranUs: Date.now() * 1_000, ...changes };
}

const ask = (path: string, changes: Partial<Wanted> = {}) => new Digester(() => false).ask(wanted(path, changes));

test('what a file is', async () => {
  const script = '#!/bin/sh\necho hello\n';
  expect(await ask(file('script', script))).toEqual({
    result: 'ok',
    size: script.length,
    kind: 'script',
    entropy: expect.closeTo(3.71, 1),
    sha256: sha256(script),
    md5: undefined,
  });
  expect(await ask(file('empty', ''))).toMatchObject({ result: 'ok', size: 0, kind: 'empty', sha256: sha256('') });
  const md5 = await new Digester(() => true).ask(wanted(file('md5', 'x')));
  expect(md5).toMatchObject({ md5: createHash('md5').update('x').digest('hex') });
});

test('of any size around the slices, the digest is that of the whole', async () => {
  for (const size of [1, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 3 << 20]) {
    const content = Buffer.alloc(size, 'hushwatch');
    expect(await ask(file('sized', content)), String(size)).toMatchObject({ size, sha256: sha256(content) });
  }
});

test('another object under the name, or another content since: changed', async () => {
  const path = file('swapped', 'good');
  const before = wanted(path);
  renameSync(file('evil', 'evil'), path);
  expect(await new Digester(() => false).ask(before)).toEqual({ result: 'changed' });

  const rewritten = file('rewritten', 'good');
  expect(await ask(rewritten, { ranUs: (Date.now() - 10_000) * 1_000 })).toEqual({ result: 'changed' });
  expect(await ask(rewritten, { device: '0:0' })).toEqual({ result: 'changed' });
});

test('what is no regular file, no file, a link, or too large is not read', async () => {
  const fifo = join(directory, 'fifo');
  expect(spawnSync('mkfifo', [fifo]).status).toBe(0);
  expect(await ask(fifo)).toEqual({ result: 'unreadable' });
  expect(await ask(directory)).toEqual({ result: 'unreadable' });

  const target = file('target', 'x');
  const link = join(directory, 'link');
  symlinkSync(target, link);
  expect(await new Digester(() => false).ask({ ...wanted(target), path: link })).toEqual({ result: 'unreadable' });
  expect(await new Digester(() => false).ask({ ...wanted(target), path: `${target}-gone` })).toEqual({
    result: 'unreadable',
  });

  const large = file('large', '');
  truncateSync(large, MOST_BYTES + 1);
  expect(await ask(large)).toEqual({ result: 'too-large', size: MOST_BYTES + 1 });
});

test('a file system that somebody else answers for is not touched', async () => {
  const path = file('mounted', 'x');
  const mounts = file(
    'mountinfo',
    `1 0 0:1 / / rw - ext4 /dev/vda rw\n2 1 0:9 / ${directory} rw shared:1 - fuse.sshfs host rw\n`,
  );
  expect(await new Digester(() => false, mounts).ask(wanted(path))).toEqual({ result: 'unreadable' });
});

test('the same content of the same object is read once', async () => {
  const path = file('cached', 'one');
  const digester = new Digester(() => false);
  const first = await digester.ask(wanted(path));
  expect(await digester.ask(wanted(path))).toEqual(first);
  writeFileSync(path, 'two');
  utimesSync(path, 0, 0);
  expect(await digester.ask(wanted(path))).toMatchObject({ sha256: sha256('two') });
});

test('kinds by their first bytes, whatever these are', () => {
  expect(kindOf(Buffer.from('\x7fELF\x02', 'latin1'))).toBe('elf');
  expect(kindOf(Buffer.from('#!/bin/sh'))).toBe('script');
  expect(kindOf(Buffer.from('PK\x03\x04'))).toBe('archive');
  expect(kindOf(Buffer.concat([Buffer.alloc(257, 'a'), Buffer.from('ustar')]))).toBe('archive');
  expect(kindOf(Buffer.from('import os\n'))).toBe('text');
  expect(kindOf(Buffer.from('größer\n'))).toBe('text');
  expect(kindOf(Buffer.from([0, 1, 2]))).toBe('data');
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => kindOf(bytes) !== 'pe' || bytes[0] === 0x4d));
});

test('entropy is between 0 and 8 bits', () => {
  expect(entropyOf(new Uint32Array(256))).toBe(0);
  expect(entropyOf(new Uint32Array(256).fill(3))).toBeCloseTo(8);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const counts = new Uint32Array(256);
      for (const byte of bytes) counts[byte] = (counts[byte] ?? 0) + 1;
      const entropy = entropyOf(counts);
      expect(entropy).toBeGreaterThanOrEqual(0);
      expect(entropy).toBeLessThanOrEqual(8);
    }),
  );
});

const exec = (path: string, args: readonly string[] = [], more: Attributes = {}): Attributes => ({
  'process.executable.path': path,
  'process.command_args': args,
  'process.working_directory': '/home/alex',
  ...more,
});

test.each([
  ['/usr/bin/bash', ['bash', 'x.sh'], '/home/alex/x.sh'],
  ['/usr/bin/dash', ['/bin/sh', '-e', '/tmp/x.sh', 'y'], undefined],
  ['/usr/bin/dash', ['/bin/sh', '-x', '/tmp/x.sh', 'y'], '/tmp/x.sh'],
  ['/usr/bin/python3.11', ['python3', '-u', '../x.py'], '/home/x.py'],
  ['/usr/bin/bash', ['bash', '-c', '/tmp/x.sh'], undefined],
  ['/usr/bin/python3', ['python3', '-m', 'http.server'], undefined],
  ['/usr/bin/bash', ['bash'], undefined],
  ['/usr/bin/bash', [], undefined],
  ['/usr/bin/cat', ['cat', '/tmp/x.sh'], undefined],
])('the script of %s %j', (path, args, script) => {
  expect(scriptOf(exec(path, args))).toBe(script);
});

/** An inspector, and what it tells of events. */
async function inspected(
  events: readonly RawEvent[],
  digester = new Digester(() => false),
): Promise<{ told: RawEvent[]; lost: number }> {
  let lost = 0;
  const inspector = new Inspector(digester, () => lost++);
  for (const event of events) inspector.note(event);
  const told: RawEvent[] = [];
  const stop = new AbortController();
  const done = (async () => {
    for await (const chunk of inspector.events(stop.signal)) told.push(...chunk);
  })();
  for (let before = -1; before !== told.length;) {
    before = told.length;
    await new Promise((settle) => setTimeout(settle, 30));
  }
  stop.abort();
  await done;
  inspector.close();
  return { told, lost };
}

function event(name: RawEvent['name'], attributes: Attributes): RawEvent {
  return { name, time: Date.now() * 1_000, fromSensor: true, attributes };
}

function written(path: string): RawEvent {
  const { inode, device } = wanted(path);
  return event('file.open', {
    'file.path': path,
    'file.open.access': 'write',
    'file.inode': inode,
    'file.device': device,
  });
}

function ran(path: string, more: Attributes = {}): RawEvent {
  const { inode, device } = wanted(path);
  return event(
    'process.exec',
    exec(path, [path], {
      'process.executable.inode': inode,
      'process.executable.device': device,
      'process.entity.id': '1-2',
      ...more,
    }),
  );
}

test('a program that was written and then run is told, once; when it is written again, again', async () => {
  const path = file('program', '\x7fELF and more');
  const { told, lost } = await inspected([written(path), ran(path), ran(path), written(path), ran(path)]);
  expect(lost).toBe(0);
  expect(told).toHaveLength(2);
  expect(told[0]?.fromSensor).toBeUndefined();
  expect(told[0]?.attributes).toMatchObject({
    'process.entity.id': '1-2',
    'file.path': path,
    'file.inspect.result': 'ok',
    'file.content.type': 'elf',
    'file.hash.sha256': sha256('\x7fELF and more'),
    'file.hashes': [`SHA256=${sha256('\x7fELF and more')}`],
  });
});

test('a script that was written elsewhere, moved and given to a shell: another attribute holds its digest', async () => {
  const path = file('download', 'echo hello');
  const moved = join(directory, 'x.sh');
  const before = written(path);
  renameSync(path, moved);
  const { told } = await inspected([
    before,
    event('file.rename', { 'file.path': path, 'file.target.path': moved }),
    event('process.exec', exec('/usr/bin/dash', ['sh', 'x.sh'], { 'process.working_directory': directory })),
  ]);
  expect(told.map(({ attributes }) => attributes)).toMatchObject([
    { 'file.path': moved, 'file.content.type': 'text', 'file.script.hash.sha256': sha256('echo hello') },
  ]);
  expect(told[0]?.attributes['file.hash.sha256']).toBeUndefined();
});

test('the same inode by another name counts; what was there before does not; what has no name is told without content', async () => {
  const path = file('one', '\x7fELF');
  const before = written(path);
  const other = join(directory, 'other');
  linkSync(path, other);
  const { told } = await inspected([
    before,
    ran(other),
    ran(file('old', 'x')),
    event('process.exec', exec('/memfd:x', [], { 'process.executable.deleted': true })),
  ]);
  expect(told.map(({ attributes }) => [attributes['file.path'], attributes['file.inspect.result']])).toEqual([
    [other, 'ok'],
    ['/memfd:x', 'unreadable'],
  ]);
});

test('a full queue is counted; so is what waits at the end', async () => {
  const path = file('flood', 'x');
  let lost = 0;
  const inspector = new Inspector(new Digester(() => false), () => lost++);
  for (let i = 0; i < 300; i++) {
    inspector.note(written(path));
    inspector.note(ran(path));
  }
  expect(lost).toBe(300 - 256);
  inspector.close();
  expect(lost).toBe(300);
});

test('any events whatever break nothing', async () => {
  const value = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(undefined), fc.array(fc.string()));
  const names: readonly AttributeName[] = [
    'file.path',
    'file.target.path',
    'file.inode',
    'file.device',
    'file.open.access',
    'process.executable.path',
    'process.executable.inode',
    'process.executable.deleted',
    'process.command_args',
    'process.working_directory',
  ];
  const attributes = fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom<RawEvent['name']>('file.open', 'file.rename', 'process.exec'), attributes)),
      (events) => {
        const inspector = new Inspector(new Digester(() => false), () => {});
        for (const [name, carried] of events) inspector.note(event(name, carried));
      },
    ),
  );
});
