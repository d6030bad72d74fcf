/** The agent's configuration: every key, once. */
import { ROLES } from '#protocol/statement.ts';
import { count, name, oneOf, path, verifierKey, verifierKeyOrNone } from '../config/kinds.ts';
import { key, live, optional, required } from '../config/schema.ts';
import { EXPORTERS } from './sources/exporters/name.ts';

export const KEYS = {
  node: required('Name of this node, as the collector knows it.', name),
  role: key('What this node is.', oneOf(ROLES), 'generic'),
  cohort: key('Nodes that should behave alike, one subnet say.', name, 'none'),
  source: key(
    'Where events come from: the sensor with BPF, the sensor on the proc connector, /proc where there is no sensor, or the file of another exporter.',
    oneOf(['ebpf', 'proc-connector', 'proc', ...EXPORTERS]),
    'ebpf',
  ),
  exporter_file: optional('File that the exporter named as `source` writes: one JSON object a line.', path),
  journal: key('Whether the journal is read: log-ons, sudo, denials.', oneOf(['on', 'off']), 'on'),
  journal_directory: optional("Another machine's journal, instead of this one's own.", path),
  socket: key('Unix socket to which the sensor connects.', path, '/run/hushwatch/agent.sock'),
  identity: key(
    'Signing key of this node. Made by the agent, read by nobody else.',
    path,
    '/var/lib/hushwatch/identity.key',
  ),
  pseudonym_key: key(
    "Roots of this node's pseudonyms. Made by the agent, read by nobody else.",
    path,
    '/var/lib/hushwatch/pseudonym.key',
  ),
  authority: key(
    'Verifier key of the privacy authority, which seals roots of pseudonyms that nodes share; `none` where nodes share none.',
    verifierKeyOrNone,
    'none',
  ),
  sealed_keys: key(
    'What the authority sealed for this node; read again when it changes.',
    path,
    '/var/lib/hushwatch/sealed.keys',
  ),
  seal_key: key(
    'Opens what was sealed for this node. Made by `hushwatch keys node`.',
    path,
    '/var/lib/hushwatch/seal.key',
  ),
  ruleset: live(required('Redaction rules in force.', path)),
  rule_pack: live(required('Directory of the approved detection rules.', path)),
  approvals: live(
    key('Directory of approvals and of the proofs that they are in the log.', path, '/var/lib/hushwatch/approvals'),
  ),
  reviewers: live(key("Who approves rules: the quorum and the reviewers' keys.", path, '/etc/hushwatch/reviewers')),
  spool: key('Batches wait here. Losing it loses what was not yet receipted.', path, '/var/lib/hushwatch/spool'),
  without_chain: key(
    'What a node does that has no chain, a new one or one whose disk was wiped: `begin` one, or `ask` the collector where it goes on.',
    oneOf(['begin', 'ask']),
    'begin',
  ),
  receipts: key('The shipper puts receipts here.', path, '/var/lib/hushwatch/receipts'),
  log_key: required("Verifier key of the collector's log; a receipt counts only when this key signed it.", verifierKey),
  metrics_socket: optional('Unix socket on which `/metrics` is served; nowhere without.', path),
  otlp_socket: optional('Unix socket of an OpenTelemetry collector that takes metrics by OTLP over HTTP.', path),
  spool_bytes: key(
    'The spool sheds events, least important first, as it nears this size.',
    count(1 << 20, 2 ** 40),
    256 << 20,
  ),
  batch_events: live(key('A batch is closed at this many events.', count(1, 32_768), 4_096)),
  batch_bytes: live(key('A batch is closed at this many bytes, before packing.', count(1_024, 16 << 20), 1 << 20)),
  batch_age_ms: live(
    key(
      'A batch is closed at this age, in milliseconds; after a sixth of it where a rule matched, or where nothing came before.',
      count(10, 60_000),
      600,
    ),
  ),
  heartbeat_ms: live(
    key(
      'With nothing to say, an empty statement is signed this often, in milliseconds.',
      count(1_000, 3_600_000),
      15_000,
    ),
  ),
};
