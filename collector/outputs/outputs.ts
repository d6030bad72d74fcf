/** The outputs that `collector.yaml` names. Secrets and certificates are read once, at start. */
import { readFileSync } from 'node:fs';
import type { Config } from '../config.ts';
import { makeFile } from './file.ts';
import type { Output } from './output.ts';
import { makeSyslog } from './syslog.ts';
import { makeWebhook, parseSecret } from './webhook.ts';

type Named = Pick<Config, 'webhooks' | 'syslog' | 'otlp' | 'files'>;

export async function makeOutputs({ webhooks, syslog, otlp, files }: Named): Promise<readonly Output[]> {
  const read = (file: string | undefined): Uint8Array | undefined =>
    file === undefined ? undefined : readFileSync(file);
  return [
    ...webhooks.map(({ url, secretFile }) => {
      const secret = read(secretFile);
      return makeWebhook({ url, secret: secret && parseSecret(secret) });
    }),
    ...syslog.map(({ host, port, caFile, certFile, keyFile }) =>
      makeSyslog({ host, port, ca: read(caFile), cert: read(certFile), key: read(keyFile) }),
    ),
    ...files.map(makeFile),
    ...(await Promise.all(
      otlp.map(async ({ url, headersFile, caFile }) => {
        // Loaded only here: who sends no OTLP runs none of its libraries.
        const { makeOtlp } = await import('./otlp.ts');
        return makeOtlp({ url, headers: headersIn(read(headersFile)), ca: read(caFile) });
      }),
    )),
  ];
}

/** `name: value`, one a line: how receivers take tokens. */
function headersIn(bytes: Uint8Array | undefined): Readonly<Record<string, string>> {
  const lines = Buffer.from(bytes ?? [])
    .toString()
    .split('\n');
  const pairs = lines.map((line) => /^([A-Za-z0-9-]+): *(\S.*?)\s*$/.exec(line)).filter((match) => match !== null);
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value]));
}
