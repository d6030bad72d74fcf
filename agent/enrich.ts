/**
 * Frame to raw event: who acted, under what name, in which unit, with which ancestors.
 *
 * One family of frames, one file of `enrich/`. Literals keep one shape for each kind of event: this runs for everything
 * the machine does.
 */
import type { Clock } from './clock.ts';
import { fileEvent } from './enrich/file.ts';
import { kernelEvent } from './enrich/kernel.ts';
import { mountEvent } from './enrich/mount.ts';
import { networkEvent } from './enrich/network.ts';
import { PathMemory } from './enrich/path-memory.ts';
import { privilegeEvent } from './enrich/privilege.ts';
import { describeProcess, processEvent } from './enrich/process.ts';
import type { Known } from './enrich/told.ts';
import type { RawEvent } from './event.ts';
import type { ProcessTable } from './process-table.ts';
import type { CountersFrame, DescribedFrame, HelloFrame, ObservedFrame } from './sources/frame.ts';
import type { UserNames } from './users.ts';

export class Enricher {
  readonly #known: Known;
  readonly #paths = new PathMemory();
  #processesLost = 0;

  constructor(processes: ProcessTable, users: UserNames, clock: Clock) {
    this.#known = { processes, users, clock };
  }

  /** Who lives already. */
  learn(frame: DescribedFrame): void {
    describeProcess(frame, this.#known);
  }

  /** What the sensor lost of processes makes us doubt what we know of them; it describes them anew. */
  counted({ atNs, classes }: CountersFrame): void {
    const lost = classes.process?.lost ?? 0;
    if (lost > this.#processesLost) this.#known.processes.doubt(atNs);
    this.#processesLost = lost;
  }

  /** Another sensor: between the last one and this one nothing was seen. */
  met({ atNs }: HelloFrame): void {
    this.#known.processes.doubt(atNs);
    this.#processesLost = 0;
  }

  enrich(frame: ObservedFrame): RawEvent {
    switch (frame.kind) {
      case 'fork':
      case 'exec':
      case 'exec-refused':
      case 'exit':
      case 'image':
        return processEvent(frame, this.#known);

      case 'credentials':
      case 'capabilities':
      case 'trace':
      case 'access':
      case 'signal':
      case 'memory':
      case 'namespace':
      case 'key':
        return privilegeEvent(frame, this.#known);

      case 'open':
      case 'delete':
      case 'rename':
      case 'link':
      case 'symlink':
      case 'chmod':
      case 'chown':
      case 'memfd':
      case 'create':
      case 'modify':
      case 'truncate':
      case 'xattr':
        return fileEvent(frame, this.#known, this.#paths);

      case 'mount':
      case 'unmount':
      case 'pivot-root':
        return mountEvent(frame, this.#known);

      case 'connect':
      case 'accept':
      case 'listen':
      case 'bind':
      case 'send':
      case 'socket':
      case 'flow':
      case 'dns-query':
      case 'dns-answer':
        return networkEvent(frame, this.#known);

      case 'module-load':
      case 'bpf-load':
      case 'module-unload':
      case 'bpf-object':
      case 'kexec':
      case 'io-uring':
      case 'perf':
        return kernelEvent(frame, this.#known);
    }
  }
}
