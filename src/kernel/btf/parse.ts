import { Btf } from './btf.ts';

/** Bytes of `struct btf_header`; later versions may append to it. */
const HEADER_SIZE = 24;
const MAGIC = 0xeb9f;

/**
 * Opens BTF that stands in memory: `struct btf_header`, then the sections of types and strings it points to
 * (include/uapi/linux/btf.h). Little-endian, as all machines Pinfold runs on.
 *
 * @throws RangeError where it is not BTF, or damaged so that types cannot be told apart
 */
export function parseBtf(bytes: Buffer): Btf {
  if (bytes.length < HEADER_SIZE) throw new RangeError('BTF is shorter than its header');
  if (bytes.readUInt16LE(0) !== MAGIC) throw new RangeError('BTF does not begin with its magic number');
  if (bytes.readUInt8(2) !== 1) throw new RangeError(`BTF has version ${bytes.readUInt8(2)}, not 1`);
  const headerLength = bytes.readUInt32LE(4);
  if (headerLength < HEADER_SIZE) throw new RangeError('BTF says its header is shorter than it is');
  const section = (offsetAt: number): Buffer => {
    const start = headerLength + bytes.readUInt32LE(offsetAt);
    const end = start + bytes.readUInt32LE(offsetAt + 4);
    if (end > bytes.length) throw new RangeError('BTF has a section outside of it');
    return bytes.subarray(start, end);
  };
  return new Btf({ types: section(8), strings: section(16) });
}
