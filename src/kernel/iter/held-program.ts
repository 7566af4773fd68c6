import type { PinnableKind } from '../../model/kind.ts';
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
  type Register,
  set,
  storeOnStack,
} from './instruction.ts';
import type { Field, FileLayout, ListLayout } from './layout.ts';
import { putValue, valueSlot, writeRecord } from './record.ts';

/** bpf_probe_read_kernel of enum bpf_func_id (Linux 5.5): a read that fails instead of faulting. */
const PROBE_READ_KERNEL = 113;

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
    load(6, 1, file.file),
    jumpIfEqual(6, 0, 'done'),
    load(8, 1, file.fd),
    add(8, 1),
    addressOfValue(9, wantedFd),
    load(9, 9, { offset: 0, size: 4 }),
    jumpIfDifferent(9, 8, 'done'),
    load(7, 1, file.meta),
    load(7, 7, file.seq),
    load(6, 6, file.privateData),
    set(8, 0),
    storeOnStack(POINTER_SLOT, 8),
    ...list.further.flatMap((field) => [
      ...probeRead(6, field, POINTER_SLOT),
      load(6, 10, { offset: POINTER_SLOT, size: 8 }),
    ]),
    ...[list.id, ...list.counters].flatMap((field, index): Line[] => [
      putValue(kind, index, 8),
      ...probeRead(6, field, valueSlot(kind, index)),
    ]),
    ...writeRecord(kind, 7),
    { label: 'done' },
    set(0, 0),
    exit(),
  ]);
}

/** `bpf_probe_read_kernel(stack + slot, field.size, from + field.offset)` */
function probeRead(from: Register, field: Field, slot: number): Line[] {
  return [
    move(1, 10),
    add(1, slot),
    set(2, field.size),
    move(3, from),
    add(3, field.offset),
    call(PROBE_READ_KERNEL),
  ];
}
