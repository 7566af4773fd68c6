import type { Json } from '../../../model/json.ts';
import type { Codec } from './codec.ts';
import { isObject, Misfit, shown } from './misfit.ts';

/** The bytes of a value that has no better form, in the order of the memory: `{"hex":"0a0b"}`. */
export function hexOf(bytes: Buffer, at: number, size: number): { readonly hex: string } {
  return { hex: bytes.toString('hex', at, at + size) };
}

/** Sets exactly `size` bytes from their hexadecimal digits. @throws Misfit */
export function putHex(hex: Json | undefined, into: Buffer, at: number, size: number): void {
  if (typeof hex !== 'string' || !/^([0-9a-fA-F]{2})*$/.test(hex) || hex.length !== 2 * size) {
    throw new Misfit(`${shown(hex)} is not ${size} ${size === 1 ? 'byte' : 'bytes'} in hexadecimal`);
  }
  into.write(hex, at, 'hex');
}

/** Bytes whose type says no more than how many there are. */
export function bytesCodec(size: number): Codec {
  return {
    size,
    work: 1 + size,
    decode: (bytes, at) => hexOf(bytes, at, size),
    write: (bytes, at, text) => text.string(`{"hex":"${bytes.toString('hex', at, at + size)}"}`),
    emit: (json, at) => {
      json.literal('{"hex":"');
      json.hex(at, size);
      json.literal('"}');
    },
    encode: (value, into, at) => {
      if (!isObject(value) || Object.keys(value).join() !== 'hex') {
        throw new Misfit(`${shown(value)} is not {"hex":…}`);
      }
      putHex(value['hex'], into, at, size);
    },
    mark: (mask, at) => void mask.fill(0xff, at, at + size),
  };
}
