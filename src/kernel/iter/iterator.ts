import { createIterator, createLink, loadProgram } from '../bpf/create.ts';
import { objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { Calls } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';

/** BPF_PROG_TYPE_TRACING of enum bpf_prog_type. */
export const iteratorProgramType = 26;

/** BPF_TRACE_ITER of enum bpf_attach_type. */
export const iteratorAttachType = 28;

/** What one read(2) of an iterator gives at most: its buffer has eight pages (kernel/bpf/bpf_iter.c). */
const READ_BYTES = 64 * 1024;

/** Offsets in struct bpf_link_info, include/uapi/linux/bpf.h; `tid` is filled since Linux 6.1. */
const linkInfo = { size: 64, id: 4, progId: 8, tid: 32 } as const;

/** What an iterator runs, and on what. */
export interface IteratorSpec {
  readonly name: string;
  /** BTF id of the function that stands for the iterator. */
  readonly functionId: number;
  readonly instructions: Uint8Array;
  /** Only the files of the process with this number; kernels that do not know that iterate over all. */
  readonly tid?: number;
}

/** An iterator, loaded once and run at every read; what it holds open is its own link. */
export class Iterator implements Disposable {
  readonly programId: number;
  readonly linkId: number;
  /** The process it is restricted to, as the kernel tells it; 0 where it is restricted to none. */
  readonly tid: number;
  readonly #link: Fd;
  readonly #calls: Calls;
  /** Where passes are read to, and grows to the longest: one each second would else be garbage. */
  #room: Buffer = Buffer.alloc(0);

  /** Loads the program and links it. @throws SystemCallError where the kernel refuses */
  constructor(spec: IteratorSpec, calls: Calls) {
    this.#calls = calls;
    this.#link = loadAndLink(spec, calls);
    const info = objectInfo(this.#link, new Struct(linkInfo.size));
    this.linkId = info.readUInt32LE(linkInfo.id);
    this.programId = info.readUInt32LE(linkInfo.progId);
    this.tid = info.length >= linkInfo.tid + 4 ? info.readUInt32LE(linkInfo.tid) : 0;
  }

  /** One pass: all that the program writes, lent until the next pass. @throws SystemCallError */
  readAll(): Buffer {
    using run = createIterator(this.#link, this.#calls);
    const bytes = readIterator(this.#calls, run, this.#room);
    if (bytes.buffer !== this.#room.buffer) this.#room = Buffer.from(bytes.buffer);
    return bytes;
  }

  /**
   * The first record the program writes, undefined if it writes none.
   *
   * With a buffer of one record the kernel stops there: what comes after it is not visited (bpf_seq_read).
   */
  readFirst(recordSize: number): Buffer | undefined {
    using run = createIterator(this.#link, this.#calls);
    const record = Buffer.alloc(recordSize);
    return readOnce(this.#calls, run, record) === recordSize ? record : undefined;
  }

  [Symbol.dispose](): void {
    this.#link[Symbol.dispose]();
  }
}

/** All that a run of an iterator writes, in the room given where that is enough. @throws SystemCallError */
export function readIterator(calls: Calls, run: Fd, given: Buffer = Buffer.alloc(0)): Buffer {
  let room = given.length < READ_BYTES ? Buffer.from(new ArrayBuffer(READ_BYTES)) : given;
  let used = 0;
  for (;;) {
    if (room.length - used < READ_BYTES) {
      const larger = Buffer.from(new ArrayBuffer(2 * room.length));
      room.copy(larger, 0, 0, used);
      room = larger;
    }
    const length = readOnce(calls, run, room.subarray(used, used + READ_BYTES));
    if (length === 0) return room.subarray(0, used);
    used += length;
  }
}

/**
 * read(2), again after EAGAIN: the kernel's pause after a million objects without a record
 * (MAX_ITER_OBJECTS).
 */
function readOnce(calls: Calls, run: Fd, buffer: Buffer): number {
  for (;;) {
    try {
      return calls.read(run, buffer);
    } catch (error) {
      if (!isSystemCallError(error, 'EAGAIN', 'EINTR')) throw error;
    }
  }
}

function loadAndLink(spec: IteratorSpec, calls: Calls): Fd {
  const program = {
    type: iteratorProgramType,
    name: spec.name,
    instructions: spec.instructions,
    expectedAttachType: iteratorAttachType,
    attachBtfId: spec.functionId,
  };
  using loaded = loadProgram(program, calls);
  const target = spec.tid === undefined ? {} : { tid: spec.tid };
  return createLink(
    loaded,
    { attachType: iteratorAttachType, ...target },
    { fds: calls.fds, lifetime: 'kernel' },
  );
}
