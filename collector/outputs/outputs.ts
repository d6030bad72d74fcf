/** The outputs that `collector.yaml` names. Secrets and certificates are read once, at start. */
import { readFileSync } from 'node:fs';
import type { Config } from '../config.ts';
import { ConfigError } from '../../config/yaml.ts';
import { makeFile } from './file.ts';
import type { Output } from './output.ts';
import { makeSyslog } from './syslog.ts';
import { makeWebhook, parseSecret } from './webhook.ts';

type Named = Pick<Config, 'webhooks' | 'syslog' | 'otlp' | 'files'>;

export async function makeOutputs({ webhooks, syslog, otlp, files }: Named): Promise<readonly Output[]> {
  const outputs = [
    ...webhooks.map(({ url, secret_file }) => {
      const secret = read(secret_file);
      return makeWebhook({ url, secret: secret && parseSecret(secret) });
    }),
    ...syslog.map(({ address, ca_file, cert_file, key_file }) =>
      makeSyslog({ ...address, ca: read(ca_file), cert: read(cert_file), key: read(key_file) }),
    ),
    ...files.map(makeFile),
    ...(await Promise.all(
      otlp.map(async ({ url, headers_file, ca_file }) => {
        // Loaded only here: who sends no OTLP runs none of its libraries.
        const { makeOtlp } = await import('./otlp.ts');
        return makeOtlp({ url, headers: headersIn(headers_file), ca: read(ca_file) });
      }),
    )),
  ];
  refuseTwins(outputs);
  return outputs;
}

/** Two of one name would share a cursor, and each lose what the other was ahead. */
function refuseTwins(outputs: readonly Output[]): void {
  const names = new Set<string>();
  for (const { name } of outputs) {
    if (names.has(name)) throw new ConfigError(`${name}: named twice; queries do not tell webhooks apart, paths do`);
    names.add(name);
  }
}

function read(file: string | undefined): Uint8Array | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new ConfigError(`${file}: cannot be read (${code})`);
  }
}

/** `name: value`, one a line: how receivers take tokens. What is wrong is told by its line, never by what it says. */
function headersIn(file: string | undefined): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [i, line] of Buffer.from(read(file) ?? [])
    .toString()
    .split('\n')
    .entries()) {
    if (line.trim() === '') continue;
    const [, name = '', value = ''] = /^([A-Za-z0-9-]{1,64}): *(\S.*?)\s*$/.exec(line) ?? [];
    if (name === '') throw new ConfigError(`${file ?? ''}:${i + 1} is no header; write NAME: VALUE`);
    headers[name] = value;
  }
  return headers;
}
