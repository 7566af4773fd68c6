import type { PinnableKind } from '../../model/kind.ts';
import { enter, leave, onlyIfWanted } from './emit.ts';
import { assemble, type Line, load } from './instruction.ts';
import type { ListLayout } from './layout.ts';
import { putValue, recordSize } from './record.ts';

/**
 * The program that an iterator over all objects of a kind runs for each: it writes one record, or nothing if
 * another object is wanted.
 *
 * `wantedFd` is the map of `onlyIfWanted`. The context's pointer is NULL in the last call
 * (kernel/bpf/bpf_iter.c). Loads through it need no checks: the verifier knows the types and makes them
 * fault-safe.
 */
export function listProgram(kind: PinnableKind, layout: ListLayout, wantedFd: number): Buffer {
  return assemble([
    ...enter(layout, layout.object),
    ...layout.further.map((field) => load(6, 6, field)),
    load(8, 6, layout.id),
    ...onlyIfWanted(8, wantedFd),
    putValue(kind, 0, 8),
    ...layout.counters.flatMap((field, index): Line[] => [load(8, 6, field), putValue(kind, index + 1, 8)]),
    ...leave(recordSize(kind)),
  ]);
}
