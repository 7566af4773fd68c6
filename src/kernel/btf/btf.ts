import { badBtf } from './bad-btf.ts';
import { checkReferences, headWords, locateTypes } from './check.ts';
import { type BtfKind, kinds } from './kind.ts';
import { btfLimits } from './limits.ts';

const emptyName = Buffer.from('\0');

/**
 * Type information as the kernel writes it (Documentation/bpf/btf.rst), read where it lies.
 *
 * vmlinux has more than 100,000 types; an object for each would cost more than all that is ever asked of
 * them. So the records are checked once, word by word, when they are opened, and everything else is read from
 * the words when it is wanted. What a kind says beyond its name and size is in `details.ts`.
 *
 * Types are numbered from 1; 0 is `void`. With a base, the base's types come first.
 */
export class Btf {
  /** What split BTF goes on from; undefined for BTF that stands alone. */
  readonly base: Btf | undefined;
  /** The id of the first type that is not the base's. */
  readonly firstId: number;
  /** Words looked at to open it; at most the words there are, and one for each type. */
  readonly steps: number;
  readonly #words: Uint32Array;
  readonly #starts: Uint32Array;
  readonly #strings: Buffer;
  readonly #stringsFrom: number;
  /** What was found by kind and name. What is not there is not remembered, so it is bounded by the types. */
  readonly #found = new Map<string, number>();

  /**
   * `types` and `strings` are the two sections, `strings` ending with a NUL; see `parseBtf`.
   * @throws PinfoldError invalid_input
   */
  constructor(from: {
    readonly types: Uint32Array;
    readonly strings: Buffer;
    readonly base?: Btf | undefined;
  }) {
    const { starts, steps } = locateTypes(from.types);
    this.base = from.base;
    this.firstId = (from.base?.typeCount ?? 0) + 1;
    this.#words = from.types;
    this.#starts = starts;
    this.#strings = from.strings;
    this.#stringsFrom = from.base?.stringBytes ?? 0;
    const extent = { typeCount: this.typeCount, stringBytes: this.stringBytes };
    this.steps = steps + checkReferences(from.types, starts, extent);
  }

  /** How many types there are with those of the base, `void` left out: also the highest id. */
  get typeCount(): number {
    return this.firstId - 1 + this.#starts.length;
  }

  /** Bytes of all names, with those of the base. */
  get stringBytes(): number {
    return this.#stringsFrom + this.#strings.length;
  }

  /** Words of all records, with those of the base: what work on all types is measured by. */
  get wordCount(): number {
    return (this.base?.wordCount ?? 0) + this.#words.length;
  }

  kindOf(id: number): BtfKind {
    return id === 0 ? 'void' : (kinds.byNumber[(this.word(id, 1) >>> 24) & 0x1f] ?? 'void');
  }

  /** The name of a type or function; empty for anonymous ones. */
  nameOf(id: number): string {
    return id === 0 ? 'void' : this.stringAt(this.word(id, 0));
  }

  /** Whether it has no name, without making a string of it. */
  isAnonymous(id: number): boolean {
    return id !== 0 && this.#isString(this.word(id, 0), emptyName);
  }

  /** A word of a type's record; `struct btf_type` is words 0 to 2. The caller knows how long the kind is. */
  word(id: number, index: number): number {
    if (id < this.firstId && this.base !== undefined) return this.base.word(id, index);
    const start = this.#starts[id - this.firstId];
    if (start === undefined) throw badBtf(`there is no type ${id}, only ${this.typeCount}`);
    return this.#words[start + index] ?? 0;
  }

  /** Entries of a record (`vlen`): members, enumerators, parameters, variables; a function's linkage. */
  entriesOf(id: number): number {
    return this.word(id, 1) & 0xffff;
  }

  /** The `kind_flag`: bit fields in a structure, signed enumerators, a forward declaration of a union. */
  hasFlag(id: number): boolean {
    return this.word(id, 1) >>> 31 === 1;
  }

