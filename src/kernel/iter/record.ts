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

/**
 * The records of a pass, to be read one after the other. `extra` is what reading itself adds to each counter.
 */
export class Records {
  readonly count: number;
  readonly #view: DataView;
  readonly #kind: PinnableKind;
  readonly #size: number;

  /** @throws RangeError where the bytes are not whole records: the kernel never cuts one */
  constructor(kind: PinnableKind, bytes: Uint8Array) {
    this.#kind = kind;
    this.#size = recordSize(kind);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.count = bytes.byteLength / this.#size;
    if (!Number.isInteger(this.count)) throw new RangeError('an iterator gave a part of a record');
  }

  id(index: number): number {
    return this.#view.getUint32(index * this.#size, true);
  }

  counters(index: number, extra: { readonly refcnt: bigint; readonly usercnt: bigint }): Counters {
    const at = index * this.#size + VALUE_SIZE;
    const refcnt = this.#view.getBigInt64(at, true) - extra.refcnt;
    if (this.#kind !== 'map') return { refcnt };
    const usercnt = this.#view.getBigInt64(at + VALUE_SIZE, true) - extra.usercnt;
    return { refcnt, usercnt, writecnt: this.#view.getBigInt64(at + 2 * VALUE_SIZE, true) };
  }
}
