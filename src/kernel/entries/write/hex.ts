import { PinfoldError } from '../../../model/error.ts';
import type { Json } from '../../../model/json.ts';
import { type Part, reserve, type Write } from './part.ts';

const digits = '0123456789abcdef';
const quote = 0x22;
/** The two digits of each byte. */
const highDigits = Uint8Array.from({ length: 256 }, (_, byte) => digits.charCodeAt(byte >> 4));
const lowDigits = Uint8Array.from({ length: 256 }, (_, byte) => digits.charCodeAt(byte & 15));

/** Bytes in the order of the memory as a text of hexadecimal digits: `"0a000001"`. */
export function hexPart(size: number): Part {
  return {
    write: (bytes, at, text) => {
      reserve(text, 2 * size + 2);
      const out = text.bytes;
      let next = text.length;
      out[next++] = quote;
      for (let index = at; index < at + size; index++) {
        const byte = bytes[index] ?? 0;
        out[next++] = highDigits[byte] ?? 0;
        out[next++] = lowDigits[byte] ?? 0;
      }
      out[next++] = quote;
      text.length = next;
    },
    emit: (json, at) => {
      json.literal('"');
      json.hex(at, size);
      json.literal('"');
    },
    parse: (value) => parseHex(value, size),
  };
}

/** Bytes as bpftool lists them: `["0x0a","0x00"]`. */
export function hexListPart(size: number): Part {
  return { write: hexListWrite(size), parse: (value) => parseHexList(value, size) };
}

function hexListWrite(size: number): Write {
  return (bytes, at, text) => {
    reserve(text, 7 * size + 2);
    const out = text.bytes;
    let next = text.length;
    out[next++] = 0x5b;
    for (let index = at; index < at + size; index++) {
      const byte = bytes[index] ?? 0;
      if (index > at) out[next++] = 0x2c;
      out[next++] = quote;
      out[next++] = 0x30;
      out[next++] = 0x78;
      out[next++] = highDigits[byte] ?? 0;
      out[next++] = lowDigits[byte] ?? 0;
      out[next++] = quote;
    }
    out[next++] = 0x5d;
    text.length = next;
  };
}

/** @throws PinfoldError invalid_input */
export function parseHex(value: Json, size: number): Buffer {
  if (typeof value === 'string' && /^([0-9a-fA-F]{2})*$/.test(value) && value.length === 2 * size) {
    return Buffer.from(value, 'hex');
  }
  throw new PinfoldError('invalid_input', {
    detail: `${size === 1 ? '1 byte is' : `${size} bytes are`} wanted, as ${2 * size} hexadecimal digits.`,
  });
}

/** @throws PinfoldError invalid_input */
function parseHexList(value: Json, size: number): Buffer {
  const isByte = (item: Json): boolean => typeof item === 'string' && /^0x[0-9a-fA-F]{2}$/.test(item);
  if (Array.isArray(value) && value.length === size && value.every(isByte)) {
    return Buffer.from(value.join('').replaceAll('0x', ''), 'hex');
  }
  throw new PinfoldError('invalid_input', {
    detail: `${size} bytes are wanted, as bpftool prints them: ["0x0a","0x00"].`,
  });
}
