import { addressOf } from '../sys/prototypes.ts';

/**
 * A structure the kernel reads and writes, laid out by hand: zeroed, little-endian, its fields named by their
 * offsets.
 *
 * It remembers every buffer whose address it holds, because the garbage collector does not see addresses.
 */
export class Struct {
  readonly bytes: Buffer;
  #pointedAt: Uint8Array[] = [];

  constructor(size: number) {
    // From Node's pool: memory of its own for each would cost more than the system call.
    this.bytes = Buffer.allocUnsafe(size).fill(0);
  }

  /** Sets an unsigned (or a signed, non-negative) 32-bit field. */
  u32(offset: number, value: number): this {
    this.bytes.writeUInt32LE(value >>> 0, offset);
    return this;
  }

  u64(offset: number, value: bigint): this {
    this.bytes.writeBigUInt64LE(value, offset);
    return this;
  }

  /** Sets a `__aligned_u64` field to where a buffer is; the buffer lives until `release`. */
  pointer(offset: number, buffer: Uint8Array): this {
    this.#pointedAt.push(buffer);
    return this.u64(offset, addressOf(buffer));
  }

  /** Sets a `char[length]` field; what does not fit with its NUL is cut. */
  text(offset: number, value: string, length: number): this {
    this.bytes.write(value.slice(0, length - 1), offset, 'latin1');
    return this;
  }

  /** To be called once the kernel has returned: until here the pointed-at buffers are surely alive. */
  release(): void {
    this.#pointedAt = [];
  }
}
