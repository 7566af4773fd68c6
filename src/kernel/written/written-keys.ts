import { statSync } from 'node:fs';
import type { ObjectKind } from '../../model/kind.ts';
import { createMap, loadProgram, openRawTracepoint } from '../bpf/create.ts';
import { objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { KernelBtf } from '../btf/kernel-btf.ts';
import { lookupElement } from '../entries/elements.ts';
import type { OwnObjects } from '../iter/own.ts';
import type { LastWrite, WrittenKeys, WrittenMaps } from '../kernel.ts';
import type { Calls } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { learnWriteLayout, type WriteLayout } from './layout.ts';
import { note, writeProgram, writes, writtenKeyMax } from './program.ts';

/** BPF_PROG_TYPE_RAW_TRACEPOINT of enum bpf_prog_type (Linux 4.17), and BPF_MAP_TYPE_HASH. */
const types = { program: 17, hash: 1 } as const;

/** Keys that are noted; writes of more are not. */
const notesMax = 16_384;

/** Offset of `id` in struct bpf_map_info, bpf_prog_info and bpf_link_info, which may be read so far. */
const INFO_ID = 4;

/** What is needed to listen. */
export interface WriteSources {
  readonly calls: Calls;
  readonly kernelBtf: KernelBtf;
  readonly own: OwnObjects;
}

/**
 * Begins to note which keys of some maps are written by bpf(2), and where last; to be ended within a
 * second, because every system call of the machine takes a little longer meanwhile. Takes 2 to 30 ms.
 *
 * @returns undefined where this kernel cannot tell, or forbids it
 */
export function openWrittenKeys(sources: WriteSources, maps: WrittenMaps): WrittenKeys | undefined {
  const { kernelBtf } = sources;
  if ('missing' in kernelBtf || maps.keySize > writtenKeyMax) return undefined;
  const opened = new NotedKeys(sources);
  try {
    opened.listen(learnWriteLayout(kernelBtf.btf, process.arch), maps);
    return opened;
  } catch (error) {
    opened[Symbol.dispose]();
    if (isSystemCallError(error) || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The notes in a map of ours that a program of ours writes. */
class NotedKeys implements WrittenKeys {
  readonly #sources: WriteSources;
  readonly #held: Fd[] = [];
  readonly #note = Buffer.alloc(note.size);
  #notes: Fd | undefined;

  constructor(sources: WriteSources) {
    this.#sources = sources;
  }

  /** @throws SystemCallError */
  listen(layout: WriteLayout, { ids: mapIds, keySize, exceptFd: fd }: WrittenMaps): void {
    const { calls } = this.#sources;
    const spec = { type: types.hash, keySize, valueSize: note.size, maxEntries: notesMax };
    const notes = this.#keep('map', createMap({ ...spec, name: 'pinfold_written' }, calls));
    const pidNamespace = statSync('/proc/self/ns/pid', { bigint: true });
    const except = { pidNamespace, pid: process.pid, fd };
    const instructions = writeProgram(layout, { mapIds, keySize, except, notesFd: notes.number });
    const program = loadProgram({ type: types.program, name: 'pinfold_written', instructions }, calls);
    this.#keep('link', openRawTracepoint(this.#keep('program', program), 'sys_enter', calls));
    this.#notes = notes;
  }

  lastWrite(key: Uint8Array): LastWrite | undefined {
    if (this.#notes === undefined || !lookupElement(this.#notes, key, this.#note)) return undefined;
    const isRemoval = this.#note.readUInt32LE(note.command) !== writes.update;
    return { mapId: this.#note.readUInt32LE(note.mapId), isRemoval };
  }

  /** Their ids stay known: a program is listed for some milliseconds more, and no id is given anew soon. */
  [Symbol.dispose](): void {
    for (const fd of this.#held.splice(0).reverse()) fd[Symbol.dispose]();
    this.#notes = undefined;
  }

  #keep(kind: ObjectKind, fd: Fd): Fd {
    this.#held.push(fd);
    this.#sources.own.add(kind, objectInfo(fd, new Struct(8)).readUInt32LE(INFO_ID));
    return fd;
  }
}
