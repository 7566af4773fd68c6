import type { JsonObject } from '../../../model/json.ts';
import type { Codec } from './codec.ts';
import { inside, Misfit } from './misfit.ts';

/** A member with a name of its own. */
export interface Field {
  readonly name: string;
  /** Bytes from the start of the object it is shown in. */
  readonly offset: number;
  readonly codec: Codec;
  /** Whether it may be left out: what the kernel keeps to itself, and bytes without a name. */
  readonly isOptional: boolean;
}

/** Members that belong together: those of a structure, or the alternatives of a union. */
export interface Group {
  readonly isUnion: boolean;
  readonly parts: readonly Part[];
}

/** A field, or the anonymous structure or union around more of them. */
export type Part = Field | Group;

/** Tells a group from a field. */
export function isGroup(part: Part): part is Group {
  return 'parts' in part;
}

/** All fields of a group, those of anonymous structures and unions in it too, in their order. */
export function fieldsOf(group: Group): Field[] {
  return group.parts.flatMap((part) => (isGroup(part) ? fieldsOf(part) : [part]));
}

/** Where the bytes of an object go: it takes `size` of them, from `at` on. */
export interface Target {
  readonly into: Buffer;
  readonly at: number;
  readonly size: number;
}

/** Sets the fields of a group from an object. @throws Misfit */
export function fillGroup(group: Group, object: JsonObject, target: Target): void {
  if (group.isUnion) fillUnion(group, object, target);
  else for (const part of group.parts) fillPart(part, object, target);
}

function fillPart(part: Part, object: JsonObject, target: Target): void {
  if (isGroup(part)) {
    fillGroup(part, object, target);
    return;
  }
  const value = Object.hasOwn(object, part.name) ? object[part.name] : undefined;
  if (value !== undefined) {
    inside(part.name, () => part.codec.encode(value, target.into, target.at + part.offset));
  } else if (!part.isOptional) {
    throw new Misfit(`${part.name} is missing`);
  }
}

/**
 * A union holds one thing, seen in several ways. Decoding shows them all; encoding takes any of them, and
 * where several are given they must agree on every bit that has a meaning to both.
 */
function fillUnion(group: Group, object: JsonObject, target: Target): void {
  const given = group.parts.filter((part) => isGiven(part, object));
  const [only] = given;
  if (only === undefined) {
    const names = fieldsOf(group).map(({ name }) => name);
    if (fieldsOf(group).every(({ isOptional }) => isOptional)) return;
    throw new Misfit(`one of ${names.join(', ')} is missing`);
  }
  if (given.length === 1) {
    fillPart(only, object, target);
    return;
  }
  const known = Buffer.alloc(target.size);
  const merged = Buffer.alloc(target.size);
  for (const part of given) fillAgreeing(part, object, { known, merged });
  for (let index = 0; index < merged.length; index++) {
    target.into[target.at + index] = (target.into[target.at + index] ?? 0) | (merged[index] ?? 0);
  }
}

/** Adds one view of a union to what the views before it said. */
function fillAgreeing(
  part: Part,
  object: JsonObject,
  { known, merged }: { readonly known: Buffer; readonly merged: Buffer },
): void {
  const view = Buffer.alloc(merged.length);
  const mask = Buffer.alloc(merged.length);
  fillPart(part, object, { into: view, at: 0, size: view.length });
  markPart(part, mask, 0);
  for (let index = 0; index < view.length; index++) {
    const before = merged[index] ?? 0;
    const now = view[index] ?? 0;
    if (((before ^ now) & (known[index] ?? 0) & (mask[index] ?? 0)) !== 0) {
      throw new Misfit(`${namesOf(part)} and what is given beside it say different things of byte ${index}`);
    }
    merged[index] = before | now;
    known[index] = (known[index] ?? 0) | (mask[index] ?? 0);
  }
}

/** Sets the bits of a mask that the fields of a part carry meaning in. */
export function markPart(part: Part, mask: Buffer, at: number): void {
  if (!isGroup(part)) part.codec.mark(mask, at + part.offset);
  else for (const each of part.parts) markPart(each, mask, at);
}

function isGiven(part: Part, object: JsonObject): boolean {
  return isGroup(part) ? part.parts.some((each) => isGiven(each, object)) : Object.hasOwn(object, part.name);
}

function namesOf(part: Part): string {
  return isGroup(part)
    ? fieldsOf(part)
        .map(({ name }) => name)
        .join(', ')
    : part.name;
}
