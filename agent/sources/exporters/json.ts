/**
 * A line of an exporter, as fields that are asked for by name: what nobody asks for is never read.
 *
 * Numbers beyond 2^53 are kept exactly while the line is read (as bigint); an attribute that cannot hold one is dropped and
 * counted, never rounded. Numbers may come as strings, and zeros may be missing (protobuf leaves them out). Of a key that
 * stands twice the last counts, as everywhere in JavaScript: all who write these files escape what they quote, so that
 * nobody but the exporter itself can write a key.
 */
import { isIP } from 'node:net';

const LONG_NUMBER = /\d{16}/;
const INTEGER = /^-?\d{1,20}$/;
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** How many values of the line were there and could not be used. */
interface Tally {
  unusable: number;
}

/** Undefined for what is no JSON, or no object. */
export function parseLine(line: string): Fields | undefined {
  try {
    const value: unknown = LONG_NUMBER.test(line) ? JSON.parse(line, exactly) : JSON.parse(line);
    return isRecord(value) ? new Fields(value, { unusable: 0 }) : undefined;
  } catch {
    return undefined; // The parser's message would quote the line; a RangeError is a line nested too deeply.
  }
}

/** The third argument of a reviver holds the number as it was written; TypeScript does not know it yet. */
function exactly(_key: string, value: unknown, ...[context]: readonly unknown[]): unknown {
  const source = isRecord(context) ? context['source'] : undefined;
  if (typeof value !== 'number' || Number.isSafeInteger(value) || typeof source !== 'string') return value;
  return INTEGER.test(source) ? BigInt(source) : value;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export class Fields {
  readonly #record: Readonly<Record<string, unknown>>;
  readonly #tally: Tally;

  constructor(record: Readonly<Record<string, unknown>>, tally: Tally) {
    this.#record = record;
    this.#tally = tally;
  }

  get unusable(): number {
    return this.#tally.unusable;
  }

  /** Null is what exporters write for nothing. */
  #value(name: string): unknown {
    return Object.hasOwn(this.#record, name) ? (this.#record[name] ?? undefined) : undefined;
  }

  has(name: string): boolean {
    return this.#value(name) !== undefined;
  }

  /** Without any fields where there is no object of that name. */
  in(name: string): Fields {
    return this.#object(this.#value(name));
  }

  each(name: string): readonly Fields[] {
    const value = this.#value(name);
    return Array.isArray(value) ? value.map((one) => this.#object(one)) : [];
  }

  #object(value: unknown): Fields {
    return new Fields(isRecord(value) ? value : {}, this.#tally);
  }

  /** Empty texts are what exporters write for nothing. */
  text(name: string): string | undefined {
    const value = this.#value(name);
    if (value === undefined || value === '') return undefined;
    return typeof value === 'string' ? value.toWellFormed() : this.#refuse();
  }

  texts(name: string): readonly string[] | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.#refuse();
    const texts = value.filter((one) => typeof one === 'string');
    return texts.length === value.length ? texts.map((one) => one.toWellFormed()) : this.#refuse();
  }

  flag(name: string): boolean | undefined {
    const value = this.#value(name);
    if (value === undefined || typeof value === 'boolean') return value;
    return value === 'true' || value === 'false' ? value === 'true' : this.#refuse();
  }

  int(name: string): number | undefined {
    const value = this.#integer(name);
    if (value === undefined || value === '') return undefined;
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : this.#refuse();
  }

  /** An integer that is not negative. */
  count(name: string): number | undefined {
    const value = this.int(name);
    return value === undefined || value >= 0 ? value : this.#refuse();
  }

  /** A user or group; undefined for the number that means nobody. */
  id(name: string): number | undefined {
    const value = this.int(name);
    if (value === undefined || value === -1 || value === 4_294_967_295) return undefined;
    return value >= 0 && value < 4_294_967_295 ? value : this.#refuse();
  }

  /** Nanoseconds, as microseconds. */
  nanoseconds(name: string): number | undefined {
    const value = this.#integer(name);
    if (value === undefined || value === '') return undefined;
    const microseconds = Number(BigInt(value) / 1_000n);
    return microseconds > 0 && Number.isSafeInteger(microseconds) ? microseconds : this.#refuse();
  }

  /** Digits of a number of any size, for what is compared and never counted with. */
  digits(name: string): string | undefined {
    const value = this.#integer(name);
    return value === undefined || value === '' ? undefined : String(value);
  }

  /** Names, or the number of their bits. */
  flags(name: string): string | undefined {
    return typeof this.#value(name) === 'string' ? this.text(name) : this.digits(name);
  }

  /** RFC 3339, as microseconds since 1970. */
  time(name: string): number | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    return (typeof value === 'string' ? microsecondsOf(value) : undefined) ?? this.#refuse();
  }

  /** An Internet address, without zone; version 4 in 6 is version 4. */
  address(name: string): string | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : (addressOf(value) ?? this.#refuse());
  }

  #integer(name: string): number | bigint | string | undefined {
    const value = this.#value(name);
    if (value === undefined || value === '' || typeof value === 'bigint') return value;
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
    return typeof value === 'string' && INTEGER.test(value) ? value : this.#refuse();
  }

  #refuse(): undefined {
    this.#tally.unusable++;
    return undefined;
  }
}

export function microsecondsOf(text: string): number | undefined {
  const [, seconds = '', fraction = '', zone = ''] = TIME.exec(text) ?? [];
  const time = Date.parse(`${seconds}${zone}`) * 1_000 + Number(fraction.slice(0, 6).padEnd(6, '0'));
  return time > 0 ? time : undefined;
}

export function addressOf(text: string): string | undefined {
  const address = (text.split('%')[0] ?? '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
  return isIP(address) === 0 ? undefined : address;
}
