/** The shipper's configuration: every key, once. */
import { name, path, pin, url, verifierKey } from '../../config/kinds.ts';
import { key, live, required } from '../../config/schema.ts';

export const KEYS = {
  node: required('Name of this node, as the collector knows it.', name),
  collector: live(required('Where batches go.', url('wss'))),
  collector_pin: live(required("Pin of the collector's TLS key; no other is spoken to.", pin)),
  tls_key: live(key('Private TLS key of this node.', path, '/var/lib/hushwatch-ship/tls.key')),
  tls_cert: live(key('Certificate of that key.', path, '/var/lib/hushwatch-ship/tls.crt')),
  log_key: required("Verifier key of the collector's log; a receipt counts only when this key signed it.", verifierKey),
  spool: key('Where the agent puts batches. Only read.', path, '/var/lib/hushwatch/spool'),
  receipts: key('Where receipts go. The agent reads them.', path, '/var/lib/hushwatch/receipts'),
};
