/**
 * Stories into a file, a JSON object a line, each turn on the disk before the cursor moves.
 *
 * The file is opened for each turn and only ever appended to, so it may be moved away or cut at any time: logrotate
 * needs no signal. A line that a crash left torn is ended first; its story comes again whole.
 */
import { open } from 'node:fs/promises';
import type { StoryRow } from '../findings.ts';
import { messageId, type Output } from './output.ts';

export function makeFile(path: string): Output {
  return { name: `file ${path}`, deliver: async (stories) => await append(path, stories.map(lineOf).join('')) };
}

const lineOf = ({ seq: _seq, ...story }: StoryRow): string =>
  `${JSON.stringify({ message: messageId(story), ...story })}\n`;

async function append(path: string, lines: string): Promise<void> {
  // Alerts speak of what happens on nodes: for their owner and group alone.
  await using file = await open(path, 'a+', 0o640);
  const { size } = await file.stat();
  const last = Buffer.alloc(1);
  const isTorn = size > 0 && (await file.read(last, 0, 1, size - 1)).bytesRead === 1 && last.toString() !== '\n';
  await file.appendFile((isTorn ? '\n' : '') + lines);
  await file.sync();
}
