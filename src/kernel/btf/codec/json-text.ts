const zero = 0x30;
const billion = 1_000_000_000;
const hexDigits = Buffer.from('0123456789abcdef');

/**
 * JSON as it grows, byte by byte: what a dump writes into instead of making a string for every number.
 *
 * Everything written is ASCII or valid UTF-8. `bytes` up to `length` is the text; `length` may be set back.
 */
export class JsonText {
  bytes: Buffer;
  length = 0;

  /** `capacity` bytes to begin with; it doubles when it is full. */
  constructor(capacity = 64 * 1024) {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(capacity, 64));
  }

  /** The text so far: a view, good until the next write. */
  view(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /** One ASCII character by its code. */
  byte(code: number): void {
    if (this.length === this.bytes.length) this.#grow(1);
    this.bytes[this.length++] = code;
  }

  /** Bytes made before, such as a name with its quotes and colon. */
  raw(piece: Uint8Array): void {
    const { length } = piece;
    if (this.length + length > this.bytes.length) this.#grow(length);
    // Up to about this length a loop is faster than a call into the runtime.
    if (length > 48) this.bytes.set(piece, this.length);
    else for (let index = 0; index < length; index++) this.bytes[this.length + index] = piece[index] ?? 0;
    this.length += length;
  }

  /** A string of JavaScript, as it is: the caller has made it JSON. */
  string(text: string): void {
    const most = text.length * 3;
    if (this.length + most > this.bytes.length) this.#grow(most);
    this.length += this.bytes.write(text, this.length, 'utf8');
  }

  /** An integer from -2^53 to 2^53. */
  integer(value: number): void {
    if (this.length + 24 > this.bytes.length) this.#grow(24);
    if (value < 0) this.bytes[this.length++] = 0x2d;
    const magnitude = value < 0 ? -value : value;
    if (magnitude < billion) this.#small(magnitude);
    else {
      const high = Math.floor(magnitude / billion);
      if (high < billion) this.#small(high);
      else this.integer(high);
      this.#nineDigits(magnitude - high * billion);
    }
  }

  /** The 64-bit number `high * 2^32 + low`, without a detour through bigint. */
  wide(high: number, low: number): void {
    if (high < 0x20_0000) {
      this.integer(high * 0x1_0000_0000 + low);
      return;
    }
    // Long division by 10^9 in steps of 16 bits: every intermediate is below 2^53 and exact.
    const top = Math.floor(high / billion);
    const upper = (high - top * billion) * 0x1_0000 + (low >>> 16);
    const middle = Math.floor(upper / billion);
    const lower = (upper - middle * billion) * 0x1_0000 + (low & 0xffff);
    const bottom = Math.floor(lower / billion);
    this.integer(top * 0x1_0000_0000 + middle * 0x1_0000 + bottom);
    this.#nineDigits(lower - bottom * billion);
  }

  /** A 64-bit number in hexadecimal, with `0x` and without leading zeros. */
  hexadecimal(high: number, low: number): void {
    if (this.length + 18 > this.bytes.length) this.#grow(18);
    this.bytes[this.length++] = zero;
    this.bytes[this.length++] = 0x78;
    const digits = high === 0 ? countHex(low) : 8 + countHex(high);
    for (let index = digits - 1; index >= 0; index--) {
      const nibble = index >= 8 ? (high >>> (4 * index - 32)) & 15 : (low >>> (4 * index)) & 15;
      this.bytes[this.length++] = hexDigits[nibble] ?? zero;
    }
  }

  /** Digits of a number below 10^9. */
  #small(value: number): void {
    let end = this.length + countDigits(value);
    this.length = end;
    let rest = value | 0;
    do {
      const next = (rest / 10) | 0;
      this.bytes[--end] = zero + rest - next * 10;
      rest = next;
    } while (rest !== 0);
  }

  #nineDigits(value: number): void {
    if (this.length + 9 > this.bytes.length) this.#grow(9);
    let rest = value | 0;
    for (let index = 8; index >= 0; index--) {
      const next = (rest / 10) | 0;
      this.bytes[this.length + index] = zero + rest - next * 10;
      rest = next;
    }
    this.length += 9;
  }

  #grow(more: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + more));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}

function countDigits(value: number): number {
  if (value < 100) return value < 10 ? 1 : 2;
  if (value < 10_000) return value < 1_000 ? 3 : 4;
  if (value < 1_000_000) return value < 100_000 ? 5 : 6;
  if (value < 100_000_000) return value < 10_000_000 ? 7 : 8;
  return 9;
}

function countHex(value: number): number {
  return value === 0 ? 1 : 8 - (Math.clz32(value) >>> 2);
}
