import {
  add,
  addressOfValue,
  call,
  exit,
  jumpIfDifferent,
  jumpIfEqual,
  type Line,
  load,
  move,
  type Register,
  set,
} from './instruction.ts';
import type { ContextLayout, Field } from './layout.ts';

/** bpf_seq_write of enum bpf_func_id (Linux 5.8, for GPL programs). */
const SEQ_WRITE = 127;

/** bpf_probe_read_kernel of enum bpf_func_id (Linux 5.5): a read that fails instead of faulting. */
const PROBE_READ_KERNEL = 113;

/**
 * How programs over objects begin: r6 on what the iterator shows (NULL in its last call), r7 on the seq_file.
 */
export function enter(layout: ContextLayout, shown: Field): readonly Line[] {
  return [load(6, 1, shown), jumpIfEqual(6, 0, 'done'), load(7, 1, layout.meta), load(7, 7, layout.seq)];
}

/**
 * Goes on only with the object whose id is in the register, where it is the one that is wanted or all are.
 *
 * `wantedFd` is an array map with a single u32: 0 means every object. r9 is lost.
 */
export function onlyIfWanted(id: Register, wantedFd: number): readonly Line[] {
  return [
    addressOfValue(9, wantedFd),
    load(9, 9, { offset: 0, size: 4 }),
    jumpIfEqual(9, 0, 'wanted'),
    jumpIfDifferent(9, id, 'done'),
    { label: 'wanted' },
  ];
}

/** How they end: the record that fills the top of the stack is written, and `done` is where others go. */
export function leave(size: number): readonly Line[] {
  return [
    move(1, 7),
    move(2, 10),
    add(2, -size),
    set(3, size),
    call(SEQ_WRITE),
    { label: 'done' },
    set(0, 0),
    exit(),
  ];
}

/** What is read, from an address that the verifier knows nothing of, and where on the stack it is laid. */
export interface ProbeRead {
  readonly slot: number;
  readonly from: Register;
  readonly at: Field;
}

/**
 * `bpf_probe_read_kernel(r10 + slot, size, from + offset)`: zeros where nothing can be read; r0 to r5 are
 * lost.
 */
export function probeRead({ slot, from, at }: ProbeRead): readonly Line[] {
  return [
    move(3, from),
    add(3, at.offset),
    move(1, 10),
    add(1, slot),
    set(2, at.size),
    call(PROBE_READ_KERNEL),
  ];
}
