import type { Codec } from './codec.ts';
import { Misfit, shown } from './misfit.ts';

const quote = 0x22;

/** A pointer: `"0xffff888100a1c000"`. It means nothing outside of the kernel that wrote it. */
export const pointerCodec: Codec = {
  size: 8,
  work: 1,
  decode: (bytes, at) => `0x${bytes.readBigUInt64LE(at).toString(16)}`,
  write: (bytes, at, text) => {
    text.byte(quote);
    text.hexadecimal(bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at));
    text.byte(quote);
  },
  emit: (json, at) => {
    json.literal('"');
    json.pointer(at);
    json.literal('"');
  },
  encode: (value, into, at) => {
    if (typeof value !== 'string' || !/^0x[0-9a-fA-F]{1,16}$/.test(value)) {
      throw new Misfit(`${shown(value)} is not a pointer such as "0x1f"`);
    }
    into.writeBigUInt64LE(BigInt(value), at);
  },
  mark: (mask, at) => void mask.fill(0xff, at, at + 8),
};
