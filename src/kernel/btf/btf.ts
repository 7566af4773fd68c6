import { type BtfKind, kinds, recordBytes } from './kind.ts';

/** Bytes of `struct btf_type`, which precedes what its kind adds. */
const TYPE_SIZE = 12;
/** Bytes of `struct btf_member`. */
const MEMBER_SIZE = 12;

/** A member of a structure or union. */
export interface Member {
  /** Empty for an anonymous structure or union. */
  readonly name: string;
  readonly typeId: number;
  /** From the start of the structure; bit fields need not begin at a byte. */
  readonly bitOffset: number;
  /** Width of a bit field; 0 for an ordinary member. */
  readonly bitSize: number;
}

/**
 * Type information as the kernel writes it (Documentation/bpf/btf.rst), read where it lies.
 *
 * vmlinux has more than 100,000 types; an object for each would cost more than all that is ever asked of
 * them. So one scan notes where each type begins, and everything else is read from the bytes when it is
 * wanted. Every read is checked against the section it is in: BTF comes from whoever loaded a program.
 *
 * Types are numbered from 1; 0 is `void`.
 */
export class Btf {
  readonly #types: Buffer;
  readonly #strings: Buffer;
  /** Where type `id` begins in `#types`, at index `id - 1`. */
  readonly #starts: Uint32Array;

  constructor(sections: { readonly types: Buffer; readonly strings: Buffer }) {
    this.#types = sections.types;
    this.#strings = sections.strings;
    this.#starts = findStarts(sections.types);
  }

  /** How many types there are, `void` left out. */
  get typeCount(): number {
    return this.#starts.length;
  }

  kindOf(id: number): BtfKind {
    return id === 0 ? 'void' : kindAt(this.#types, this.#start(id));
  }

  /** The name of a type or function; empty for anonymous ones. */
  nameOf(id: number): string {
    return id === 0 ? 'void' : this.stringAt(this.#types.readUInt32LE(this.#start(id)));
  }

  /** The text at an offset of the string section. @throws RangeError outside of it */
  stringAt(offset: number): string {
    const end = this.#strings.indexOf(0, offset);
    if (offset >= this.#strings.length || end < 0) throw new RangeError(`BTF has no string at ${offset}`);
    return this.#strings.toString('utf8', offset, end);
  }

  /**
   * The first type of a kind and name; undefined if there is none. One scan, without making a string of any
   * name.
   */
  find(kind: BtfKind, name: string): number | undefined {
    const wanted = Buffer.from(`${name}\0`, 'utf8');
    for (let id = 1; id <= this.typeCount; id++) {
      const start = this.#starts[id - 1] ?? 0;
      if (kindAt(this.#types, start) !== kind) continue;
      const offset = this.#types.readUInt32LE(start);
      if (this.#strings[offset] !== wanted[0]) continue;
      if (offset + wanted.length > this.#strings.length) continue;
      if (wanted.compare(this.#strings, offset, offset + wanted.length) === 0) return id;
    }
    return undefined;
  }

  /**
   * The type something of this type really has: typedefs and qualifiers taken off.
   * @throws RangeError in a cycle
   */
  resolve(id: number): number {
    let current = id;
    for (let steps = 0; steps <= this.typeCount; steps++) {
      if (!kinds.modifiers.has(this.kindOf(current))) return current;
      current = this.#sizeOrType(current);
    }
    throw new RangeError(`BTF type ${id} is a typedef of itself`);
  }

  /** What a pointer points to; undefined if the type is not one. */
  pointee(id: number): number | undefined {
    const resolved = this.resolve(id);
    return this.kindOf(resolved) === 'ptr' ? this.#sizeOrType(resolved) : undefined;
  }

  /** Bytes something of this type takes; undefined where that is not known or means nothing. */
  sizeOf(id: number): number | undefined {
    const resolved = this.resolve(id);
    const kind = this.kindOf(resolved);
    if (kind === 'ptr') return 8;
    return kinds.sized.has(kind) ? this.#sizeOrType(resolved) : undefined;
  }

  /** The members of a structure or union, in their order; empty for every other kind. */
  members(id: number): Member[] {
    const kind = this.kindOf(id);
    if (kind !== 'struct' && kind !== 'union') return [];
    const start = this.#start(id);
    const info = this.#types.readUInt32LE(start + 4);
    const hasBitFields = info >>> 31 === 1;
    return Array.from({ length: info & 0xffff }, (_, index) => {
      const at = start + TYPE_SIZE + index * MEMBER_SIZE;
      const offset = this.#types.readUInt32LE(at + 8);
      return {
        name: this.stringAt(this.#types.readUInt32LE(at)),
        typeId: this.#types.readUInt32LE(at + 4),
        bitOffset: hasBitFields ? offset & 0xffffff : offset,
        bitSize: hasBitFields ? offset >>> 24 : 0,
      };
    });
  }

  #sizeOrType(id: number): number {
    return this.#types.readUInt32LE(this.#start(id) + 8);
  }

  #start(id: number): number {
    const start = this.#starts[id - 1];
    if (start === undefined) throw new RangeError(`BTF has no type ${id}`);
    return start;
  }
}

function kindAt(types: Buffer, start: number): BtfKind {
  const kind = kinds.byNumber[(types.readUInt32LE(start + 4) >>> 24) & 0x1f];
  if (kind === undefined) throw new RangeError(`BTF has a type of an unknown kind at ${start}`);
  return kind;
}

/**
 * Where each type begins.
 * @throws RangeError for an unknown kind (its length is not known) or a cut-off section
 */
function findStarts(types: Buffer): Uint32Array {
  const starts = new Uint32Array(types.length / TYPE_SIZE);
  let count = 0;
  let at = 0;
  while (at < types.length) {
    starts[count++] = at;
    if (at + TYPE_SIZE > types.length) throw new RangeError('BTF ends inside a type');
    const info = types.readUInt32LE(at + 4);
    at += TYPE_SIZE + recordBytes((info >>> 24) & 0x1f, info & 0xffff);
  }
  if (at > types.length) throw new RangeError('BTF ends inside a type');
  return starts.slice(0, count);
}
