import type { RecordsById } from '../kernel.ts';

/** How records are laid out: each has this size and begins with the id as a u32. */
export interface RecordFormat<Value> {
  readonly recordSize: number;
  /** Reads one record, which is lent. */
  parse(record: Buffer): Value;
}

/** Which records are there to be seen. */
type IsShown = (id: number) => boolean;

const everyOne: IsShown = () => true;

/**
 * What a pass of an iterator wrote, as a map by id. The bytes are kept as they are, and nothing is made of a
 * record before somebody asks for it: passes come each second, and most of ten thousand objects nobody
 * asks for.
 */
export class RecordMap<Value> implements RecordsById<Value> {
  readonly ids: Uint32Array;
  readonly #bytes: Buffer;
  /** The same bytes in fours. */
  readonly #words: Uint32Array;
  /** Words of a record. */
  readonly #step: number;
  readonly #format: RecordFormat<Value>;
  readonly #isShown: IsShown;

  /**
   * Of bytes that are this map's from now on.
   *
   * @throws RangeError where they are not whole records by ascending ids, as iterators write them
   */
  private constructor(bytes: Buffer, format: RecordFormat<Value>, isShown: IsShown) {
    this.#bytes = bytes;
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    this.#step = format.recordSize / 4;
    this.#format = format;
    this.#isShown = isShown;
    this.ids = this.#readIds();
  }

  /** Of the bytes of a pass, which are copied. @throws RangeError as above */
  static of<Value>(lent: Buffer, format: RecordFormat<Value>, isShown: IsShown = everyOne): RecordMap<Value> {
    return new RecordMap(settledOf(lent, format.recordSize), format, isShown);
  }

  get size(): number {
    return this.ids.length;
  }

  /** Whether a pass wrote exactly this. */
  isOf(lent: Buffer): boolean {
    return this.#bytes.equals(lent);
  }

  has(id: number): boolean {
    return this.#find(id) !== undefined;
  }

  get(id: number): Value | undefined {
    const index = this.#find(id);
    return index === undefined ? undefined : this.#read(index);
  }

  keys() {
    return this.ids.values();
  }

  *values(): Generator<Value, undefined, unknown> {
    for (const [, value] of this) yield value;
    return undefined;
  }

  entries(): Generator<[number, Value], undefined, unknown> {
    return this[Symbol.iterator]();
  }

  *[Symbol.iterator](): Generator<[number, Value], undefined, unknown> {
    for (let index = 0; index < this.#count; index++) {
      const id = this.#idAt(index);
      if (this.#isShown(id)) yield [id, this.#read(index)];
    }
    return undefined;
  }

  forEach(call: (value: Value, id: number, map: ReadonlyMap<number, Value>) => void): void {
    for (const [id, value] of this) call(value, id, this);
  }

  adjusted(by: (value: Value, id: number) => Value): RecordMap<Value> {
    const { recordSize, parse } = this.#format;
    const format = { recordSize, parse: (record: Buffer) => by(parse(record), record.readUInt32LE(0)) };
    return new RecordMap(this.#bytes, format, this.#isShown);
  }

  /** What was not in an earlier pass, or not like this. */
  *changedSince(before: RecordMap<Value> | undefined): Generator<Value, undefined, unknown> {
    let other = 0;
    for (let index = 0; index < this.#count; index++) {
      const id = this.#idAt(index);
      if (before === undefined) {
        yield this.#read(index);
        continue;
      }
      while (other < before.#count && before.#idAt(other) < id) other++;
      if (!this.#isSameRecord(index, before, other)) yield this.#read(index);
    }
    return undefined;
  }

  get #count(): number {
    return this.#words.length / this.#step;
  }

  #idAt(index: number): number {
    return this.#words[index * this.#step] ?? 0;
  }

  #read(index: number): Value {
    const { recordSize } = this.#format;
    return this.#format.parse(this.#bytes.subarray(index * recordSize, (index + 1) * recordSize));
  }

  #find(id: number): number | undefined {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#idAt(middle) < id) low = middle + 1;
      else high = middle;
    }
    return low < this.#count && this.#idAt(low) === id && this.#isShown(id) ? low : undefined;
  }

  #isSameRecord(index: number, before: RecordMap<Value>, other: number): boolean {
    const mine = index * this.#step;
    const its = other * this.#step;
    for (let word = 0; word < this.#step; word++) {
      if (this.#words[mine + word] !== before.#words[its + word]) return false;
    }
    return true;
  }

  #readIds(): Uint32Array {
    const count = this.#count;
    if (!Number.isInteger(count)) throw new RangeError('an iterator gave a part of a record');
    const ids = new Uint32Array(count);
    let [shown, last] = [0, 0];
    for (let index = 0; index < count; index++) {
      const id = this.#idAt(index);
      if (id < last) throw new RangeError(`an iterator gave the id ${id} after ${last}`);
      last = id;
      if (this.#isShown(id)) ids[shown++] = id;
    }
    return ids.subarray(0, shown);
  }
}

/**
 * A copy without the records of links that are not settled: they stand in the kernel's order, but have no id
 * yet (bpf_link_prime and bpf_link_settle in kernel/bpf/syscall.c).
 */
function settledOf(lent: Buffer, recordSize: number): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(lent.length));
  let [length, from] = [0, 0];
  for (let at = 0; at + recordSize <= lent.length; at += recordSize) {
    if (lent.readUInt32LE(at) !== 0) continue;
    length += lent.copy(bytes, length, from, at);
    from = at + recordSize;
  }
  length += lent.copy(bytes, length, from);
  return bytes.subarray(0, length);
}
