import type { Json } from '../../../model/json.ts';
import { bytesCodec, hexOf } from './bytes.ts';
import type { Codec } from './codec.ts';
import type { JsonText } from './json-text.ts';
import { isObject, Misfit, shown } from './misfit.ts';

/** What JSON has no number for; every other NaN keeps its bytes. */
const words: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

/**
 * A floating-point number of 4 or 8 bytes: a number, or `"NaN"`, `"Infinity"`, `"-Infinity"`, `"-0"`. Other
 * NaNs and other sizes (half, long double) are their bytes, `{"hex":…}`.
 */
export function floatCodec(size: number): Codec {
  const plain = bytesCodec(size);
  if (size !== 4 && size !== 8) return plain;
  const get = (bytes: Buffer, at: number): number =>
    size === 4 ? bytes.readFloatLE(at) : bytes.readDoubleLE(at);
  const put = (value: number, into: Buffer, at: number): void =>
    void (size === 4 ? into.writeFloatLE(value, at) : into.writeDoubleLE(value, at));
  const again = Buffer.alloc(size);
  const decode = (bytes: Buffer, at: number): Json => {
    const value = get(bytes, at);
    if (Number.isFinite(value) && !Object.is(value, -0)) return value;
    put(value, again, 0);
    const isUsual = !Number.isNaN(value) || again.compare(bytes, at, at + size) === 0;
    return isUsual ? (Object.is(value, -0) ? '-0' : String(value)) : hexOf(bytes, at, size);
  };
  return {
    ...plain,
    decode,
    write: (bytes: Buffer, at: number, text: JsonText) => text.string(JSON.stringify(decode(bytes, at))),
    encode: (value, into, at) => {
      if (isObject(value)) plain.encode(value, into, at);
      else put(fitFloat(value, size), into, at);
    },
  };
}

function fitFloat(value: Json, size: number): number {
  const number = typeof value === 'string' ? words.get(value) : value;
  if (typeof number !== 'number') throw new Misfit(`${shown(value)} is not a number`);
  if (size === 4 && Number.isFinite(number) && !Number.isFinite(Math.fround(number))) {
    throw new Misfit(`${number} is too large for a float`);
  }
  return number;
}
