import {
  add,
  addressOfValue,
  assemble,
  call,
  exit,
  jumpIfDifferent,
  jumpIfEqual,
  type Line,
  load,
  move,
  set,
  storeOnStack,
} from './instruction.ts';
import type { Layout } from './layout.ts';

/** bpf_seq_write of enum bpf_func_id (Linux 5.8, for GPL programs). */
const SEQ_WRITE = 127;

/** Bytes of each value in a record. */
export const VALUE_SIZE = 8;

/** Bytes of the record a program writes for one object: its id, then its counters, each as a u64. */
export function recordSize(layout: Layout): number {
  return VALUE_SIZE * (1 + layout.counters.length);
}

/**
 * The program an iterator runs for each object: it writes one record, or nothing if another object is wanted.
 *
 * `wantedFd` is an array map with a single u32: 0 means every object. The context's pointer is NULL in the
 * last call (kernel/bpf/bpf_iter.c). Loads through it need no checks: the verifier knows the types and makes
 * them fault-safe.
 */
export function recordProgram(layout: Layout, wantedFd: number): Buffer {
  const size = recordSize(layout);
  const [toObject, ...further] = layout.path;
  if (toObject === undefined) throw new RangeError('a layout leads nowhere');
  return assemble([
    load(6, 1, toObject),
    jumpIfEqual(6, 0, 'done'),
    load(7, 1, layout.meta),
    load(7, 7, layout.seq),
    ...further.map((field) => load(6, 6, field)),
    load(8, 6, layout.id),
    addressOfValue(9, wantedFd),
    load(9, 9, { offset: 0, size: 4 }),
    jumpIfEqual(9, 0, 'write'),
    jumpIfDifferent(9, 8, 'done'),
    { label: 'write' },
    storeOnStack(-size, 8),
    ...layout.counters.flatMap((field, index): Line[] => [
      load(8, 6, field),
      storeOnStack(-size + VALUE_SIZE * (index + 1), 8),
    ]),
    move(1, 7),
    move(2, 10),
    add(2, -size),
    set(3, size),
    call(SEQ_WRITE),
    { label: 'done' },
    set(0, 0),
    exit(),
  ]);
}
