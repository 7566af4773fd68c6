import { isUtf8 } from 'node:buffer';
import type { Json, JsonObject } from '../../../model/json.ts';
import { hexOf, putHex } from './bytes.ts';
import type { Codec } from './codec.ts';
import type { JsonText } from './json-text.ts';
import { isObject, Misfit, shown } from './misfit.ts';

const quote = 0x22;
const backslash = 0x5c;

/** Bytes that would need care on a terminal or in JSON: control characters, as UTF-8 has them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * An array of `char`, in one of three forms, so that nothing is lost and nothing is guessed:
 *
 * - `"text"`: printable UTF-8, and zeros up to the end;
 * - `{"text":"eth0","tail":"6f6c64"}`: printable, a NUL, and then what an earlier text left there;
 * - `{"hex":"…"}`: anything else.
 */
export function charArrayCodec(size: number): Codec {
  const decode = (bytes: Buffer, at: number): Json => decodeChars(bytes, at, size);
  return {
    size,
    work: 1 + size,
    decode,
    write: (bytes, at, text) => {
      if (!writePlain(bytes, at, size, text)) text.string(JSON.stringify(decode(bytes, at)));
    },
    emit: (json, at) => json.text(at, size),
    encode: (value, into, at) => {
      if (typeof value === 'string') putText(value, into, at, size);
      else if (isObject(value)) putForm(value, into, at, size);
      else throw new Misfit(`${shown(value)} is not a text of up to ${size} bytes`);
    },
    mark: (mask, at) => void mask.fill(0xff, at, at + size),
  };
}

function decodeChars(bytes: Buffer, at: number, size: number): Json {
  const all = bytes.subarray(at, at + size);
  const nul = all.indexOf(0);
  const used = nul < 0 ? all : all.subarray(0, nul);
  const text = isUtf8(used) ? used.toString('utf8') : undefined;
  if (text === undefined || control.test(text)) return hexOf(bytes, at, size);
  const tail = all.subarray(used.length + 1);
  return tail.every((byte) => byte === 0) ? text : { text, tail: tail.toString('hex') };
}

/** The common case at once: printable ASCII and then zeros. Anything else is false, with nothing written. */
function writePlain(bytes: Buffer, at: number, size: number, text: JsonText): boolean {
  const { length } = text;
  const end = at + size;
  let next = at;
  text.byte(quote);
  for (; next < end; next++) {
    const byte = bytes[next] ?? 0;
    if (byte === 0) break;
    if (byte < 0x20 || byte > 0x7e) {
      text.length = length;
      return false;
    }
    if (byte === quote || byte === backslash) text.byte(backslash);
    text.byte(byte);
  }
  while (next < end && bytes[next] === 0) next++;
  if (next < end) {
    text.length = length;
    return false;
  }
  text.byte(quote);
  return true;
}

/** @throws Misfit where it does not fit, has a NUL, or is no text that UTF-8 can say */
function putText(value: string, into: Buffer, at: number, size: number): void {
  const bytes = Buffer.from(value, 'utf8');
  if (bytes.length > size) throw new Misfit(`${shown(value)} has ${bytes.length} bytes, more than ${size}`);
  if (bytes.includes(0)) throw new Misfit('a text has no NUL; use {"hex":…} for bytes');
  if (bytes.toString('utf8') !== value) throw new Misfit('half of a surrogate pair is no text');
  into.set(bytes, at);
}

function putForm(value: JsonObject, into: Buffer, at: number, size: number): void {
  const names = Object.keys(value).sort().join();
  if (names === 'hex') {
    putHex(value['hex'], into, at, size);
    return;
  }
  const { text } = value;
  if (names !== 'tail,text' || typeof text !== 'string') {
    throw new Misfit(`${shown(value)} is neither {"hex":…} nor {"text":…,"tail":…}`);
  }
  const used = Buffer.byteLength(text) + 1;
  if (used > size) throw new Misfit(`${shown(text)} and a NUL have ${used} bytes, more than ${size}`);
  putText(text, into, at, used);
  putHex(value['tail'], into, at + used, size - used);
}
