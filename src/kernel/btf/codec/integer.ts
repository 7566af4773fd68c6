import type { Json } from '../../../model/json.ts';
import type { Emit } from '../../json-code/json-code.ts';
import { type Bits, bigCell, markBits, numberCell, rangeOf } from './cell.ts';
import type { Codec } from './codec.ts';
import { Misfit, shown } from './misfit.ts';

const quote = 0x22;
const trueText = Buffer.from('true');
const falseText = Buffer.from('false');
const booleanTexts: ReadonlyMap<number, string> = new Map([
  [1, 'true'],
  [0, 'false'],
]);

/** An integer type, or a bit field of it, in a place of `size` bytes. */
export interface IntegerPlace extends Bits {
  /** Bytes of the type; 0 for a bit field, whose neighbours lie in the same bytes. */
  readonly size: number;
  /** Whether numbers are texts: so for every type of more than 32 bits, however narrow its bit field. */
  readonly isText: boolean;
}

/** Numbers of up to 32 bits are numbers of JSON. */
export function numberCodec(place: IntegerPlace): Codec {
  if (place.isText) return textNumberCodec(place);
  const { get, put } = numberCell(place);
  const fit = fitNumber(place);
  return {
    size: place.size,
    work: 1,
    decode: get,
    write: (bytes, at, text) => text.integer(get(bytes, at)),
    emit: (json, at) => json.decimal(place, at),
    encode: (value, into, at) => put(into, at, fit(value)),
    mark: (mask, at) => markBits(place, mask, at),
  };
}

/** A boolean: `true` and `false`; any other bits than 1 and 0 stay the number they are. */
export function boolCodec(place: IntegerPlace): Codec {
  const { get, put } = numberCell(place);
  const fit = fitNumber(place);
  const decode = (bytes: Buffer, at: number): Json => {
    const value = get(bytes, at);
    return value > 1 ? value : value === 1;
  };
  return {
    size: place.size,
    work: 1,
    decode,
    write: (bytes, at, text) => {
      const value = decode(bytes, at);
      if (typeof value === 'number') text.integer(value);
      else text.raw(value === true ? trueText : falseText);
    },
    emit: (json, at) => {
      const otherwise = (): void => json.decimal(place, at);
      json.choose({ bits: place, at, texts: booleanTexts, otherwise });
    },
    encode: (value, into, at) => put(into, at, typeof value === 'boolean' ? Number(value) : fit(value)),
    mark: (mask, at) => markBits(place, mask, at),
  };
}

/** Numbers of 64 and 128 bits are decimal strings, as protobuf's JSON has them. */
function textNumberCodec(place: IntegerPlace): Codec {
  const { get, put } = bigCell(place);
  const fit = fitBig(place);
  const common = {
    size: place.size,
    work: 1,
    emit: emitText(place),
    encode: (value: Json, into: Buffer, at: number) => put(into, at, fit(value)),
    mark: (mask: Buffer, at: number) => markBits(place, mask, at),
  };
  if (place.width !== 64 || place.offset !== 0) {
    return {
      ...common,
      decode: (bytes, at) => get(bytes, at).toString(),
      write: (bytes, at, text) => text.string(`"${get(bytes, at)}"`),
    };
  }
  return {
    ...common,
    ...(place.isSigned ? signedWide : unsignedWide),
    // Most numbers are small: then a double is exact, and several times as fast as bigint.
    encode: (value, into, at) => {
      const small = smallNumber(value);
      if (small === undefined) common.encode(value, into, at);
      else putSmall(small, into, at);
    },
  };
}

/** Numbers whose bits lie in eight bytes can be written by code. */
function emitText(place: IntegerPlace): Emit | undefined {
  if (place.width + (place.offset & 7) > 64) return undefined;
  return (json, at) => {
    json.literal('"');
    json.decimal(place, at);
    json.literal('"');
  };
}

/** A number from 0 to 2^53, given as one or as decimal digits; undefined for everything else. */
function smallNumber(value: Json): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  return typeof value === 'string' && /^(0|[1-9]\d{0,14})$/.test(value) ? Number(value) : undefined;
}

function putSmall(value: number, into: Buffer, at: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  into.writeUInt32LE(value - high * 0x1_0000_0000, at);
  into.writeUInt32LE(high, at + 4);
}

const unsignedWide: Pick<Codec, 'decode' | 'write'> = {
  decode: (bytes, at) => bytes.readBigUInt64LE(at).toString(),
  write: (bytes, at, text) => {
    text.byte(quote);
    text.wide(bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at));
    text.byte(quote);
  },
};

const signedWide: Pick<Codec, 'decode' | 'write'> = {
  decode: (bytes, at) => bytes.readBigInt64LE(at).toString(),
  write: (bytes, at, text) => {
    const high = bytes.readInt32LE(at + 4);
    const low = bytes.readUInt32LE(at);
    text.byte(quote);
    if (high >= 0) text.wide(high, low);
    else {
      // The magnitude is the two's complement: all bits inverted, plus one.
      text.byte(0x2d);
      if (low === 0) text.wide(-high, 0);
      else text.wide(~high, 0x1_0000_0000 - low);
    }
    text.byte(quote);
  },
};

/** What a JSON number must be to go into `bits`. */
export function fitNumber(bits: Bits): (value: Json) => number {
  const range = rangeOf(bits);
  const least = Number(range[0]);
  const greatest = Number(range[1]);
  return (value) => {
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      throw new Misfit(`${shown(value)} is not an integer`);
    }
    if (value < least || value > greatest) {
      throw new Misfit(`${value} is not from ${least} to ${greatest}`);
    }
    return value;
  };
}

/** What a decimal string, or a number that JSON carries exactly, must be to go into `bits`. */
export function fitBig(bits: Bits): (value: Json) => bigint {
  const [least, greatest] = rangeOf(bits);
  return (value) => {
    const big = bigOf(value);
    if (big === undefined) throw new Misfit(`${shown(value)} is not an integer as a decimal string`);
    if (big < least || big > greatest) throw new Misfit(`${big} is not from ${least} to ${greatest}`);
    return big;
  };
}

function bigOf(value: Json): bigint | undefined {
  if (typeof value === 'string') return /^-?(0|[1-9]\d{0,39})$/.test(value) ? BigInt(value) : undefined;
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : undefined;
}
