import { enter, leave, onlyIfWanted } from './emit.ts';
import { assemble, load, storeOnStack } from './instruction.ts';
import type { ProgramDetailsLayout } from './layout.ts';

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
 * `wantedFd` is the map of `onlyIfWanted`.
 */
export function programDetailsProgram(layout: ProgramDetailsLayout, wantedFd: number): Buffer {
  return assemble([
    ...enter(layout, layout.object),
    load(8, 6, layout.aux),
    load(8, 8, layout.id),
    ...onlyIfWanted(8, wantedFd),
    storeOnStack(-programDetailsSize, 8),
    load(8, 6, layout.expectedAttachType),
    storeOnStack(8 - programDetailsSize, 8),
    ...leave(programDetailsSize),
  ]);
}

/** Reads one record. */
export function parseProgramDetails(record: Buffer): ProgramDetails {
  return { id: record.readUInt32LE(0), expectedAttachType: record.readUInt32LE(8) };
}
