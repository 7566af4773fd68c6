/**
 * Instructions of WebAssembly in its binary format (core specification, chapter 5), put together as
 * expressions: each function gives the bytes that leave one value, or do one thing.
 */
export type Code = readonly number[];

/** An unsigned number as LEB128, of up to 32 bits. */
export function unsigned(value: number): Code {
  const bytes: number[] = [];
  let rest = value >>> 0;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

function signed(value: bigint): Code {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    const low = Number(rest & 0x7fn);
    const isLast = rest >> 6n === 0n || rest >> 6n === -1n;
    bytes.push(isLast ? low : low | 0x80);
    if (isLast) return bytes;
  }
}

/** A constant of 32 bits. */
export function i32(value: number): Code {
  return [0x41, ...signed(BigInt(value | 0))];
}

/** A constant of 64 bits. */
export function i64(value: bigint): Code {
  return [0x42, ...signed(BigInt.asIntN(64, value))];
}

/** The value of a local. */
export function get(local: number): Code {
  return [0x20, ...unsigned(local)];
}

/** Sets a local. */
export function set(local: number, value: Code): Code {
  return [...value, 0x21, ...unsigned(local)];
}

/** An operation on one value. */
const unary =
  (opcode: number) =>
  (value: Code): Code => [...value, opcode];

/** An operation on two. */
const binary =
  (opcode: number) =>
  (left: Code, right: Code): Code => [...left, ...right, opcode];

/** Operations on 32 bits. */
export const word = {
  isZero: unary(0x45),
  equal: binary(0x46),
  differ: binary(0x47),
  below: binary(0x49),
  belowSigned: binary(0x48),
  atLeast: binary(0x4f),
  add: binary(0x6a),
  subtract: binary(0x6b),
  multiply: binary(0x6c),
  divide: binary(0x6e),
  and: binary(0x71),
  or: binary(0x72),
  shiftLeft: binary(0x74),
  /** From 64 bits. */
  of: unary(0xa7),
} as const;

/** Operations on 64 bits. */
export const wide = {
  below: binary(0x54),
  belowSigned: binary(0x53),
  leadingZeros: unary(0x79),
  subtract: binary(0x7d),
  multiply: binary(0x7e),
  divide: binary(0x80),
  shiftLeft: binary(0x86),
  shiftRight: binary(0x88),
  shiftRightSigned: binary(0x87),
  /** From 32 bits without a sign. */
  of: unary(0xad),
} as const;

/** Reads memory; alignment is promised to nobody. */
const load =
  (opcode: number) =>
  (address: Code, offset = 0): Code => [...address, opcode, 0, ...unsigned(offset)];

/** Numbers from memory, low byte first. */
export const loads = {
  u8: load(0x2d),
  s8: load(0x2c),
  u16: load(0x2f),
  s16: load(0x2e),
  u32: load(0x28),
  u64: load(0x29),
} as const;

/** Writes memory. */
const store =
  (opcode: number) =>
  (address: Code, value: Code, offset = 0): Code => [...address, ...value, opcode, 0, ...unsigned(offset)];

/** Numbers to memory, low byte first. */
export const stores = {
  u8: store(0x3a),
  u16: store(0x3b),
  u32: store(0x36),
  u64: store(0x37),
} as const;

const noResult = 0x40;
const end = 0x0b;

/** One thing or the other. */
export function when(condition: Code, then: Code, otherwise: Code = []): Code {
  const rest = otherwise.length === 0 ? [] : [0x05, ...otherwise];
  return [...condition, 0x04, noResult, ...then, ...rest, end];
}

/** Something again and again, as long as a condition holds before it. */
export function loopWhile(condition: Code, body: Code): Code {
  const leave = [...word.isZero(condition), 0x0d, 1];
  return [0x02, noResult, 0x03, noResult, ...leave, ...body, 0x0c, 0, end, end];
}

/** The result of a function of the module, by its index. */
export function call(index: number, ...values: readonly Code[]): Code {
  return [...values.flat(), 0x10, ...unsigned(index)];
}

/** Ends the function with a value. */
export function answer(value: Code): Code {
  return [...value, 0x0f];
}
