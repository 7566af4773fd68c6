import type { PinnableKind } from '../../model/kind.ts';
import { createIterator, createLink, loadProgram } from '../bpf/create.ts';
import { objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { Btf } from '../btf/btf.ts';
import type { Calls } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { learnLayout } from './layout.ts';
import { recordProgram, recordSize } from './program.ts';

const BPF_PROG_TYPE_TRACING = 26;
const BPF_TRACE_ITER = 28;

/** What one read(2) of an iterator gives at most: its buffer has eight pages (kernel/bpf/bpf_iter.c). */
const READ_BYTES = 64 * 1024;

/** Offset of `prog_id` in struct bpf_link_info. */
const LINK_INFO_PROG_ID = 8;

/** An iterator over all objects of a kind, loaded once; what it holds open is its own link. */
export class ObjectIterator implements Disposable {
  readonly recordSize: number;
  /** The ids of the iterator itself, which its records name too. */
  readonly own: { readonly programId: number; readonly linkId: number };
  readonly #link: Fd;
  readonly #calls: Calls;

  /**
   * Loads and links the program.
   *
   * @throws RangeError where the kernel has no such iterator, SystemCallError where it may not be loaded
   */
  constructor(kind: PinnableKind, btf: Btf, using: { readonly calls: Calls; readonly wantedFd: number }) {
    const { calls, wantedFd } = using;
    const layout = learnLayout(btf, kind);
    this.recordSize = recordSize(layout);
    this.#calls = calls;
    const program = loadProgram(
      {
        type: BPF_PROG_TYPE_TRACING,
        name: `pinfold_${kind}s`,
        instructions: recordProgram(layout, wantedFd),
        expectedAttachType: BPF_TRACE_ITER,
        attachBtfId: layout.functionId,
      },
      calls,
    );
    try {
      this.#link = createLink(program, BPF_TRACE_ITER, { fds: calls.fds, lifetime: 'kernel' });
    } finally {
      program[Symbol.dispose]();
    }
    const info = objectInfo(this.#link, new Struct(64));
    this.own = { linkId: info.readUInt32LE(4), programId: info.readUInt32LE(LINK_INFO_PROG_ID) };
  }

  /**
   * One pass: the records of all objects that are alive, in the order of their ids.
   * @throws SystemCallError
   */
  readAll(): Buffer {
    using run = createIterator(this.#link, this.#calls);
    const chunks: Buffer[] = [];
    for (;;) {
      const chunk = Buffer.allocUnsafe(READ_BYTES);
      const length = this.#read(run, chunk);
      if (length === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, length));
    }
  }

  /**
   * The first record the program writes, undefined if it writes none.
   *
   * A buffer of one record makes the kernel stop there: what comes after it is not visited (bpf_seq_read).
   */
  readFirst(): Buffer | undefined {
    using run = createIterator(this.#link, this.#calls);
    const record = Buffer.alloc(this.recordSize);
    const length = this.#read(run, record);
    return length === this.recordSize ? record : undefined;
  }

  [Symbol.dispose](): void {
    this.#link[Symbol.dispose]();
  }

  /**
   * read(2), again after EAGAIN: the kernel's pause after a million objects without a record
   * (MAX_ITER_OBJECTS).
   */
  #read(run: Fd, buffer: Buffer): number {
    for (;;) {
      try {
        return this.#calls.read(run, buffer);
      } catch (error) {
        if (!isSystemCallError(error, 'EAGAIN', 'EINTR')) throw error;
      }
    }
  }
}
