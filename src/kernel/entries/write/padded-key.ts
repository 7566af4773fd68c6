import { isPinfoldError } from '../../../model/error.ts';
import type { Json } from '../../../model/json.ts';
import { isRecord } from '../../../model/record.ts';
import { hexPart, parseHex } from './hex.ts';
import type { Part } from './part.ts';

/**
 * Keys with bits that no member of their type shows. Where one of those is set the key is written as
 * `{"hex":"…"}`, and so it is taken back: else two keys of a map could look alike, and one would be lost.
 *
 * @param mask a one for each bit that a member shows
 */
export function paddedKey(part: Part, mask: Buffer): Part {
  if (mask.every((byte) => byte === 0xff)) return part;
  const size = mask.length;
  const hex = hexPart(size);
  const isPlain = (bytes: Buffer, at: number): boolean => {
    for (let index = 0; index < size; index++) {
      if (((bytes[at + index] ?? 0) & ~(mask[index] ?? 0)) !== 0) return false;
    }
    return true;
  };
  return {
    write: (bytes, at, text) => {
      if (isPlain(bytes, at)) return part.write(bytes, at, text);
      text.string('{"hex":');
      hex.write(bytes, at, text);
      text.byte(0x7d);
    },
    parse: (value) => {
      try {
        return part.parse(value);
      } catch (error) {
        const digits = hexOf(value);
        if (digits === undefined || !isPinfoldError(error, 'invalid_input')) throw error;
        return parseHex(digits, size);
      }
    },
  };
}

/** A type may have a member of that name itself: then its own meaning comes first. */
function hexOf(value: Json): string | undefined {
  if (!isRecord(value)) return undefined;
  const { hex, ...others } = value;
  return typeof hex === 'string' && Object.keys(others).length === 0 ? hex : undefined;
}
