/** Boot time to UTC. Frames carry CLOCK_BOOTTIME; events carry microseconds since 1970. */
import { readFileSync } from 'node:fs';

export interface Clock {
  /** Microseconds since 1970, UTC, of a moment in nanoseconds since boot. */
  utc(bootNs: number): number;
  /** Nanoseconds since boot, now. */
  bootNs(): number;
}

/** /proc/uptime is CLOCK_BOOTTIME in hundredths; anything below that resolution is not a suspend. */
const RESOLUTION_NS = 2e7;

/** `anchor()` again now and then: UTC may be stepped, boot time is not. */
export class SystemClock implements Clock {
  #offsetUs = 0;
  #suspendedNs = 0;

  constructor() {
    this.anchor();
  }

  anchor(): void {
    const monotonic = Number(process.hrtime.bigint());
    const uptime = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1e9;
    this.#suspendedNs = uptime - monotonic > RESOLUTION_NS ? uptime - monotonic : 0;
    this.#offsetUs = Date.now() * 1_000 - this.bootNs() / 1_000;
  }

  bootNs(): number {
    return Number(process.hrtime.bigint()) + this.#suspendedNs;
  }

  utc(bootNs: number): number {
    return Math.round(bootNs / 1_000 + this.#offsetUs);
  }
}
