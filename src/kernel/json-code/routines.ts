import { tables } from './arena.ts';
import {
  answer,
  type Code,
  call,
  get,
  i32,
  i64,
  loads,
  loopWhile,
  set,
  stores,
  when,
  wide,
  word,
} from './instructions.ts';
import type { WasmFunction } from './wasm-module.ts';

/**
 * Functions that every module begins with, by their place. Each takes first where to write, and answers
 * where what it wrote ends.
 */
export const routine = {
  /** (out, value of 32 bits): its decimal digits. */
  decimal: 0,
  /** (out, value of 64 bits): its decimal digits. */
  wideDecimal: 1,
  /** (out, value below 10^8): eight digits. */
  eightDigits: 2,
  /** (out, at, size): two hexadecimal digits a byte. */
  hex: 3,
  /** (out, value of 64 bits): `0x` and its hexadecimal digits. */
  pointer: 4,
  /** (out, at, size): a text in quotes; zero where it is more than printable ASCII and then NULs. */
  text: 5,
} as const;

const out = 0;
const eightZeros = 100_000_000;

/** `local = local + by`. */
export function advance(local: number, by: number): Code {
  return set(local, word.add(get(local), i32(by)));
}

/** The two digits of a number below 100 (or below 256 in hexadecimal). */
export function pairOf(table: number, value: Code): Code {
  return loads.u16(word.shiftLeft(value, i32(1)), table);
}

const decimal = ((): WasmFunction => {
  const [value, end, at, rest] = [1, 2, 3, 4];
  const digits = [10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9].reduce<Code>(
    (sum, power) => word.add(sum, word.atLeast(get(value), i32(power))),
    word.add(get(out), i32(1)),
  );
  const lastPair = word.subtract(get(value), word.multiply(get(rest), i32(100)));
  return {
    parameters: ['i32', 'i32'],
    locals: ['i32', 'i32', 'i32'],
    body: [
      ...set(end, digits),
      ...set(at, get(end)),
      ...loopWhile(word.atLeast(get(value), i32(100)), [
        ...set(rest, word.divide(get(value), i32(100))),
        ...advance(at, -2),
        ...stores.u16(get(at), pairOf(tables.decimalPairs, lastPair)),
        ...set(value, get(rest)),
      ]),
      ...when(
        word.atLeast(get(value), i32(10)),
        stores.u16(word.subtract(get(at), i32(2)), pairOf(tables.decimalPairs, get(value))),
        stores.u8(word.subtract(get(at), i32(1)), word.add(get(value), i32(0x30))),
      ),
      ...get(end),
    ],
  };
})();

const wideDecimal = ((): WasmFunction => {
  const [value, high] = [1, 2];
  const low = wide.subtract(get(value), wide.multiply(get(high), i64(BigInt(eightZeros))));
  return {
    parameters: ['i32', 'i64'],
    locals: ['i64'],
    body: [
      ...when(
        wide.below(get(value), i64(1n << 32n)),
        answer(call(routine.decimal, get(out), word.of(get(value)))),
      ),
      ...set(high, wide.divide(get(value), i64(BigInt(eightZeros)))),
      ...call(routine.eightDigits, call(routine.wideDecimal, get(out), get(high)), word.of(low)),
    ],
  };
})();

const eightDigits = ((): WasmFunction => {
  const [value, upper, high, highest] = [1, 2, 3, 4];
  const pair = (whole: number, top: number): Code =>
    pairOf(tables.decimalPairs, word.subtract(get(whole), word.multiply(get(top), i32(100))));
  const lower = word.subtract(get(value), word.multiply(get(upper), i32(10_000)));
  return {
    parameters: ['i32', 'i32'],
    locals: ['i32', 'i32', 'i32'],
    body: [
      ...set(upper, word.divide(get(value), i32(10_000))),
      ...set(highest, word.divide(get(upper), i32(100))),
      ...stores.u16(get(out), pairOf(tables.decimalPairs, get(highest))),
      ...stores.u16(get(out), pair(upper, highest), 2),
      ...set(value, lower),
      ...set(high, word.divide(get(value), i32(100))),
      ...stores.u16(get(out), pairOf(tables.decimalPairs, get(high)), 4),
      ...stores.u16(get(out), pair(value, high), 6),
      ...word.add(get(out), i32(8)),
    ],
  };
})();

const hex = ((): WasmFunction => {
  const [at, end] = [1, 2];
  return {
    parameters: ['i32', 'i32', 'i32'],
    locals: [],
    body: [
      ...set(end, word.add(get(at), get(end))),
      ...loopWhile(word.differ(get(at), get(end)), [
        ...stores.u16(get(out), pairOf(tables.hexPairs, loads.u8(get(at)))),
        ...advance(out, 2),
        ...advance(at, 1),
      ]),
      ...get(out),
    ],
  };
})();

const pointer = ((): WasmFunction => {
  const [value, shift] = [1, 2];
  const nibble = word.and(word.of(wide.shiftRight(get(value), wide.of(get(shift)))), i32(15));
  // The low digit of each pair is the digit itself.
  const digit = loads.u8(word.shiftLeft(nibble, i32(1)), tables.hexPairs + 1);
  const zeros = word.of(wide.leadingZeros(get(value)));
  return {
    parameters: ['i32', 'i64'],
    locals: ['i32'],
    body: [
      ...stores.u16(get(out), i32(0x7830)),
      ...advance(out, 2),
      ...set(shift, word.subtract(i32(64), word.and(zeros, i32(-4)))),
      ...when(word.isZero(get(shift)), set(shift, i32(4))),
      ...loopWhile(get(shift), [...advance(shift, -4), ...stores.u8(get(out), digit), ...advance(out, 1)]),
      ...get(out),
    ],
  };
})();

const text = ((): WasmFunction => {
  const [at, end, byte] = [1, 2, 3];
  const quote = [...stores.u8(get(out), i32(0x22)), ...advance(out, 1)];
  const isEscaped = word.or(word.equal(get(byte), i32(0x22)), word.equal(get(byte), i32(0x5c)));
  const isPlain = word.below(word.subtract(get(byte), i32(0x20)), i32(0x5f));
  const readByte = [...when(word.equal(get(at), get(end)), set(byte, i32(0)), set(byte, loads.u8(get(at))))];
  return {
    parameters: ['i32', 'i32', 'i32'],
    locals: ['i32'],
    body: [
      ...set(end, word.add(get(at), get(end))),
      ...quote,
      ...readByte,
      ...loopWhile(get(byte), [
        ...when(word.isZero(isPlain), answer(i32(0))),
        ...when(isEscaped, [...stores.u8(get(out), i32(0x5c)), ...advance(out, 1)]),
        ...stores.u8(get(out), get(byte)),
        ...advance(out, 1),
        ...advance(at, 1),
        ...readByte,
      ]),
      ...loopWhile(word.differ(get(at), get(end)), [
        ...when(loads.u8(get(at)), answer(i32(0))),
        ...advance(at, 1),
      ]),
      ...quote,
      ...get(out),
    ],
  };
})();

/** The functions, in the order of `routine`. */
export const routines: readonly WasmFunction[] = [decimal, wideDecimal, eightDigits, hex, pointer, text];
