import type { PinnableKind } from '../../model/kind.ts';
import { enter, leave, probeRead } from './emit.ts';
import {
  add,
  addressOfValue,
  assemble,
  jumpIfDifferent,
  type Line,
  load,
  set,
  storeOnStack,
} from './instruction.ts';
import type { FileLayout, ListLayout } from './layout.ts';
import { putValue, recordSize, valueSlot } from './record.ts';

/** A slot below the record, for a pointer that is followed. */
const POINTER_SLOT = -40;

/**
 * The program that an iterator over this process's own files runs for each: it writes the record of the
 * object behind one descriptor.
 *
 * `wantedFd` is the array map that holds the number of that descriptor plus one. `private_data` of its file
 * is the object (kernel/bpf/syscall.c, bpf_map_new_fd and its kin), which the verifier cannot know: it is
 * read with a helper. The caller has opened the descriptor and knows its kind.
 */
export function heldProgram(
  kind: PinnableKind,
  { file, list }: { readonly file: FileLayout; readonly list: ListLayout },
  wantedFd: number,
): Buffer {
  return assemble([
    ...enter(file, file.file),
    load(8, 1, file.fd),
    add(8, 1),
    addressOfValue(9, wantedFd),
    load(9, 9, { offset: 0, size: 4 }),
    jumpIfDifferent(9, 8, 'done'),
    load(6, 6, file.privateData),
    set(8, 0),
    storeOnStack(POINTER_SLOT, 8),
    ...list.further.flatMap((at): Line[] => [
      ...probeRead({ slot: POINTER_SLOT, from: 6, at }),
      load(6, 10, { offset: POINTER_SLOT, size: 8 }),
    ]),
    ...[list.id, ...list.counters].flatMap((at, index): Line[] => [
      putValue(kind, index, 8),
      ...probeRead({ slot: valueSlot(kind, index), from: 6, at }),
    ]),
    ...leave(recordSize(kind)),
  ]);
}
