import { badBtf } from './bad-btf.ts';
import { Btf } from './btf.ts';

/** Bytes of `struct btf_header`; later versions may append to it. */
const headerSize = 24;
const magic = 0xeb9f;

/**
 * Opens BTF that stands in memory: `struct btf_header`, then the sections of types and strings it points to
 * (include/uapi/linux/btf.h). Little-endian, as all machines Pinfold runs on.
 *
 * With a base it is *split* BTF, as kernel modules have it: its ids and name offsets go on where those of the
 * base end. The bytes are not copied and must not change afterwards.
 *
 * @throws PinfoldError invalid_input where it is not BTF, is damaged, or is newer than this build
 */
export function parseBtf(bytes: Buffer, base?: Btf): Btf {
  if (bytes.length < headerSize) throw badBtf('it is shorter than its header', { offset: 0 });
  if (bytes.readUInt16LE(0) !== magic) throw badBtf('it does not begin with its magic number', { offset: 0 });
  if (bytes.readUInt8(2) !== 1) throw badBtf(`version ${bytes.readUInt8(2)} is not 1`, { offset: 2 });
  const types = section(bytes, 8);
  if (types.length % 4 !== 0) throw badBtf('the types are not whole words', { offset: 12 });
  return new Btf({ types: wordsOf(types), strings: stringsOf(bytes, base), base });
}

/** The section whose offset (after the header) and length stand at `at`. */
function section(bytes: Buffer, at: number): Buffer {
  const headerLength = bytes.readUInt32LE(4);
  if (headerLength < headerSize || headerLength > bytes.length) {
    throw badBtf(`a header of ${headerLength} bytes cannot be`, { offset: 4 });
  }
  const start = headerLength + bytes.readUInt32LE(at);
  const end = start + bytes.readUInt32LE(at + 4);
  if (end > bytes.length) {
    throw badBtf(`a section ends at ${end}, behind all ${bytes.length} bytes`, { offset: at });
  }
  return bytes.subarray(start, end);
}

/** Every string ends with a NUL, so the last byte is one; offset 0 is the empty name, but in split BTF. */
function stringsOf(bytes: Buffer, base: Btf | undefined): Buffer {
  const strings = section(bytes, 16);
  if (strings.length === 0 && base !== undefined) return strings;
  if (strings.length === 0 || strings.at(-1) !== 0) {
    throw badBtf('the names do not end with a NUL', { offset: 16 });
  }
  if (base === undefined && strings[0] !== 0) throw badBtf('the first name is not empty', { offset: 16 });
  return strings;
}

/** The types as words: where they lie if that is at a multiple of four, else as a copy. */
function wordsOf(types: Buffer): Uint32Array {
  const aligned = types.byteOffset % 4 === 0 ? types : Uint8Array.from(types);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, types.length / 4);
}
