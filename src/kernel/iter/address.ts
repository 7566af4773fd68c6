/**
 * The lower 52 bits of an address in the kernel, which a number holds exactly.
 *
 * They tell any two files, and any two tables of functions, apart: what lies above differs only between
 * machines of more than four petabytes.
 */
export function addressAt(bytes: Buffer, at: number): number {
  return (bytes.readUInt32LE(at + 4) & 0xfffff) * 2 ** 32 + bytes.readUInt32LE(at);
}
