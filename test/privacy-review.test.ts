/** The guide for privacy reviewers, walked: every command is run as it stands, every answer shown is what came. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { initCollector } from '../collector/keys.ts';

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));
const GUIDE = readFileSync(join(CHECKOUT, 'docs/privacy-review.md'), 'utf8');
const COLLECTOR = '/var/lib/hushwatch/collector';

const work = mkdtempSync(join(tmpdir(), 'hushwatch-review-'));
const home = join(work, 'home');
let running: ChildProcess | undefined;

beforeAll(async () => {
  for (const name of ['redaction-rules', 'collector', 'test']) symlinkSync(join(CHECKOUT, name), join(work, name));
  await initCollector({ home, origin: 'localhost/test', listen: '127.0.0.1:0', dashboard: '127.0.0.1:0' });
  writeFileSync(join(home, 'nodes.yaml'), 'nodes: []\n');
  await startCollector();
});
afterAll(async () => {
  await stopCollector();
  rmSync(work, { recursive: true });
});

async function startCollector(): Promise<void> {
  const config = join(home, 'collector.yaml');
  const child = spawn(process.execPath, [join(CHECKOUT, 'hushwatch.ts'), 'collector', 'run', '--config', config]);
  running = child;
  let said = '';
  await new Promise<void>((settle, fail) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes('"msg":"ready"')) settle();
      });
    }
    child.once('close', (code) => fail(new Error(`ended with ${String(code)}: ${said}`)));
  });
}

async function stopCollector(): Promise<void> {
  const child = running;
  if (child === undefined || child.exitCode !== null) return;
  const gone = new Promise((settle) => child.once('close', settle));
  child.kill('SIGTERM');
  await gone;
}

/** A block of commands with its exit code, an edit, or an answer to the commands before it. */
const BLOCK = /(?:<!-- exit (\d) -->\n\n)?```(sh|yaml|text)\n([^]*?)```/g;

function run(commands: string): { readonly status: number | null; readonly output: string } {
  const npx = 'npx() { shift; "$HUSHWATCH_NODE" "$HUSHWATCH_CHECKOUT/hushwatch.ts" "$@"; }';
  const script = `set -e\n${npx}\n${commands.replaceAll(COLLECTOR, home)}`;
  const environment = { HUSHWATCH_NODE: process.execPath, HUSHWATCH_CHECKOUT: CHECKOUT, HUSHWATCH_HOME: work };
  writeFileSync(join(work, 'commands'), script);
  // A preview is for a terminal.
  const [program, args] = commands.includes('rules preview')
    ? ['script', ['-qec', 'bash commands', '/dev/null']]
    : ['bash', ['commands']];
  const { status, stdout, stderr } = spawnSync(program, args, {
    ...{ cwd: work, encoding: 'utf8', maxBuffer: 1e8, env: { ...process.env, TERM: 'dumb', ...environment } },
  });
  return { status, output: `${stdout}\n${stderr}` };
}

/** Each line takes the place of the one that begins with the same key. */
function edit(lines: string): void {
  const file = join(work, 'review/new.yaml');
  let text = readFileSync(file, 'utf8');
  for (const line of lines.trimEnd().split('\n')) {
    const key = /^ *[a-z_.]+: /.exec(line)?.[0] ?? '';
    const start = text.search(new RegExp(`^${key}`, 'm'));
    expect(start, line).toBeGreaterThanOrEqual(0);
    text = text.slice(0, start) + line + text.slice(text.indexOf('\n', start));
  }
  writeFileSync(file, text);
}

/** `…` stands for anything within a line, any space for any space. */
function expectShown(answer: string, output: string): void {
  for (const line of answer.trimEnd().split('\n')) {
    const words = line
      .trim()
      .split(/…/)
      .map((part) =>
        part
          .trim()
          .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
          .replace(/ +/g, ' +'),
      );
    expect(output, line).toMatch(new RegExp(words.join('[^\\n]*')));
  }
}

test('the guide', { timeout: 240_000 }, async () => {
  let output = '';
  let commands = 0;
  for (const [, exit = '0', kind, text = ''] of GUIDE.matchAll(BLOCK)) {
    if (kind === 'yaml') edit(text);
    else if (kind === 'text') expectShown(text, output);
    else {
      // The operator has put the list of reviewers where the collector reads it when it starts.
      if (text.includes('rules publish')) {
        await stopCollector();
        copyFileSync(join(work, 'review/reviewers'), join(home, 'reviewers'));
        await startCollector();
      }
      const done = run(text);
      expect(done.status, `${text}\n${done.output}`).toBe(Number(exit));
      ({ output } = done);
      commands++;
    }
  }
  expect(commands).toBeGreaterThan(10);
  expect(existsSync(join(work, 'review/what-leaves.html'))).toBe(true);
});
