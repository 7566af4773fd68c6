import { probeRead } from '../iter/emit.ts';
import {
  add,
  addRegister,
  addressOfMap,
  assemble,
  call,
  exit,
  jump,
  jumpIfEqual,
  jumpIfWordEqual,
  type Line,
  load,
  move,
  type Register,
  set,
  setWide,
  shiftLeft,
  storeWordOnStack,
} from '../iter/instruction.ts';
import type { Field } from '../iter/layout.ts';
import type { WriteLayout } from './layout.ts';

/** Of enum bpf_func_id. */
const helpers = { updateElement: 2, currentTask: 35, probeReadUser: 112, pidInNamespace: 120 } as const;

/** Commands of bpf(2) that write one entry (enum bpf_cmd): update, delete, and lookup and delete. */
export const writes = { update: 2, delete: 3, lookupAndDelete: 21 } as const;

/** Places on the stack, from its top: a pointer that is followed, the call's arguments, the note on it. */
const stack = { pointer: -8, attributes: -24, note: -32 } as const;

/** What is noted of a key: the command, and the map that it is about. */
export const note = { size: 8, command: 0, mapId: 4 } as const;

/** `struct bpf_pidns_info`. */
const pidInfo = { size: 8, tgid: 4 } as const;

/** The start of union bpf_attr for commands on elements: `map_fd`, and `key` at 8. */
const elementAttributes = { size: 16, mapFd: 0, key: 8 } as const;

/** The most bytes of a key that have room on the stack beside what else is there. */
export const writtenKeyMax = 512 + stack.note;

/** Which writes are noted, and where. */
export interface WriteFilter {
  readonly mapIds: readonly number[];
  readonly keySize: number;
  /** Writes of one process through one descriptor are not noted; its pid is that of the namespace. */
  readonly except: { readonly pidNamespace: NamespaceFile; readonly pid: number; readonly fd: number };
  /** A hash map from keys to the note of who came last. */
  readonly notesFd: number;
}

/** A namespace by its file in nsfs, as stat(2) has it. */
export interface NamespaceFile {
  readonly dev: bigint;
  readonly ino: bigint;
}

/**
 * The program that the kernel runs when a system call begins (raw tracepoint `sys_enter`, whose context is
 * the registers and the number of the call): what is going to write an entry of the maps is noted by its key.
 *
 * The descriptor leads to the map as in fs/file.c: task, table, array, file, `private_data`. All of it is
 * read with helpers, which give zeros where there is nothing; what is no map has no such id.
 */
export function writeProgram(layout: WriteLayout, filter: WriteFilter): Buffer {
  const keySlot = stack.note - 8 * Math.ceil(filter.keySize / 8);
  return assemble([
    load(6, 1, { offset: 0, size: 8 }),
    load(0, 1, { offset: 8, size: 8 }),
    ...onlyIf(0, [layout.bpfNumber], 'bpf'),
    ...follow(7, 6, layout.command),
    ...onlyIf(7, Object.values(writes), 'write'),
    storeWordOnStack(stack.note + note.command, 7),
    ...follow(8, 6, layout.attributes),
    ...readUser(stack.attributes, 8, elementAttributes.size),
    load(7, 10, { offset: stack.attributes + elementAttributes.mapFd, size: 4 }),
    ...unless(filter.except),
    call(helpers.currentTask),
    move(6, 0),
    ...[layout.files, layout.table, layout.array].flatMap((at) => follow(6, 6, at)),
    shiftLeft(7, 3),
    addRegister(6, 7),
    ...follow(6, 6, { offset: 0, size: 8 }),
    ...follow(6, 6, layout.privateData),
    ...follow(7, 6, layout.mapId),
    ...onlyIf(7, filter.mapIds, 'wanted'),
    storeWordOnStack(stack.note + note.mapId, 7),
    load(8, 10, { offset: stack.attributes + elementAttributes.key, size: 8 }),
    ...readUser(keySlot, 8, filter.keySize),
    addressOfMap(1, filter.notesFd),
    ...onStack(2, keySlot),
    ...onStack(3, stack.note),
    set(4, 0),
    call(helpers.updateElement),
    { label: 'done' },
    set(0, 0),
    exit(),
  ]);
}

/** Goes to the end where the call is the process's, and r7 the descriptor. */
function unless({ pidNamespace, pid, fd }: WriteFilter['except']): readonly Line[] {
  return [
    setWide(1, pidNamespace.dev),
    setWide(2, pidNamespace.ino),
    ...onStack(3, stack.pointer),
    set(4, pidInfo.size),
    call(helpers.pidInNamespace),
    jumpIfEqual(0, 0, 'in namespace'),
    jump('other'),
    { label: 'in namespace' },
    load(0, 10, { offset: stack.pointer + pidInfo.tgid, size: 4 }),
    jumpIfWordEqual(0, pid, 'own'),
    jump('other'),
    { label: 'own' },
    jumpIfWordEqual(7, fd, 'done'),
    { label: 'other' },
  ];
}

/** Goes to the end where the register has another value than these. */
function onlyIf(register: Register, values: readonly number[], label: string): readonly Line[] {
  return [...values.map((value) => jumpIfWordEqual(register, value, label)), jump('done'), { label }];
}

function onStack(to: Register, slot: number): readonly Line[] {
  return [move(to, 10), add(to, slot)];
}

/** `to = *(from + offset)` of a pointer that the verifier knows nothing of; four bytes or eight. */
function follow(to: Register, from: Register, at: Field): readonly Line[] {
  return [
    ...probeRead({ slot: stack.pointer, from, at }),
    load(to, 10, { offset: stack.pointer, size: at.size }),
  ];
}

/** Reads what the caller of the system call points to; goes to the end where it points to nothing. */
function readUser(slot: number, from: Register, size: number): readonly Line[] {
  const label = `read to ${slot}`;
  return [
    ...onStack(1, slot),
    set(2, size),
    move(3, from),
    call(helpers.probeReadUser),
    jumpIfEqual(0, 0, label),
    jump('done'),
    { label },
  ];
}
