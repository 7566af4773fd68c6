import type { Counters } from '../../model/hazard.ts';
import type { PinnableKind } from '../../model/kind.ts';
import { type Line, type Register, storeOnStack } from './instruction.ts';

/** Bytes of each value in a record. */
const VALUE_SIZE = 8;

/**
 * How many counters follow the id: `usercnt`, of open files and pinned inodes, and `writecnt` only maps have.
 */
const counterCounts = { map: 3, program: 1, link: 1 } as const satisfies Record<PinnableKind, number>;

/**
 * Bytes of the record a program writes for one object: its id and its counters, each as a u64.
 */
export function recordSize(kind: PinnableKind): number {
  return VALUE_SIZE * (1 + counterCounts[kind]);
}

/** Where on the stack a program lays the value of this index while it puts a record together. */
export function valueSlot(kind: PinnableKind, index: number): number {
  return VALUE_SIZE * index - recordSize(kind);
}

/** Lays a register into the record. */
export function putValue(kind: PinnableKind, index: number, from: Register): Line {
  return storeOnStack(valueSlot(kind, index), from);
}

/** Whose record it is. */
export function idOf(record: Buffer): number {
  return record.readUInt32LE(0);
}

/** The counters of a record, less `extra`: what reading itself adds to each. */
export function parseCounters(
  kind: PinnableKind,
  record: Buffer,
  extra: { readonly refcnt: bigint; readonly usercnt: bigint },
): Counters {
  const refcnt = record.readBigInt64LE(VALUE_SIZE) - extra.refcnt;
  if (kind !== 'map') return { refcnt };
  const usercnt = record.readBigInt64LE(2 * VALUE_SIZE) - extra.usercnt;
  return { refcnt, usercnt, writecnt: record.readBigInt64LE(3 * VALUE_SIZE) };
}
