/** The bytes of a socket address as a call was given them, little-endian machine; nothing of what is too short or another family. */
import type { Attributes } from '../../event.ts';
import { addressOf } from './json.ts';
import { socketOf } from './told.ts';

const [UNIX, INET, INET6] = [1, 2, 10];

export function sockaddrOf(bytes: Buffer): Attributes {
  if (bytes.length < 2) return {};
  const family = bytes.readUInt16LE(0);
  if (family === UNIX) return unix(bytes.subarray(2));
  if (family === INET && bytes.length >= 8) return internet([...bytes.subarray(4, 8)].join('.'), bytes);
  if (family === INET6 && bytes.length >= 24) return internet(grouped(bytes.subarray(8, 24)), bytes);
  return {};
}

function internet(address: string, bytes: Buffer): Attributes {
  return socketOf({ peer: addressOf(address), peerPort: bytes.readUInt16BE(2) });
}

/** Up to the first zero; behind it lies whatever lay there before. An abstract name begins with one. */
function unix(path: Buffer): Attributes {
  const isAbstract = path[0] === 0;
  const name = path.subarray(isAbstract ? 1 : 0);
  const end = name.indexOf(0);
  const text = name.subarray(0, end < 0 ? name.length : end).toString('utf8');
  return {
    'network.transport': 'unix',
    'network.unix.path': text === '' ? undefined : `${isAbstract ? '@' : ''}${text}`,
  };
}

/** In the one short spelling of RFC 5952, which the URL parser writes. */
function grouped(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16));
  const embedded = groups.slice(0, 5).every((group) => group === '0') && groups[5] === 'ffff';
  if (embedded) return [...bytes.subarray(12)].join('.');
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
