import { badBtf } from '../bad-btf.ts';
import { intOf, type Member, membersOf } from '../details.ts';
import { btfLimits } from '../limits.ts';
import type { Compiler } from './compiler.ts';
import type { Field, Group, Part } from './fields.ts';

/** The object whose members are collected: anonymous structures in it share its names. */
interface Within {
  /** Bytes from its start to the structure at hand. */
  readonly offset: number;
  readonly names: Set<string>;
  readonly depth: number;
}

/**
 * The members of a structure or union that takes `room` bytes, with those of the anonymous ones in it.
 *
 * @throws PinfoldError invalid_input where a member lies outside of it, or on another one
 */
export function buildGroup(compiler: Compiler, id: number, room: number): Group {
  return groupOf(compiler, { id, room }, { offset: 0, names: new Set(), depth: 0 });
}

interface Composite {
  readonly id: number;
  readonly room: number;
}

function groupOf(compiler: Compiler, { id, room }: Composite, within: Within): Group {
  const { btf } = compiler;
  if (within.depth > btfLimits.depthMax) throw badBtf('nested too deeply', { type_id: id });
  const isUnion = btf.kindOf(id) === 'union';
  if (isUnion && room * btf.entriesOf(id) > btfLimits.unionBytesMax) {
    throw badBtf('a union of too many large views', { type_id: id });
  }
  const members = membersOf(btf, id);
  const flexible = room > (btf.sizeOf(id) ?? 0) ? room : undefined;
  let free = 0;
  const parts = members.flatMap((member, index) => {
    compiler.step(id);
    const takesRest = isUnion || index === members.length - 1;
    const placed = place(compiler, member, takesRest ? flexible : undefined);
    if (placed.start < free || placed.end > room * 8) {
      throw badBtf(`member ${shownName(member)} is not where it can be`, { type_id: id });
    }
    if (!isUnion) free = placed.end;
    return partOf(compiler, placed, within);
  });
  return { isUnion, parts };
}

/** A member and the bits it takes. */
interface Placed {
  readonly member: Member;
  /** Bits from the start of its structure. */
  readonly start: number;
  readonly end: number;
  readonly isBitField: boolean;
}

/** Where a member is; one that is flexible goes on to the end of `rest` bytes, if there are so many. */
function place(compiler: Compiler, member: Member, rest: number | undefined): Placed {
  const { btf } = compiler;
  const { typeId, bitOffset, bitSize } = member;
  if (bitSize > 0) return { member, start: bitOffset, end: bitOffset + bitSize, isBitField: true };
  const id = btf.resolve(typeId);
  if (btf.kindOf(id) === 'int') {
    const { size, bits, bitOffset: inside } = intOf(btf, id);
    const start = bitOffset + inside;
    // Compilers before `kind_flag` gave each bit field an integer type of its own.
    if (bits < size * 8 || start % 8 !== 0) return { member, start, end: start + bits, isBitField: true };
  }
  if (bitOffset % 8 !== 0) {
    throw badBtf(`member ${shownName(member)} begins inside of a byte`, { type_id: typeId });
  }
  const size = btf.sizeOf(id);
  if (size === undefined) throw badBtf(`member ${shownName(member)} has no size`, { type_id: typeId });
  const takesRest = rest !== undefined && compiler.isFlexible(id);
  const end = takesRest ? rest * 8 : bitOffset + size * 8;
  return { member, start: bitOffset, end, isBitField: false };
}

/** The part of an object a member is; nothing for unnamed bits, which are padding. */
function partOf(compiler: Compiler, placed: Placed, within: Within): Part[] {
  const { member, start, end, isBitField } = placed;
  const offset = within.offset + (start >>> 3);
  if (isBitField) {
    if (member.name === '') return [];
    const codec = compiler.bitFieldOf(member.typeId, { offset: start & 7, width: end - start });
    return [field(compiler, { member, offset, codec }, within)];
  }
  const room = (end - start) / 8;
  if (member.name !== '') {
    const size = compiler.btf.sizeOf(member.typeId);
    const codec = compiler.codecOf(member.typeId, room === size ? undefined : room);
    return [field(compiler, { member, offset, codec }, within)];
  }
  const id = compiler.btf.resolve(member.typeId);
  const kind = compiler.btf.kindOf(id);
  if (kind !== 'struct' && kind !== 'union') return [];
  return [groupOf(compiler, { id, room }, { offset, names: within.names, depth: within.depth + 1 })];
}

function field(
  compiler: Compiler,
  { member, offset, codec }: { member: Member; offset: number; codec: Field['codec'] },
  within: Within,
): Field {
  const name = uniqueName(compiler.nameWithin(member.name, member.typeId), offset, within.names);
  return { name, offset, codec, isOptional: codec.isKernelOwned === true };
}

/**
 * A name as it is, or with `@` and its offset where another member has it: not possible in C structures, but
 * two static variables of one section may share theirs.
 *
 * @throws PinfoldError invalid_input where that is taken too
 */
export function uniqueName(name: string, offset: number, names: Set<string>): string {
  const unique = names.has(name) ? `${name}@${offset}` : name;
  if (names.has(unique)) throw badBtf(`two members are called ${unique}`);
  names.add(unique);
  return unique;
}

function shownName({ name }: Member): string {
  return name === '' ? '(anonymous)' : name;
}
