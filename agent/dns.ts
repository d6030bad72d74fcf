/**
 * One DNS message (RFC 1035): its question, and of an answer the code and the addresses.
 *
 * The bytes are whatever somebody sent to where names are asked for, and may end early because the sensor keeps only their beginning. Strict about
 * the question, of which all must be there; of the answers it gives those that are whole. Bounded: a name is at most 255
 * bytes, records are counted, no pointer is followed. Pure, and never throws.
 */

export interface DnsMessage {
  readonly isAnswer: boolean;
  /** As in the IANA registry: NOERROR, NXDOMAIN, or its number. */
  readonly code: string;
  /** In lower case, without the last dot; bytes that are no printable ASCII as \DDD. The root is `.`. */
  readonly name: string;
  /** A, AAAA, TXT, or TYPE and its number. */
  readonly type: string;
  /** Of A and AAAA records. */
  readonly addresses: readonly Uint8Array[];
}

export const MAX_ANSWERS = 32;

const HEADER = 12;
const MAX_NAME = 255;
const MAX_LABEL = 63;

const TYPES = new Map([
  [1, 'A'],
  [2, 'NS'],
  [5, 'CNAME'],
  [6, 'SOA'],
  [10, 'NULL'],
  [12, 'PTR'],
  [13, 'HINFO'],
  [15, 'MX'],
  [16, 'TXT'],
  [28, 'AAAA'],
  [33, 'SRV'],
  [35, 'NAPTR'],
  [39, 'DNAME'],
  [43, 'DS'],
  [46, 'RRSIG'],
  [47, 'NSEC'],
  [48, 'DNSKEY'],
  [52, 'TLSA'],
  [64, 'SVCB'],
  [65, 'HTTPS'],
  [251, 'IXFR'],
  [252, 'AXFR'],
  [255, 'ANY'],
  [257, 'CAA'],
]);

const CODES = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
];

/** Undefined: no DNS message with exactly one whole question. What is asked of many may hold `several`: the first counts. */
export function parseDns(bytes: Uint8Array, several = false): DnsMessage | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER) return undefined;
  const questions = view.getUint16(4);
  if (several ? questions === 0 : questions !== 1) return undefined;
  const question = readName(bytes, HEADER);
  if (question === undefined || question.end + 4 > bytes.length) return undefined;
  const isAnswer = (bytes[2] ?? 0) >> 7 === 1;
  const code = (bytes[3] ?? 0) & 15;
  const type = view.getUint16(question.end);
  return {
    isAnswer,
    code: CODES[code] ?? `RCODE${code}`,
    name: question.name,
    type: TYPES.get(type) ?? `TYPE${type}`,
    addresses: isAnswer && questions === 1 ? addressesOf(bytes, view, question.end + 4) : [],
  };
}

/** Of as many records as the header announces, are whole, and are allowed. */
function addressesOf(bytes: Uint8Array, view: DataView, first: number): readonly Uint8Array[] {
  const addresses: Uint8Array[] = [];
  let at = first;
  for (let left = Math.min(view.getUint16(6), MAX_ANSWERS); left > 0; left--) {
    const fixed = skipName(bytes, at);
    if (fixed === undefined || fixed + 10 > bytes.length) break;
    const length = view.getUint16(fixed + 8);
    const data = fixed + 10;
    if (data + length > bytes.length) break;
    const type = view.getUint16(fixed);
    if ((type === 1 && length === 4) || (type === 28 && length === 16))
      addresses.push(Uint8Array.from(bytes.subarray(data, data + length)));
    at = data + length;
  }
  return addresses;
}

/** A name of which the question is made: nothing stands before it that a pointer could point to, so it has none. */
function readName(bytes: Uint8Array, start: number): { readonly name: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let at = start;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length > MAX_LABEL) return undefined;
    if (length === 0) return { name: labels.length === 0 ? '.' : labels.join('.'), end: at + 1 };
    const end = at + 1 + length;
    if (end > bytes.length || end - start >= MAX_NAME) return undefined;
    labels.push(labelText(bytes.subarray(at + 1, end)));
    at = end;
  }
}

/** Where a name ends that nobody wants to read: at zero, or behind a pointer. */
function skipName(bytes: Uint8Array, start: number): number | undefined {
  let at = start;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || at - start >= MAX_NAME) return undefined;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > MAX_LABEL) return undefined;
    at += 1 + length;
  }
}

/** RFC 4343: letters have no case; what is not printable, and the dot and the backslash, are escaped. */
function labelText(label: Uint8Array): string {
  let text = '';
  for (const byte of label) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x2e && byte !== 0x5c;
    text += isPlain ? String.fromCharCode(byte).toLowerCase() : `\\${String(byte).padStart(3, '0')}`;
  }
  return text;
}
