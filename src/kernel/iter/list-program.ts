import type { PinnableKind } from '../../model/kind.ts';
import {
  addressOfValue,
  assemble,
  exit,
  jumpIfDifferent,
  jumpIfEqual,
  type Line,
  load,
  set,
} from './instruction.ts';
import type { ListLayout } from './layout.ts';
import { putValue, writeRecord } from './record.ts';

/**
 * The program that an iterator over all objects of a kind runs for each: it writes one record, or nothing if
 * another object is wanted.
 *
 * `wantedFd` is an array map with a single u32: 0 means every object. The context's pointer is NULL in the
 * last call (kernel/bpf/bpf_iter.c). Loads through it need no checks: the verifier knows the types and makes
 * them fault-safe.
 */
export function listProgram(kind: PinnableKind, layout: ListLayout, wantedFd: number): Buffer {
  return assemble([
    load(6, 1, layout.object),
    jumpIfEqual(6, 0, 'done'),
    load(7, 1, layout.meta),
    load(7, 7, layout.seq),
    ...layout.further.map((field) => load(6, 6, field)),
    load(8, 6, layout.id),
    addressOfValue(9, wantedFd),
    load(9, 9, { offset: 0, size: 4 }),
    jumpIfEqual(9, 0, 'write'),
    jumpIfDifferent(9, 8, 'done'),
    { label: 'write' },
    putValue(kind, 0, 8),
    ...layout.counters.flatMap((field, index): Line[] => [load(8, 6, field), putValue(kind, index + 1, 8)]),
    ...writeRecord(kind, 7),
    { label: 'done' },
    set(0, 0),
    exit(),
  ]);
}
