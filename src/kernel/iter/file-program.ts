import { enter, leave, probeRead } from './emit.ts';
import type { HeldFileLayout, MappingLayout } from './file-layout.ts';
import {
  addressOfValue,
  assemble,
  jump,
  jumpIfEqual,
  jumpIfSame,
  jumpIfWordEqual,
  type Line,
  load,
  type Register,
  set,
  storeOnStack,
  storeWordOnStack,
} from './instruction.ts';
import type { Field } from './layout.ts';

/** BPF_FS_MAGIC and ANON_INODE_FS_MAGIC of include/uapi/linux/magic.h, as a jump compares them. */
const bpfFsMagic = 0xcafe4a11 | 0;
const anonInodeMagic = 0x09041934;

/** What a file may be on, in the order of the cell that tells the programs how each kind is known. */
export const fileKinds = [
  'map',
  'program',
  'link',
  'polled_link',
  'btf',
  'iterator',
  'perf_event',
  'socket',
] as const;
/** One of them. */
export type FileKind = (typeof fileKinds)[number];

/** Ids of objects that one reading can be narrowed to. */
export const wantedIdsMax = 8;

/**
 * The value of the cell: the process that is left out, whether only some ids are wanted, the `f_op` of each
 * kind, 0 where it is not known, and the ids, 0 where there are fewer.
 */
export const cellLayout = {
  size: 8 + 8 * fileKinds.length + 4 * wantedIdsMax,
  tgid: 0,
  isNarrow: 4,
  operations: 8,
  ids: 8 + 8 * fileKinds.length,
} as const;

/** Where each member of a record about a file is, in bytes; `file`, `operations` and `inode` have eight. */
export const fileRecord = {
  size: 64,
  pid: 0,
  fd: 4,
  file: 8,
  operations: 16,
  inode: 24,
  device: 32,
  links: 36,
  mode: 40,
  magic: 44,
  /** The object, or the program of an iterator, perf event or socket; 0 where there is none. */
  id: 48,
  /** The function of an iterator by its BTF id; the program that chooses among sockets. */
  second: 52,
  /** The map of an iterator over elements; means nothing for others. */
  map: 56,
} as const;

/** The same of a mapping. */
export const mappingRecord = { size: 24, pid: 0, id: 4, file: 8 } as const;

/** The same of what the learning program writes: every file of this process. */
export const learningRecord = { size: 16, tgid: 0, fd: 4, operations: 8 } as const;

/** A slot below the record, for pointers that are followed. */
const POINTER = -72;

const stack = (member: number): number => member - fileRecord.size;

/** Tells of every file what its `f_op` is, so that known files teach the values. */
export function learningProgram(layout: HeldFileLayout): Buffer {
  return assemble([
    ...enter(layout, layout.file),
    load(8, 1, layout.task),
    jumpIfEqual(8, 0, 'done'),
    load(0, 8, layout.taskFields.tgid),
    storeWordOnStack(learningRecord.tgid - learningRecord.size, 0),
    load(0, 1, layout.fd),
    storeWordOnStack(learningRecord.fd - learningRecord.size, 0),
    load(0, 6, layout.fileFields.operations),
    storeOnStack(learningRecord.operations - learningRecord.size, 0),
    ...leave(learningRecord.size),
  ]);
}

/**
 * Tells of every file that has to do with BPF what it is on; files of our own process are passed over.
 *
 * Written are files of a known kind, those on a bpffs, and anonymous inodes of unknown kinds. What
 * `private_data` points to only the kind tells (kernel/bpf/syscall.c), so it is read with a helper; a pointer
 * that is NULL on the way gives the id 0.
 */
export function fileProgram(layout: HeldFileLayout, cellFd: number): Buffer {
  return assemble([
    ...enter(layout, layout.file),
    load(8, 1, layout.task),
    jumpIfEqual(8, 0, 'done'),
    ...passOwn(8, layout.taskFields.tgid, cellFd),
    load(0, 8, layout.taskFields.pid),
    storeWordOnStack(stack(fileRecord.pid), 0),
    load(0, 1, layout.fd),
    storeWordOnStack(stack(fileRecord.fd), 0),
    storeOnStack(stack(fileRecord.file), 6),
    load(8, 6, layout.fileFields.operations),
    storeOnStack(stack(fileRecord.operations), 8),
    ...putInode(layout),
    set(2, 0),
    storeOnStack(stack(fileRecord.id), 2),
    storeOnStack(stack(fileRecord.map), 2),
    load(6, 6, layout.fileFields.privateData),
    ...fileKinds.flatMap((kind, index): Line[] => [
      load(0, 9, { offset: cellLayout.operations + 8 * index, size: 8 }),
      jumpIfSame(8, 0, kind),
    ]),
    jumpIfWordEqual(3, bpfFsMagic, 'write'),
    jumpIfWordEqual(3, anonInodeMagic, 'write'),
    jump('done'),
    ...kindBranches(layout),
    ...onlyWantedIds(),
    { label: 'write' },
    ...leave(fileRecord.size),
  ]);
}

