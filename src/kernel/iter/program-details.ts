import {
  add,
  addressOfValue,
  assemble,
  call,
  exit,
  jumpIfDifferent,
  jumpIfEqual,
  load,
  move,
  set,
  storeOnStack,
} from './instruction.ts';
import type { ProgramDetailsLayout } from './layout.ts';
import { SEQ_WRITE } from './record.ts';

/** What a program was loaded with and its info structure does not tell. */
export interface ProgramDetails {
  readonly id: number;
  /** Of enum bpf_attach_type; 0 where none was given. */
  readonly expectedAttachType: number;
}

/** Bytes of the record of one program: two values of 64 bits. */
export const programDetailsSize = 16;

/**
 * The program that an iterator over all programs runs for each: it writes what the program was loaded with.
 *
 * `wantedFd` is an array map with a single u32: 0 means every program.
 */
export function programDetailsProgram(layout: ProgramDetailsLayout, wantedFd: number): Buffer {
  return assemble([
    load(6, 1, layout.object),
    jumpIfEqual(6, 0, 'done'),
    load(7, 1, layout.meta),
    load(7, 7, layout.seq),
    load(8, 6, layout.aux),
    load(8, 8, layout.id),
    addressOfValue(9, wantedFd),
    load(9, 9, { offset: 0, size: 4 }),
    jumpIfEqual(9, 0, 'write'),
    jumpIfDifferent(9, 8, 'done'),
    { label: 'write' },
    storeOnStack(-programDetailsSize, 8),
    load(8, 6, layout.expectedAttachType),
    storeOnStack(8 - programDetailsSize, 8),
    move(1, 7),
    move(2, 10),
    add(2, -programDetailsSize),
    set(3, programDetailsSize),
    call(SEQ_WRITE),
    { label: 'done' },
    set(0, 0),
    exit(),
  ]);
}

/** Reads one record. */
export function parseProgramDetails(record: Buffer): ProgramDetails {
  return { id: record.readUInt32LE(0), expectedAttachType: record.readUInt32LE(8) };
}
