/** rsyslog as a redactor: a file in, addresses anonymised (mmanon), parsed (mmjsonparse), written again as JSON. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds } from './processes.ts';

const MAX_WAIT_MS = 60_000;

/** Processor seconds for these lines, its start included; undefined when it is not installed. */
export async function rsyslogSeconds(home: string, lines: readonly string[]): Promise<number | undefined> {
  if (spawnSync('sh', ['-c', 'command -v rsyslogd']).status !== 0) return undefined;
  const directory = join(home, 'rsyslog');
  mkdirSync(directory);
  const output = join(directory, 'out.ndjson');
  writeFileSync(join(directory, 'in.ndjson'), `${lines.join('\n')}\n`);
  writeFileSync(join(directory, 'rsyslog.conf'), configurationOf(directory));
  const child = spawn('rsyslogd', ['-n', '-f', join(directory, 'rsyslog.conf'), '-i', join(directory, 'pid')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    const deadline = Date.now() + MAX_WAIT_MS;
    while (linesIn(output) < lines.length) {
      if (Date.now() > deadline) throw new Error(`rsyslog wrote ${linesIn(output)} of ${lines.length} lines`);
      await sleep(100);
    }
    return cpuSeconds(child.pid ?? 0);
  } finally {
    child.kill('SIGTERM');
    await new Promise((settle) => child.once('close', settle));
    rmSync(directory, { recursive: true });
  }
}

function linesIn(file: string): number {
  try {
    return readFileSync(file).reduce((count, byte) => (byte === 10 ? count + 1 : count), 0);
  } catch {
    return 0; // Not written yet.
  }
}

const configurationOf = (directory: string): string => `
global(workDirectory="${directory}" maxMessageSize="64k")
module(load="imfile" mode="inotify")
module(load="mmanon")
module(load="mmjsonparse")
template(name="out" type="string" string="%$!all-json%\\n")
input(type="imfile" file="${directory}/in.ndjson" tag="app" freshStartTail="off" ruleset="redact")
ruleset(name="redact") {
  action(type="mmanon" ipv4.mode="random-consistent" ipv6.anonmode="random-consistent")
  action(type="mmjsonparse" cookie="")
  action(type="omfile" file="${directory}/out.ndjson" template="out" ioBufferSize="64k" flushOnTXEnd="on")
}
`;
