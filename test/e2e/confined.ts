/** What a process of a unit can do, tried from inside: a copy of the unit, with the same confinement, runs a probe instead. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Machine } from './machine-room.ts';
import { CHECKOUT } from './stack.ts';

/** Compiles the probe into the directory that machines share. */
export function buildProbe(shared: string): void {
  const source = join(CHECKOUT, 'test/e2e/confinement.c');
  execFileSync('cc', ['-Os', '-static', '-Wall', '-Wextra', '-Werror', '-o', join(shared, 'confinement'), source]);
}

const PROBE = '/usr/lib/hushwatch-probe';

/** Of each attempt, `yes` or the name of the error. */
export type Attempts = ReadonlyMap<string, string>;

const parse = (text: string): Attempts =>
  new Map(
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [name = '', result = ''] = line.split(' ');
        return [name, result] as const;
      }),
  );

/** As root, with every right: what the probe can do at all. */
export function unconfined(machine: Machine, files: readonly string[]): Attempts {
  machine.run(`install -m 0755 /shared/confinement ${PROBE}`);
  const attempts = parse(machine.run(`sleep 60 & ${PROBE} $! ${files.join(' ')}; kill $!`));
  machine.run(
    `rm -f ${PROBE} /etc/hushwatch-was-here /usr/hushwatch-was-here /root/hushwatch-was-here /tmp/hushwatch-memory`,
  );
  return attempts;
}

/** As the process of `unit`, which runs meanwhile and whose `sibling` is meddled with. */
export function confined(machine: Machine, unit: string, sibling: string, files: readonly string[]): Attempts {
  machine.run(`install -m 0755 /shared/confinement ${PROBE}
cat /lib/systemd/system/${unit}.service /etc/systemd/system/${unit}.service.d/*.conf 2>/dev/null |
  sed -e 's/^Type=.*/Type=oneshot/' -e '/^Restart/d' -e '/^Watchdog/d' -e '/^BindsTo/d' -e '/^PartOf/d' -e '/^RuntimeDirectory/d' -e '/^Requires/d' \\
      -e 's#^ExecStart=.*#ExecStart=${PROBE} '"$(systemctl show -p MainPID --value ${sibling})"' ${files.join(' ')}#' \\
      -e 's#^ExecPaths=#ExecPaths=${PROBE} #' -e '/^\\[Install\\]/,$d' >/run/systemd/system/${unit}-probe.service
printf '\\n[Service]\\nStandardOutput=truncate:/run/probe.out\\n' >>/run/systemd/system/${unit}-probe.service
systemctl daemon-reload
systemctl start ${unit}-probe.service`);
  return parse(machine.run(`cat /run/probe.out; rm /run/systemd/system/${unit}-probe.service ${PROBE}`));
}
