/**
 * `npm run noise [-- --hours 2] [--home DIRECTORY] [--attach]`: ordinary activity under the whole product, recorded as
 * evidence in DIRECTORY, then how often which rule would have called somebody. With `--attach` the product already runs there.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isRoot, Stack } from '../stack.ts';
import { Activity } from './activity.ts';

const PORT = 18_466;

const { values } = parseArgs({
  options: {
    hours: { type: 'string', default: '2' },
    home: { type: 'string', default: '.noise' },
    attach: { type: 'boolean', default: false },
  },
});
if (!isRoot) throw new Error('npm run noise needs root: it boots a container under the real sensor');
const home = resolve(values.home);
mkdirSync(home, { recursive: true });
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

const stack = values.attach ? undefined : await new Stack(PORT, {}, home).start();
const file = join(home, 'ordinary.json');
await new Activity((told) => writeFileSync(file, JSON.stringify(told))).run(Number(values.hours), stop.signal);
await stack?.settled();
await stack?.stop();
const report = fileURLToPath(new URL('report.ts', import.meta.url));
process.exitCode = spawnSync(process.execPath, [report, home], { stdio: 'inherit' }).status ?? 1;
