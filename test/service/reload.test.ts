/** A configuration read again: as a whole or not at all, one at a time, and what happened is on the disk. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readReport, Reloader, type Reloading } from '../../service/reload.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hushwatch-reload-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

class Process {
  text = 'a';
  inForce = 'start';
  read = 0;
  readonly said: string[] = [];
  readonly report = join(directory, 'configuration.json');
  readonly reloader: Reloader<string>;

  constructor(changes: Partial<Reloading<string>> = {}) {
    this.reloader = new Reloader({
      file: '/etc/x.yaml',
      report: this.report,
      read: () => {
        this.read += 1;
        if (this.text === 'broken') throw new Error('/etc/x.yaml:1:1 nod: no such key');
        return this.text;
      },
      prepare: (config) => {
        if (config === 'foreign') throw new Error('no certificate');
        return () => void (this.inForce = config);
      },
      waiting: (config) => (config === 'later' ? ['listen'] : []),
      log: { info: (_, what) => void this.said.push(what), error: (_, what) => void this.said.push(what) },
      ...changes,
    });
  }

  [Symbol.dispose](): void {
    this.reloader.end();
  }
}

test('a good one is in force; what waits for a start is named', async () => {
  using process = new Process();
  expect(readReport(process.report)).toMatchObject({ file: '/etc/x.yaml', reloads: 0, refused: 0, waiting: [] });
  process.text = 'later';
  await process.reloader.reload();
  expect(process.inForce).toBe('later');
  expect(readReport(process.report)).toMatchObject({ reloads: 1, refused: 0, waiting: ['listen'] });
});

test.each(['broken', 'foreign'])(
  'a bad one changes nothing, is told and counted, until a good one comes: %s',
  async (text) => {
    using process = new Process();
    process.text = text;
    await process.reloader.reload();
    await process.reloader.reload();
    expect(process.inForce).toBe('start');
    expect(process.said).toEqual(Array(2).fill('the new configuration cannot be used; the former one stays in force'));
    expect(readReport(process.report)).toMatchObject({ reloads: 0, refused: 2, problem: expect.stringMatching(/no /) });
    process.text = 'good';
    await process.reloader.reload();
    expect(process.inForce).toBe('good');
    expect(readReport(process.report)).toMatchObject({ reloads: 1, refused: 2 });
    expect(readReport(process.report)).not.toHaveProperty('problem');
  },
);

test('SIGHUP asks for it; many at once are served by two', async () => {
  const slow = Promise.withResolvers<void>();
  using it = new Process({ prepare: async () => (await slow.promise, () => {}) });
  for (let i = 0; i < 5; i++) process.emit('SIGHUP', 'SIGHUP');
  slow.resolve();
  await it.reloader.reload();
  expect(it.read).toBeLessThanOrEqual(3);
  expect(it.said.length).toBe(it.read);
  it.reloader.end();
  expect(process.listenerCount('SIGHUP')).toBe(0);
});

test('the report follows no link, and a report that is none is no report', async () => {
  const target = join(directory, 'target');
  writeFileSync(target, 'untouched');
  symlinkSync(target, join(directory, 'configuration.json'));
  using process = new Process();
  expect(readFileSync(target, 'utf8')).toBe('untouched');
  expect(readReport(process.report)?.reloads).toBe(0);
  for (const text of ['', '{', '[]', 'null', '{"file":"x"}', '{"file":1,"since":-1}', 'x'.repeat(70_000)]) {
    writeFileSync(target, text);
    expect(readReport(target)).toBeUndefined();
  }
  expect(readReport(join(directory, 'none'))).toBeUndefined();
});
