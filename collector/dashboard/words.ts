/** How numbers, times and values read on a page. */
import { epochStart, type Epochs } from '#protocol/statement.ts';
import type { ReleasedRecord } from '../detectors/detector.ts';
import { html, type Html } from './html.ts';

const NUMBER = new Intl.NumberFormat('en');
export const number = (n: number): string => NUMBER.format(n);

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
] as const;

/** `12 s`, `5 min`, `3 h`; the exact moment in its title. The page keeps it current where scripts run. */
export function ago(us: number, now: number): Html {
  if (us === 0) return html`<span class="quiet">never</span>`;
  const iso = new Date(us / 1_000).toISOString();
  return html`<time datetime="${iso}" title="${iso}">${since(us, now)} ago</time>`;
}

export function since(us: number, now: number): string {
  const seconds = Math.max(0, (now - us) / 1e6);
  const [unit, size] = UNITS.find(([, each]) => seconds >= each) ?? ['s', 1];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** Until when pseudonyms stay what they are: `epoch 690, of 30 d, since 2026-09-12 (node, cohort)`. */
export function epochsInWords(epochs: Epochs): string {
  const { hours, first, last, scopes } = epochs;
  const day = new Date(epochStart(last, epochs) / 1_000)
    .toISOString()
    .replace(/T00:00.*/, '')
    .replace(/:00\.000Z/, 'Z');
  const length = hours % 24 === 0 ? `${number(hours / 24)} d` : `${number(hours)} h`;
  const which = first === last ? `epoch ${last}` : `epochs ${first} to ${last}`;
  return `${which}, of ${length}, since ${day} (${scopes.join(', ')})`;
}

/** A value as text. Lists read as a shell would show them. */
export function value(v: unknown): string {
  return Array.isArray(v) ? v.map(String).join(' ') : String(v);
}

const MOST = 2_000;
export const cut = (text: string): string =>
  text.length <= MOST ? text : `${text.slice(0, MOST)}… (${number(text.length)} characters)`;

/** One line that says what an event is about: who, and what was touched. */
export function summary(record: ReleasedRecord): string {
  const at = (name: string): string => (record[name] === undefined ? '' : value(record[name]));
  const who = at('process.executable.path') || at('hushwatch.component');
  const what =
    at('process.command_args') ||
    [at('file.path') || at('file.name'), at('file.target.path')].filter(Boolean).join(' → ') ||
    at('network.unix.path') ||
    [at('network.peer.address'), at('network.peer.port')].filter(Boolean).join(' port ') ||
    (at('network.local.port') && `port ${at('network.local.port')}`) ||
    at('kernel.module.name') ||
    at('kernel.bpf.program.name') ||
    at('process.target.executable.path');
  const result = at('error.type') && `refused: ${at('error.type')}`;
  return cut([who, what, result].filter(Boolean).join(' · ') || '—');
}
