import { badBtf } from './bad-btf.ts';
import type { Btf } from './btf.ts';
import { type Member, membersOf } from './details.ts';
import { btfLimits } from './limits.ts';

/** Where a member is, and what it is. */
export interface Place {
  /** Bytes from the start of the structure. */
  readonly offset: number;
  readonly typeId: number;
  /** Bytes it takes; a load must be just as wide, or the verifier refuses it. */
  readonly size: number;
}

/**
 * Where a member is in a structure; a path like `refcnt.counter` goes on inside of it.
 *
 * Members of anonymous structures and unions count as members of the one around them, as in C.
 * @throws RangeError where this kernel's structure has no such member; PinfoldError invalid_input where the
 * BTF is damaged
 */
export function memberOffset(btf: Btf, structId: number, path: string): Place {
  let typeId = btf.resolve(structId);
  let offset = 0;
  for (const name of path.split('.')) {
    const found = findMember(btf, { typeId, offset }, name, 0);
    if (found === undefined)
      throw new RangeError(`struct ${btf.nameOf(structId)} has no member ${path} here`);
    offset = found.offset;
    typeId = btf.resolve(found.typeId);
  }
  const size = btf.sizeOf(typeId);
  if (size === undefined)
    throw new RangeError(`member ${path} of struct ${btf.nameOf(structId)} has no size`);
  return { offset, typeId, size };
}

interface Within {
  readonly typeId: number;
  readonly offset: number;
}

function findMember(btf: Btf, within: Within, name: string, depth: number): Within | undefined {
  if (depth > btfLimits.depthMax) throw badBtf('structures nested without end', { type_id: within.typeId });
  for (const member of membersOf(btf, within.typeId)) {
    if (member.name === name) return step(within, member);
    if (member.name !== '') continue;
    const inner = step(within, { ...member, typeId: btf.resolve(member.typeId) });
    const found = findMember(btf, inner, name, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function step(within: Within, member: Member): Within {
  return { typeId: member.typeId, offset: within.offset + member.bitOffset / 8 };
}
