import { badBtf } from './bad-btf.ts';
import type { Btf } from './btf.ts';
import { headWords } from './check.ts';

/** What an integer type is: BTF_INT_ENCODING, _OFFSET and _BITS, and its size. */
export interface IntType {
  /** Bytes, 1 to 16. */
  readonly size: number;
  /** Bits that count; fewer than `size` has in bit fields of old compilers. */
  readonly bits: number;
  /** Where those begin, from the lowest bit. */
  readonly bitOffset: number;
  readonly encoding: 'none' | 'signed' | 'char' | 'bool';
}

const encodings: ReadonlyMap<number, IntType['encoding']> = new Map([
  [0, 'none'],
  [1, 'signed'],
  [2, 'char'],
  [4, 'bool'],
]);

/** The `int` of this id. @throws PinfoldError invalid_input where its bits do not fit into it */
export function intOf(btf: Btf, id: number): IntType {
  const size = btf.word(id, 2);
  const data = btf.word(id, headWords);
  const bits = data & 0xff;
  const bitOffset = (data >>> 16) & 0xff;
  const encoding = encodings.get(data >>> 24);
  if (size < 1 || size > 16 || bits < 1 || bits + bitOffset > size * 8 || encoding === undefined) {
    throw badBtf(`an integer of ${size} bytes, ${bits} bits from ${bitOffset} on, cannot be`, {
      type_id: id,
    });
  }
  return { size, bits, bitOffset, encoding };
}

/** An array: `length` elements; the index type is of no use to anybody but those who print it. */
export interface ArrayType {
  readonly elementId: number;
  readonly indexId: number;
  readonly length: number;
}

/** The `array` of this id. */
export function arrayOf(btf: Btf, id: number): ArrayType {
  return {
    elementId: btf.word(id, headWords),
    indexId: btf.word(id, headWords + 1),
    length: btf.word(id, headWords + 2),
  };
}

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

/** The members of a structure or union, in their order; empty for every other kind. */
export function membersOf(btf: Btf, id: number): Member[] {
  const kind = btf.kindOf(id);
  if (kind !== 'struct' && kind !== 'union') return [];
  return Array.from({ length: btf.entriesOf(id) }, (_, index) => memberOf(btf, id, index));
}

/** One member of a structure or union that has so many. */
export function memberOf(btf: Btf, id: number, index: number): Member {
  const at = headWords + index * 3;
  const offset = btf.word(id, at + 2);
  const hasBitFields = btf.hasFlag(id);
  return {
    name: btf.stringAt(btf.word(id, at)),
    typeId: btf.word(id, at + 1),
    bitOffset: hasBitFields ? offset & 0xffffff : offset,
    bitSize: hasBitFields ? offset >>> 24 : 0,
  };
}

/** A named value of an enumeration, as the 32 or 64 bits that stand in the record. */
export interface Enumerator {
  readonly name: string;
  /** Without a sign: `Btf.hasFlag` tells whether the enumeration has one. */
  readonly bits: bigint;
}

/** The enumerators of an `enum` or `enum64`. */
export function enumeratorsOf(btf: Btf, id: number): Enumerator[] {
  const isWide = btf.kindOf(id) === 'enum64';
  return eachEntry(btf, id, isWide ? 3 : 2, (at) => {
    const high = isWide ? BigInt(btf.word(id, at + 2)) << 32n : 0n;
    return { name: btf.stringAt(btf.word(id, at)), bits: high | BigInt(btf.word(id, at + 1)) };
  });
}

/** A parameter of a function; unnamed behind a pointer. Type 0 in the last place is `...`. */
export interface Parameter {
  readonly name: string;
  readonly typeId: number;
}

/** The parameters of a `func_proto`. */
export function parametersOf(btf: Btf, id: number): Parameter[] {
  return eachEntry(btf, id, 2, (at) => ({
    name: btf.stringAt(btf.word(id, at)),
    typeId: btf.word(id, at + 1),
  }));
}

/** A variable of a data section. Before a program is loaded, offset and size may both still be missing. */
export interface Variable {
  readonly typeId: number;
  /** Bytes from the start of the section. */
  readonly offset: number;
  readonly size: number;
}

/** The variables of a `datasec`. */
export function variablesOf(btf: Btf, id: number): Variable[] {
  return eachEntry(btf, id, 3, (at) => ({
    typeId: btf.word(id, at),
    offset: btf.word(id, at + 1),
    size: btf.word(id, at + 2),
  }));
}

/** What a `ptr`, `typedef`, qualifier, tag, `var` or `func` is of, or what a `func_proto` returns. */
export function targetOf(btf: Btf, id: number): number {
  return btf.word(id, 2);
}

/** The linkage of a `func` or `var`: 0 static, 1 global, 2 extern. */
export function linkageOf(btf: Btf, id: number): number {
  return btf.kindOf(id) === 'func' ? btf.entriesOf(id) : btf.word(id, headWords);
}

/** Which member or parameter a `decl_tag` is about; -1 for the whole. */
export function componentOf(btf: Btf, id: number): number {
  return btf.word(id, headWords) | 0;
}

function eachEntry<T>(btf: Btf, id: number, width: number, read: (at: number) => T): T[] {
  return Array.from({ length: btf.entriesOf(id) }, (_, index) => read(headWords + index * width));
}
