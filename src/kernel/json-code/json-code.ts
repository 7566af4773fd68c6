import { tables } from './arena.ts';
import {
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
import { advance, pairOf, routine } from './routines.ts';
import type { ValueType } from './wasm-module.ts';

/** Says how a value is written that begins `at` bytes behind `json.base`. */
export type Emit = (json: JsonCode, at: number) => void;

/** Bits of a number: how many, from which bit of which byte on, and whether the highest is a sign. */
export interface NumberBits {
  readonly offset: number;
  readonly width: number;
  readonly isSigned: boolean;
}

/** Bytes that are written beyond the end of a text, and then overwritten. */
export const overshootBytes = 8;

/** Thrown by `emit` where a layout would become more code than it is worth. */
export class TooMuchCode extends Error {}

const codeBytesMax = 64 * 1024;

/** Texts of hexadecimal digits up to this many bytes are written without a loop. */
const unrolledHexBytes = 16;

/** The locals of the function that is made, and what else it is made of. */
interface Frame {
  /** Where the text ends. */
  readonly out: number;
  /** The first local that is free. */
  readonly firstFree: number;
  /** Leaves the function because this entry cannot be written. */
  readonly giveUp: Code;
}

/**
 * The code that writes one entry, as it grows: what a codec is asked to say of its values.
 *
 * Constant text is gathered until something else follows and then stored eight bytes at a time. `most` counts
 * along how long the text can get.
 */
export class JsonCode {
  /** The local in which the address stands that offsets count from. */
  base: number;
  /** Bytes of the longest text an entry can become. */
  most = 0;
  readonly locals: ValueType[] = [];
  readonly #frame: Frame;
  #body: number[] = [];
  #pending: number[] = [];

  constructor(base: number, frame: Frame) {
    this.base = base;
    this.#frame = frame;
  }

  /** Text that is the same in every entry. */
  literal(text: string): void {
    const bytes = Buffer.from(text);
    this.most += bytes.length;
    if (this.#pending.length + bytes.length > codeBytesMax) throw new TooMuchCode('too much text');
    for (const byte of bytes) this.#pending.push(byte);
  }

  /** A number in decimal digits; of up to 32 bits, or whole 64. */
  decimal(bits: NumberBits, at: number): void {
    const { width, isSigned } = bits;
    const isWide = width > 32;
    const value = this.#read(bits, at);
    this.most += isWide ? 20 : 11;
    if (!isSigned) this.#write(call(isWide ? routine.wideDecimal : routine.decimal, this.#out, value));
    else this.#signed(value, isWide);
  }

  /** The same, of a value that is in a local. */
  decimalOf(local: number): void {
    this.most += 10;
    this.#write(call(routine.decimal, this.#out, get(local)));
  }

  /** Bytes as hexadecimal digits, without quotes. */
  hex(at: number, size: number): void {
    this.most += 2 * size;
    if (size > unrolledHexBytes) {
      this.#write(call(routine.hex, this.#out, this.#address(at), i32(size)));
      return;
    }
    this.#flush();
    for (let index = 0; index < size; index++) {
      const pair = pairOf(tables.hexPairs, loads.u8(get(this.base), at + index));
      this.#add(stores.u16(this.#out, pair, 2 * index));
    }
    this.#add(advance(this.#frame.out, 2 * size));
  }

  /** 64 bits as a pointer, without quotes. */
  pointer(at: number): void {
    this.most += 18;
    this.#write(call(routine.pointer, this.#out, loads.u64(get(this.base), at)));
  }

  /** A text that ends with its first NUL, in quotes; an entry where it is anything else is given up. */
  text(at: number, size: number): void {
    this.most += 2 * size + 2;
    const end = this.#local('i32');
    this.#flush();
    this.#add(set(end, call(routine.text, this.#out, this.#address(at), i32(size))));
    this.#add(when(word.isZero(get(end)), this.#frame.giveUp));
    this.#add(set(this.#frame.out, get(end)));
  }

  /** One of several texts by a number of up to 32 bits, or what `otherwise` writes. */
  choose({ bits, at, texts, otherwise }: Choice): void {
    this.#flush();
    const value = this.#local('i32');
    this.#add(set(value, this.#read({ ...bits, isSigned: false }, at)));
    const before = this.most;
    let longest = before;
    const branch = (write: () => void): Code => {
      this.most = before;
      const code = this.#apart(write);
      longest = Math.max(longest, this.most);
      return code;
    };
    let code = branch(otherwise);
    for (const [number, text] of [...texts].reverse()) {
      code = when(
        word.equal(get(value), i32(number)),
        branch(() => this.literal(text)),
        code,
      );
    }
    this.most = longest;
    this.#add(code);
  }

  /**
   * `length` values with commas between them, each `stride` bytes behind the one before; there is at least
   * one. `write` is called once, with the local that counts them.
   */
  repeat({ at, stride, length }: Repetition, write: (index: number) => void): void {
    const outer = this.base;
    const cursor = this.#local('i32');
    const index = this.#local('i32');
    this.#flush();
    this.#add([...set(cursor, this.#address(at)), ...set(index, i32(0))]);
    const before = this.most;
    this.base = cursor;
    const each = this.#apart(() => {
      write(index);
      this.literal(',');
    });
    this.base = outer;
    this.most = before + length * (this.most - before);
    const next = [...advance(cursor, stride), ...advance(index, 1)];
    this.#add(loopWhile(word.below(get(index), i32(length)), [...each, ...next]));
    // The last comma goes again.
    this.#add(advance(this.#frame.out, -1));
  }

  /** All code so far. */
  code(): Code {
    this.#flush();
    return this.#body;
  }

  get #out(): Code {
    return get(this.#frame.out);
  }

  #address(at: number): Code {
    return word.add(get(this.base), i32(at));
  }

  #local(type: ValueType): number {
    this.locals.push(type);
    return this.#frame.firstFree + this.locals.length - 1;
  }

  #signed(value: Code, isWide: boolean): void {
    const local = this.#local(isWide ? 'i64' : 'i32');
    const { out } = this.#frame;
    const negative = isWide ? wide.belowSigned(get(local), i64(0n)) : word.belowSigned(get(local), i32(0));
    const magnitude = isWide ? wide.subtract(i64(0n), get(local)) : word.subtract(i32(0), get(local));
    this.#flush();
    this.#add(set(local, value));
    const minus = [...stores.u8(get(out), i32(0x2d)), ...advance(out, 1), ...set(local, magnitude)];
    this.#add(when(negative, minus));
    this.#write(call(isWide ? routine.wideDecimal : routine.decimal, this.#out, get(local)));
  }

  /** The number in these bits: 64 bits of it where it has more than 32, else 32. */
  #read({ offset, width, isSigned }: NumberBits, at: number): Code {
    const from = at + (offset >>> 3);
    const shift = offset & 7;
    const whole = shift === 0 ? wholeNumber(width, isSigned) : undefined;
    if (whole !== undefined) return whole(get(this.base), from);
    const up = wide.shiftLeft(loads.u64(get(this.base), from), i64(BigInt(64 - shift - width)));
    const down = i64(BigInt(64 - width));
    const value = isSigned ? wide.shiftRightSigned(up, down) : wide.shiftRight(up, down);
    return width > 32 ? value : word.of(value);
  }

  /** Code by itself that a branch or a loop is made of. */
  #apart(write: () => void): Code {
    this.#flush();
    const body = this.#body;
    this.#body = [];
    write();
    const code = this.code();
    this.#body = body;
    return code;
  }

  /** Adds what leaves the new end of the text. */
  #write(end: Code): void {
    this.#flush();
    this.#add(set(this.#frame.out, end));
  }

  #add(code: Code): void {
    for (const byte of code) this.#body.push(byte);
    if (this.#body.length > codeBytesMax) throw new TooMuchCode('too much code for one entry');
  }

  #flush(): void {
    const { length } = this.#pending;
    if (length === 0) return;
    const bytes = Buffer.alloc(length + overshootBytes);
    bytes.set(this.#pending);
    this.#pending = [];
    for (let at = 0; at < length; at += 8) {
      this.#add(stores.u64(this.#out, i64(bytes.readBigUInt64LE(at)), at));
    }
    this.#add(advance(this.#frame.out, length));
  }
}

/** Texts by the number that stands for them, and what is written for all other numbers. */
interface Choice {
  readonly bits: NumberBits;
  readonly at: number;
  readonly texts: ReadonlyMap<number, string>;
  readonly otherwise: () => void;
}

/** Values one behind the other. */
interface Repetition {
  readonly at: number;
  readonly stride: number;
  readonly length: number;
}

function wholeNumber(
  width: number,
  isSigned: boolean,
): ((address: Code, offset: number) => Code) | undefined {
  switch (width) {
    case 8:
      return isSigned ? loads.s8 : loads.u8;
    case 16:
      return isSigned ? loads.s16 : loads.u16;
    case 32:
      return loads.u32;
    case 64:
      return loads.u64;
    default:
      return undefined;
  }
}
