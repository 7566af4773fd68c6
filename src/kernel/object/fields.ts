/** Members that may be absent, from values that may be undefined. */
export type Present<Members> = {
  readonly [Name in keyof Members as undefined extends Members[Name] ? never : Name]: Members[Name];
} & {
  readonly [Name in keyof Members as undefined extends Members[Name] ? Name : never]?: Exclude<
    Members[Name],
    undefined
  >;
};

/** An object without the members that are undefined: what is not known is absent from a document. */
export function present<Members extends Readonly<Record<string, unknown>>>(
  members: Members,
): Present<Members> {
  const known: Record<string, unknown> = {};
  for (const name in members) {
    if (members[name] !== undefined) known[name] = members[name];
  }
  return known as Present<Members>;
}

/**
 * The fields of a structure the kernel has filled, by their offsets.
 *
 * A field that lies beyond what this kernel filled is undefined: the kernel is older than the field.
 */
export class Fields {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  u32(offset: number): number | undefined {
    return offset + 4 <= this.#bytes.length ? this.#bytes.readUInt32LE(offset) : undefined;
  }

  s32(offset: number): number | undefined {
    return offset + 4 <= this.#bytes.length ? this.#bytes.readInt32LE(offset) : undefined;
  }

  u64(offset: number): bigint | undefined {
    return offset + 8 <= this.#bytes.length ? this.#bytes.readBigUInt64LE(offset) : undefined;
  }

  /** A count or size that a double holds exactly. */
  count(offset: number): number | undefined {
    const value = this.u64(offset);
    return value === undefined ? undefined : Number(value);
  }

  /** An opaque 64-bit value, in decimal. */
  decimal(offset: number): string | undefined {
    return this.u64(offset)?.toString();
  }

  /** An address, in hexadecimal. */
  address(offset: number): string | undefined {
    const value = this.u64(offset);
    return value === undefined ? undefined : `0x${value.toString(16)}`;
  }

  /** A `char[length]` up to its NUL. */
  text(offset: number, length: number): string {
    return textUpToNul(this.#bytes.subarray(offset, offset + length));
  }

  /** Bytes in hexadecimal. */
  hex(offset: number, length: number): string {
    return this.#bytes.toString('hex', offset, offset + length);
  }
}

/** What stands before the first NUL, or all of it where there is none. */
export function textUpToNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

/** The value, unless it is zero: to the kernel a zero id, index or inode says that there is none. */
export function nonZero(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

/** The same for opaque 64-bit values. */
export function nonZeroText(value: string | undefined): string | undefined {
  return value === '0' || value === '0x0' ? undefined : value;
}
