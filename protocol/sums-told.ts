/**
 * What sums told against what statements count: each `hushwatch.sum` stands in the counters too, so the counters of a chain
 * hold at least what all its lines have told. What they hold beyond that was counted one by one.
 */
import { recordOf } from './line.ts';
import type { Statement } from './statement.ts';
import { CLASSES, EVENTS, isEventName, type EventClass, type EventName } from './vocabulary.ts';

const SUM: EventName = 'hushwatch.sum';

interface Told {
  readonly counter: 'withheld' | 'merged' | 'sampled';
  readonly class: EventClass;
  readonly n: number;
}

export class SumsTold {
  readonly #byNode = new Map<string, Map<string, number>>();

  /** Lines of a batch whose signature and hash hold, whatever they say; what is wrong with its counters. */
  hear(statement: Statement, lines: readonly string[]): string | undefined {
    for (const line of lines) {
      const told = line.includes(SUM) ? toldIn(line) : undefined;
      if (told === undefined) continue;
      const name = `${told.counter} ${told.class}`;
      const node = this.#byNode.get(statement.node) ?? new Map<string, number>();
      this.#byNode.set(statement.node, node);
      const sum = (node.get(name) ?? 0) + told.n;
      node.set(name, sum);
      const counted = statement[told.counter][told.class] ?? 0;
      if (counted < sum) return `${name}: ${counted} counted, sums told of ${sum}`;
    }
    return undefined;
  }

  /** A chain that begins anew counts from nothing. */
  begin(node: string): void {
    this.#byNode.delete(node);
  }
}

function toldIn(line: string): Told | undefined {
  const { event, 'hushwatch.sum.of': of, 'hushwatch.sum.count': n } = recordOf(line) ?? {};
  if (event !== SUM || typeof of !== 'string' || typeof n !== 'number' || !Number.isSafeInteger(n) || n < 0)
    return undefined;
  if (isEventName(of)) return { counter: 'withheld', class: EVENTS[of].class, n };
  const [before, cls] = of.split('.', 2);
  const counter = (['merged', 'sampled'] as const).find((one) => one === before);
  const known = CLASSES.find((one) => one === cls);
  return counter === undefined || known === undefined ? undefined : { counter, class: known, n };
}
