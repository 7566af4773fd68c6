/** A number somewhere in the bytes of a value: whole bytes, or a bit field. */
export interface Cell<T> {
  readonly get: (bytes: Buffer, at: number) => T;
  /** Sets the bits of a number that fits, where all are zero before. */
  readonly put: (into: Buffer, at: number, value: T) => void;
}

/** Where the bits of a cell are and whether the highest is a sign. */
export interface Bits {
  /** From the lowest bit of the first byte: 0 to 7, except in an integer type that says otherwise. */
  readonly offset: number;
  readonly width: number;
  readonly isSigned: boolean;
}

/** A cell of at most 32 bits. */
export function numberCell(bits: Bits): Cell<number> {
  const whole = bits.offset === 0 ? wholeCells.get(`${bits.isSigned ? 's' : 'u'}${bits.width}`) : undefined;
  return whole ?? numberField(bits);
}

/** Cells that are just a number of the machine, which is nearly all. */
const wholeCells: ReadonlyMap<string, Cell<number>> = new Map([
  ['u8', { get: (bytes, at) => bytes[at] ?? 0, put: (into, at, value) => void into.writeUInt8(value, at) }],
  [
    's8',
    { get: (bytes, at) => bytes.readInt8(at), put: (into, at, value) => void into.writeInt8(value, at) },
  ],
  [
    'u16',
    {
      get: (bytes, at) => bytes.readUInt16LE(at),
      put: (into, at, value) => void into.writeUInt16LE(value, at),
    },
  ],
  [
    's16',
    {
      get: (bytes, at) => bytes.readInt16LE(at),
      put: (into, at, value) => void into.writeInt16LE(value, at),
    },
  ],
  [
    'u32',
    {
      get: (bytes, at) => bytes.readUInt32LE(at),
      put: (into, at, value) => void into.writeUInt32LE(value, at),
    },
  ],
  [
    's32',
    {
      get: (bytes, at) => bytes.readInt32LE(at),
      put: (into, at, value) => void into.writeInt32LE(value, at),
    },
  ],
]);

/** The bits lie in up to five bytes, which make a number below 2^40: exact in a double. */
function numberField({ offset, width, isSigned }: Bits): Cell<number> {
  const first = offset >>> 3;
  const shift = 2 ** (offset & 7);
  const count = ((offset & 7) + width + 7) >>> 3;
  const range = 2 ** width;
  const half = isSigned ? range / 2 : range;
  return {
    get: (bytes, at) => {
      let all = 0;
      for (let index = count - 1; index >= 0; index--) all = all * 256 + (bytes[at + first + index] ?? 0);
      const value = Math.floor(all / shift) % range;
      return value >= half ? value - range : value;
    },
    put: (into, at, value) => {
      let rest = (value < 0 ? value + range : value) * shift;
      for (let index = at + first; rest > 0; index++) {
        into[index] = (into[index] ?? 0) | (rest % 256);
        rest = Math.floor(rest / 256);
      }
    },
  };
}

/** A cell of any width, for what a double cannot hold. */
export function bigCell({ offset, width, isSigned }: Bits): Cell<bigint> {
  const first = offset >>> 3;
  const shift = BigInt(offset & 7);
  const count = ((offset & 7) + width + 7) >>> 3;
  return {
    get: (bytes, at) => {
      let all = 0n;
      for (let index = count - 1; index >= 0; index--) {
        all = (all << 8n) | BigInt(bytes[at + first + index] ?? 0);
      }
      return isSigned ? BigInt.asIntN(width, all >> shift) : BigInt.asUintN(width, all >> shift);
    },
    put: (into, at, value) => {
      let rest = BigInt.asUintN(width, value) << shift;
      for (let index = at + first; rest > 0n; index++) {
        into[index] = (into[index] ?? 0) | Number(rest & 0xffn);
        rest >>= 8n;
      }
    },
  };
}

/** Sets the bits of a cell in a mask. */
export function markBits({ offset, width }: Bits, mask: Buffer, at: number): void {
  bigCell({ offset, width, isSigned: false }).put(mask, at, (1n << BigInt(width)) - 1n);
}

/** The least and the greatest number of a cell. */
export function rangeOf({ width, isSigned }: Bits): readonly [bigint, bigint] {
  const all = 1n << BigInt(width);
  return isSigned ? [-all / 2n, all / 2n - 1n] : [0n, all - 1n];
}