/** Tells of every mapping of a map who has it; mappings of our own process are passed over. */
export function mappingProgram(files: HeldFileLayout, layout: MappingLayout, cellFd: number): Buffer {
  const slot = (member: number): number => member - mappingRecord.size;
  return assemble([
    ...enter(layout, layout.area),
    load(8, 1, layout.task),
    jumpIfEqual(8, 0, 'done'),
    ...passOwn(8, files.taskFields.tgid, cellFd),
    load(6, 6, layout.areaFile),
    load(0, 6, files.fileFields.operations),
    jumpIfEqual(0, 0, 'done'),
    load(2, 9, { offset: cellLayout.operations + 8 * fileKinds.indexOf('map'), size: 8 }),
    jumpIfSame(0, 2, 'found'),
    jump('done'),
    { label: 'found' },
    load(0, 8, files.taskFields.pid),
    storeWordOnStack(slot(mappingRecord.pid), 0),
    storeOnStack(slot(mappingRecord.file), 6),
    set(2, 0),
    storeOnStack(slot(mappingRecord.size - 8), 2),
    storeWordOnStack(slot(mappingRecord.id), 2),
    load(6, 6, files.fileFields.privateData),
    ...probe(slot(mappingRecord.id), 6, files.ids.map),
    ...leave(mappingRecord.size),
  ]);
}

/** Leaves r9 on the cell. Numbers of processes are compared as the first pid namespace has them. */
function passOwn(task: Register, tgid: Field, cellFd: number): Line[] {
  return [
    addressOfValue(9, cellFd),
    load(0, task, tgid),
    load(2, 9, { offset: cellLayout.tgid, size: 4 }),
    jumpIfSame(0, 2, 'done'),
  ];
}

/** Leaves r3 on the file system's magic number. */
function putInode({ fileFields, inodeFields, superblock }: HeldFileLayout): Line[] {
  return [
    load(0, 6, fileFields.inode),
    load(2, 0, inodeFields.number),
    storeOnStack(stack(fileRecord.inode), 2),
    load(2, 0, inodeFields.links),
    storeWordOnStack(stack(fileRecord.links), 2),
    load(2, 0, inodeFields.mode),
    storeWordOnStack(stack(fileRecord.mode), 2),
    load(0, 0, inodeFields.superblock),
    load(2, 0, superblock.device),
    storeWordOnStack(stack(fileRecord.device), 2),
    load(3, 0, superblock.magic),
    storeWordOnStack(stack(fileRecord.magic), 3),
  ];
}

/** For each kind the way from `private_data` in r6 to the ids. */
function kindBranches(layout: HeldFileLayout): Line[] {
  const { ids, iterator, socket } = layout;
  const id = stack(fileRecord.id);
  const second = stack(fileRecord.second);
  return [
    { label: 'map' },
    ...probe(id, 6, ids.map),
    jump('object'),
    { label: 'program' },
    ...programId(layout, 6, id),
    jump('object'),
    { label: 'polled_link' },
    { label: 'link' },
    ...probe(id, 6, ids.link),
    jump('object'),
    { label: 'btf' },
    ...probe(id, 6, ids.btf),
    jump('object'),
    { label: 'iterator' },
    ...follow(6, 6, iterator.seqPrivate),
    ...follow(8, 6, { offset: 0, size: 8 }),
    ...probe(stack(fileRecord.map), 8, ids.map),
    ...follow(6, 6, iterator.program),
    ...follow(6, 6, layout.programAux),
    ...probe(id, 6, ids.program),
    ...probe(second, 6, iterator.attachBtfId),
    jump('write'),
    { label: 'perf_event' },
    ...follow(6, 6, layout.perfProgram),
    ...programId(layout, 6, id),
    load(0, 10, { offset: id, size: 8 }),
    jumpIfEqual(0, 0, 'done'),
    jump('write'),
    { label: 'socket' },
    ...follow(6, 6, socket.sock),
    ...follow(8, 6, socket.filter),
    ...follow(8, 8, socket.filterProgram),
    ...programId(layout, 8, id),
    ...follow(8, 6, socket.reuseport),
    ...follow(8, 8, socket.reuseportProgram),
    ...programId(layout, 8, second),
    load(0, 10, { offset: id, size: 8 }),
    jumpIfEqual(0, 0, 'done'),
    jump('write'),
  ];
}

/** Passes over files on objects whose ids are not wanted, where only some are. */
function onlyWantedIds(): Line[] {
  return [
    { label: 'object' },
    load(0, 9, { offset: cellLayout.isNarrow, size: 4 }),
    jumpIfEqual(0, 0, 'write'),
    load(8, 10, { offset: stack(fileRecord.id), size: 4 }),
    ...Array.from({ length: wantedIdsMax }, (_, index): Line[] => [
      load(0, 9, { offset: cellLayout.ids + 4 * index, size: 4 }),
      jumpIfSame(8, 0, 'write'),
    ]).flat(),
    jump('done'),
  ];
}

/** Lays the id of the program that a register points to on the stack. */
function programId({ programAux, ids }: HeldFileLayout, from: Register, slot: number): Line[] {
  return [...follow(8, from, programAux), ...probe(slot, 8, ids.program)];
}

/**
 * `to = *(void **)(from + offset)` of a pointer that the verifier knows nothing of; 0 where it leads nowhere.
 */
function follow(to: Register, from: Register, at: Field): readonly Line[] {
  return [
    ...probe(POINTER, from, { offset: at.offset, size: 8 }),
    load(to, 10, { offset: POINTER, size: 8 }),
  ];
}

function probe(slot: number, from: Register, at: Field): readonly Line[] {
  return probeRead({ slot, from, at });
}
