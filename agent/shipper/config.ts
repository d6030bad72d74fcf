/** The shipper's configuration: every key, once. */
import { ConfigError, key, name, path, text } from '../config-file.ts';

export const KEYS = {
  node: key('Name of this node, as the collector knows it.', name),
  collector: key('Where batches go: a wss:// URL.', parseUrl),
  collector_pin: key("`sha256/…` of the collector's TLS key; no other is spoken to.", text),
  tls_key: key('Private TLS key of this node.', path, '/var/lib/hushwatch-ship/tls.key'),
  tls_cert: key('Certificate of that key.', path, '/var/lib/hushwatch-ship/tls.crt'),
  log_key: key("Verifier key of the collector's log; a receipt counts only when this key signed it.", text),
  spool: key('Where the agent puts batches. Only read.', path, '/var/lib/hushwatch/spool'),
  receipts: key('Where receipts go. The agent reads them.', path, '/var/lib/hushwatch/receipts'),
};

function parseUrl(value: unknown, directory: string): string {
  const url = text(value, directory);
  if (!/^wss:\/\/[^/\s]+(?:\/\S*)?$/.test(url)) throw new ConfigError('must be a wss:// URL');
  return url;
}
