/**
 * Which software a node runs, as far as evidence tells: agent and rules by its statements, system and kernel by its
 * inventory. What was learned under one release need not hold under the next, so baselines relearn after a change.
 *
 * A part that becomes known is not a change; a part that becomes another one is.
 */
import type { EvidenceBatch, ReleasedRecord } from './detector.ts';
import { mapOf, numberOf, rowsOf, textOf } from './saved.ts';

const PARTS = ['agent', 'rules', 'system', 'kernel'] as const;
type Part = (typeof PARTS)[number];

interface Running {
  readonly parts: Map<Part, string>;
  /** Time of the last change; 0 when there was none. */
  changedAt: number;
}

export interface ReleaseChange {
  readonly part: Part;
  readonly before: string;
  readonly after: string;
}

export class Releases {
  readonly #nodes: Map<string, Running>;

  constructor(saved?: unknown) {
    this.#nodes = mapOf(saved, ([changedAt, ...parts]) => {
      const known = PARTS.flatMap((part, i) => {
        const text = textOf(parts[i]);
        return text === undefined ? [] : [[part, text] as const];
      });
      return { parts: new Map(known), changedAt: numberOf(changedAt) ?? 0 };
    });
  }

  /** What the statement tells; before the events of the batch. */
  begin({ node, statement, events, receivedAt }: EvidenceBatch): readonly ReleaseChange[] {
    const { version, build } = statement.agent;
    const time = events[0]?.time ?? receivedAt;
    return [
      ...this.#set(node, 'agent', `${version} (${build.slice(0, 12)})`, time),
      ...this.#set(node, 'rules', statement.ruleset.slice(0, 12), time),
    ];
  }

  observe(node: string, record: ReleasedRecord): readonly ReleaseChange[] {
    if (record.event !== 'host.inventory') return [];
    const name = textOf(record['os.name']);
    const system = name === undefined ? undefined : `${name} ${textOf(record['os.version']) ?? ''}`.trim();
    return [
      ...this.#set(node, 'system', system, record.time),
      ...this.#set(node, 'kernel', textOf(record['os.kernel.release']), record.time),
    ];
  }

  #set(node: string, part: Part, after: string | undefined, time: number): readonly ReleaseChange[] {
    if (after === undefined) return [];
    let running = this.#nodes.get(node);
    if (running === undefined) this.#nodes.set(node, (running = { parts: new Map<Part, string>(), changedAt: 0 }));
    const before = running.parts.get(part);
    running.parts.set(part, after);
    if (before === undefined || before === after) return [];
    running.changedAt = Math.max(running.changedAt, time);
    return [{ part, before, after }];
  }

  /** In words: `agent 0.1.0 (…), rules …, system Debian GNU/Linux 12, kernel 6.1.0`. */
  of(node: string): string {
    const parts = this.#nodes.get(node)?.parts ?? new Map<Part, string>();
    return PARTS.flatMap((part) => (parts.has(part) ? [`${part} ${parts.get(part)}`] : [])).join(', ');
  }

  changedAt(node: string): number {
    return this.#nodes.get(node)?.changedAt ?? 0;
  }

  save(): unknown {
    return rowsOf(this.#nodes, ({ parts, changedAt }) => [changedAt, ...PARTS.map((part) => parts.get(part) ?? null)]);
  }
}
