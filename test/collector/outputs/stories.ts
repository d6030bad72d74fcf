/** Stories to be sent, and a state that holds them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Alert, Severity } from '../../../collector/detectors/detector.ts';
import { tellAlone } from '../../../collector/detectors/stories.ts';
import { State } from '../../../collector/state.ts';

export const T = 1_790_000_000_000_000;

export const alertAbout = (node: string, severity: Severity = 'high', reason = 'Something happened.'): Alert => ({
  ...{ id: `alert of ${node}`, time: T, node, detector: 'test', rule: 'r', title: 'Something', severity, reason },
  ...{ silencedBy: 'nothing', attack: ['T1059'], events: [{ logIndex: 1, line: 2 }], entity: undefined, loss: 3 },
});

/** Each is a story of its own. */
export function raise(state: State, node: string, severity?: Severity, reason?: string): void {
  const { alert, story } = tellAlone(alertAbout(node, severity, reason));
  state.commitStep({ alerts: [alert], stories: [story] });
}

export class Home implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'hushwatch-outputs-'));

  get file(): string {
    return join(this.path, 'state.sqlite');
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

/** A certificate for this machine, of an authority that nobody else trusts. */
export function certificate(directory: string): { readonly key: Buffer; readonly cert: Buffer } {
  const [key, cert] = [join(directory, 'server.key'), join(directory, 'server.crt')];
  const words = [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
    ...['-keyout', key, '-out', cert],
  ];
  execFileSync('openssl', words, { stdio: 'ignore' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

export async function until(what: () => boolean, ms = 20_000): Promise<void> {
  for (const end = Date.now() + ms; !what();) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((settle) => setTimeout(settle, 5));
  }
}