  /**
   * The text at an offset of the names. Many types may share one, so how long it is decides how much work all
   * of them are. @throws PinfoldError invalid_input outside of the names, and for one that is too long
   */
  stringAt(offset: number): string {
    if (offset < this.#stringsFrom && this.base !== undefined) return this.base.stringAt(offset);
    const start = offset - this.#stringsFrom;
    if (start >= this.#strings.length) {
      throw badBtf(`there is no name at ${offset} of ${this.stringBytes} bytes`);
    }
    const end = this.#endOfString(start);
    return end === start ? '' : this.#strings.toString('utf8', start, end);
  }

  /**
   * The first type of a kind and name, the base's first; undefined if there is none. One scan for each that
   * is asked for, without making a string of any name: who opens the kernel asks for each some four times.
   */
  find(kind: BtfKind, name: string): number | undefined {
    const inBase = this.base?.find(kind, name);
    if (inBase !== undefined) return inBase;
    const key = `${kind} ${name}`;
    const known = this.#found.get(key) ?? this.#scan(kind, name);
    if (known !== undefined) this.#found.set(key, known);
    return known;
  }

  #scan(kind: BtfKind, name: string): number | undefined {
    const wanted = Buffer.from(`${name}\0`, 'utf8');
    for (let index = 0; index < this.#starts.length; index++) {
      const start = this.#starts[index] ?? 0;
      if (kinds.byNumber[((this.#words[start + 1] ?? 0) >>> 24) & 0x1f] !== kind) continue;
      if (this.#isString(this.#words[start] ?? 0, wanted)) return this.firstId + index;
    }
    return undefined;
  }

  /**
   * The type something of this type really has: typedefs, qualifiers and type tags taken off.
   * @throws PinfoldError invalid_input where they go round in a circle or on for too long
   */
  resolve(id: number): number {
    let current = id;
    for (let depth = 0; depth <= btfLimits.depthMax; depth++) {
      if (!kinds.modifiers.has(this.kindOf(current))) return current;
      current = this.word(current, 2);
    }
    throw badBtf(`more than ${btfLimits.depthMax} typedefs and qualifiers of each other`, { type_id: id });
  }

  /** What a pointer points to; undefined if the type is not one. */
  pointee(id: number): number | undefined {
    const resolved = this.resolve(id);
    return this.kindOf(resolved) === 'ptr' ? this.word(resolved, 2) : undefined;
  }

  /**
   * Bytes something of this type takes; undefined where that is not known or means nothing.
   * @throws PinfoldError invalid_input for more than a size can say
   */
  sizeOf(id: number): number | undefined {
    let count = 1;
    let current = this.resolve(id);
    for (let depth = 0; this.kindOf(current) === 'array'; depth++) {
      if (depth > btfLimits.depthMax) throw badBtf('arrays of arrays without end', { type_id: id });
      count *= this.word(current, headWords + 2);
      current = this.resolve(this.word(current, headWords));
    }
    const kind = this.kindOf(current);
    if (kind !== 'ptr' && !kinds.sized.has(kind)) return undefined;
    const size = count * (kind === 'ptr' ? 8 : this.word(current, 2));
    if (size > btfLimits.sizeMax) throw badBtf('an array is larger than 4 GiB', { type_id: id });
    return size;
  }

  #endOfString(start: number): number {
    let end = start;
    while (this.#strings[end] !== 0 && end - start <= btfLimits.stringBytesMax) end++;
    if (end - start > btfLimits.stringBytesMax) {
      throw badBtf(
        `the name at ${this.#stringsFrom + start} is longer than ${btfLimits.stringBytesMax} bytes`,
      );
    }
    return end;
  }

  /** Whether `wanted`, which ends with its NUL, stands at this offset of the names. */
  #isString(offset: number, wanted: Buffer): boolean {
    if (offset < this.#stringsFrom && this.base !== undefined) return this.base.#isString(offset, wanted);
    const start = offset - this.#stringsFrom;
    if (this.#strings[start] !== wanted[0] || start + wanted.length > this.#strings.length) return false;
    return wanted.compare(this.#strings, start, start + wanted.length) === 0;
  }
}
