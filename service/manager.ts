/**
 * Between a process and the service manager: that it is ready, alive, reading its configuration again, stopping (sd_notify(3)); the socket it was given (sd_listen_fds(3)).
 *
 * `hushwatch-launch` leaves a connected datagram socket open and names it in HUSHWATCH_NOTIFY; writing to it is sending. Without it
 * nobody asked, and nothing is told.
 */
import { writeSync } from 'node:fs';

export function tellManager(state: 'READY=1' | 'RELOADING=1' | 'STOPPING=1' | 'WATCHDOG=1'): void {
  const line = Number(process.env['HUSHWATCH_NOTIFY'] ?? Number.NaN);
  if (!Number.isInteger(line)) return;
  try {
    // The manager wants to know which reload is meant, by the clock that both have.
    const since = state === 'RELOADING=1' ? `\nMONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}` : '';
    writeSync(line, `${state}${since}`);
  } catch {
    // The manager is starting again itself. What it misses is a sign of life, and the next one comes.
  }
}

/** Says that we live, three times in the time that we have, while `isWorking` says so; call `end` before the last words. */
export function keepAlive(isWorking: () => boolean): { end(): void } {
  const timeUs = Number(process.env['WATCHDOG_USEC'] ?? 0);
  if (!(timeUs > 0)) return { end: () => {} };
  const timer = setInterval(() => isWorking() && tellManager('WATCHDOG=1'), timeUs / 3_000);
  return { end: () => clearInterval(timer) };
}

const FIRST_GIVEN = 3;

/** The descriptor of a socket that the manager listens on for us, so that we may need no right to its port. */
export function givenSocket(): number | undefined {
  const { LISTEN_FDS, LISTEN_PID } = process.env;
  return LISTEN_FDS === '1' && LISTEN_PID === String(process.pid) ? FIRST_GIVEN : undefined;
}
