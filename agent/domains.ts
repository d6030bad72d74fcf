/**
 * SELinux: which context stands behind the kernel's number of a domain.
 *
 * Frames carry the number as it was in that moment, also of processes that are gone; /proc tells the context of processes that
 * live. So each number is looked up once, through any process that has it, and a second time a while later: a process that
 * became another program in between would have told the wrong one. Where SELinux is off there is no number, and nobody is
 * asked. Bounded: the kernel makes a number for each context, and containers may have thousands.
 */
import { readFileSync } from 'node:fs';

interface Domain {
  context: string;
  askedAtNs: number;
  /** Two processes, or one twice, said the same. */
  isSure: boolean;
}

const MOST = 8_192;
const SECOND_LOOK_NS = 1e9;
/** user:role:type, and a range where the policy has levels. */
const CONTEXT = /^[\w.-]{1,64}:[\w.-]{1,64}:[\w.-]{1,128}(?::[\w.,:-]{1,512})?$/;

export class Domains {
  readonly #proc: string | undefined;
  readonly #known = new Map<number, Domain>();
  readonly #hidden = new Set<number>();

  /** Without `proc`, nothing is known: its numbers may be those of another pid namespace. */
  constructor(proc?: string) {
    this.#proc = proc;
  }

  /** Of a number that process `pid` has, or had a moment ago. */
  of(domain: number, pid: number, atNs: number): string | undefined {
    if (domain === 0) return undefined;
    const known = this.#known.get(domain);
    if (known === undefined) return this.#ask(domain, pid, atNs);
    if (known.isSure || atNs - known.askedAtNs < SECOND_LOOK_NS) return known.context;
    return this.#ask(domain, pid, atNs) ?? known.context;
  }

  #ask(domain: number, pid: number, atNs: number): string | undefined {
    const context = this.#hidden.has(domain) ? undefined : this.#read(domain, pid);
    if (context === undefined) return undefined;
    const isSure = this.#known.get(domain)?.context === context;
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(domain, { context, askedAtNs: atNs, isSure });
    return context;
  }

  /** Undefined where it ended; where the policy does not let us look it is never asked again. */
  #read(domain: number, pid: number): string | undefined {
    if (this.#proc === undefined) return undefined;
    try {
      const text = readFileSync(`${this.#proc}/${pid}/attr/current`, 'utf8').replace(/\0?\n?$/, '');
      return CONTEXT.test(text) ? text : undefined;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EACCES' && this.#hidden.size < MOST)
        this.#hidden.add(domain);
      return undefined;
    }
  }
}
