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

/** The NaN that C's NAN is; which one an engine of JavaScript writes is its own affair. */
const floatNan = Buffer.from('0000c07f', 'hex');
const doubleNan = Buffer.from('000000000000f87f', 'hex');

/**
 * A floating-point number of 4 or 8 bytes: a number, or `"NaN"`, `"Infinity"`, `"-Infinity"`, `"-0"`. Other
 * NaNs and other sizes (half, long double) are their bytes, `{"hex":…}`.
 */
export function floatCodec(size: number): Codec {
  const plain = bytesCodec(size);
  if (size !== 4 && size !== 8) return plain;
  const usualNan = size === 4 ? floatNan : doubleNan;
  const get = (bytes: Buffer, at: number): number =>
    size === 4 ? bytes.readFloatLE(at) : bytes.readDoubleLE(at);
  const decode = (bytes: Buffer, at: number): Json => {
    const value = get(bytes, at);
    if (Object.is(value, -0)) return '-0';
    if (Number.isFinite(value)) return value;
    const isOther = Number.isNaN(value) && usualNan.compare(bytes, at, at + size) !== 0;
    return isOther ? hexOf(bytes, at, size) : String(value);
  };
  return {
    ...plain,
    emit: undefined,
    decode,
    write: (bytes: Buffer, at: number, text: JsonText) => text.string(JSON.stringify(decode(bytes, at))),
    encode: (value, into, at) => {
      if (isObject(value)) {
        plain.encode(value, into, at);
        return;
      }
      const number = fitFloat(value, size);
      if (Number.isNaN(number)) into.set(usualNan, at);
      else if (size === 4) into.writeFloatLE(number, at);
      else into.writeDoubleLE(number, at);
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
