import { PinfoldError } from '../../model/error.ts';
import { objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { HeldObject } from '../kernel.ts';
import { Fields } from '../object/fields.ts';
import { isSystemCallError } from '../sys/errno.ts';
import { slotBytes } from './instruction.ts';

/** struct bpf_prog_info, include/uapi/linux/bpf.h: the lists of a program, each with where its count is. */
const at = {
  size: 232,
  jitedLength: 16,
  xlatedLength: 20,
  jited: 24,
  xlated: 32,
  symbolCount: 104,
  functionLengthCount: 108,
  symbols: 112,
  functionLengths: 120,
  btfId: 128,
  functionInfoSize: 132,
  functionInfo: 136,
  functionInfoCount: 144,
  lineInfoCount: 148,
  lineInfo: 152,
  lineInfoSize: 172,
  tagCount: 180,
  tags: 184,
} as const;

/** BPF_TAG_SIZE. */
const tagBytes = 8;

/** Records of one size, end to end. */
export interface Records {
  readonly bytes: Buffer;
  readonly size: number;
}

/** A program after verification, with all the kernel keeps about its functions and lines. */
export interface ProgramImage {
  /** Instructions: a multiple of eight bytes. */
  readonly code: Buffer;
  readonly btfId: number | undefined;
  /** struct bpf_func_info. */
  readonly functions: Records;
  /** struct bpf_line_info. */
  readonly lines: Records;
  /** The tag of each function, 16 hexadecimal digits. */
  readonly tags: readonly string[];
  /** Where each function's machine code is; empty where it is interpreted or may not be seen. */
  readonly symbols: readonly bigint[];
}

/** A program's machine code: its functions end to end. */
export interface MachineCode {
  readonly code: Buffer;
  readonly functions: readonly { readonly address: bigint | undefined; readonly length: number }[];
}

/**
 * Reads the instructions of an open program, and what is known of them. Two calls: first how much there is,
 * then all of it; a program never changes either.
 *
 * @throws PinfoldError permission_denied where the kernel does not show them: without CAP_BPF, or where the
 * program's constants are blinded and addresses are hidden; out_of_memory where it cannot copy so many
 */
export function readImage(held: HeldObject): ProgramImage {
  const counts = new Fields(objectInfo(held.fd, new Struct(at.size)));
  const count = (offset: number): number => counts.u32(offset) ?? 0;
  const request = new Request();
  const code = request.list(at.xlated, at.xlatedLength, count(at.xlatedLength), 1);
  const functions = request.records(counts, at.functionInfo, at.functionInfoCount, at.functionInfoSize);
  const lines = request.records(counts, at.lineInfo, at.lineInfoCount, at.lineInfoSize);
  const tags = request.list(at.tags, at.tagCount, count(at.tagCount), tagBytes);
  const symbols = request.list(at.symbols, at.symbolCount, count(at.symbolCount), 8);
  const answer = request.send(held);
  if (code.length === 0 || answer.isHidden(at.xlated)) throw hidden(held, 'instructions');
  return {
    code: code.subarray(0, code.length - (code.length % slotBytes)),
    btfId: counts.u32(at.btfId) || undefined,
    functions,
    lines,
    tags: chunks(tags, tagBytes).map((tag) => tag.toString('hex')),
    symbols: answer.isHidden(at.symbols) ? [] : quads(symbols).filter((address) => address !== 0n),
  };
}

/**
 * Reads the machine code of an open program.
 *
 * @throws PinfoldError not_supported where the kernel interprets it; permission_denied where it does not show
 * machine code
 */
export function readMachineCode(held: HeldObject): MachineCode {
  const counts = new Fields(objectInfo(held.fd, new Struct(at.size)));
  const count = (offset: number): number => counts.u32(offset) ?? 0;
  if (held.info.kind === 'program' && !held.info.jited) {
    const detail = `Program ${held.id} is interpreted; the kernel makes machine code with bpf_jit_enable.`;
    throw new PinfoldError('not_supported', { detail, kind: 'program', id: held.id });
  }
  const request = new Request();
  const code = request.list(at.jited, at.jitedLength, count(at.jitedLength), 1);
  const lengths = request.list(at.functionLengths, at.functionLengthCount, count(at.functionLengthCount), 4);
  const symbols = request.list(at.symbols, at.symbolCount, count(at.symbolCount), 8);
  const answer = request.send(held);
  if (code.length === 0 || answer.isHidden(at.jited)) throw hidden(held, 'machine code');
  const addresses = answer.isHidden(at.symbols) ? [] : quads(symbols);
  const functions = chunks(lengths, 4).map((length, index) => ({
    address: addresses[index] || undefined,
    length: length.readUInt32LE(0),
  }));
  return { code, functions };
}

/** The second of the two calls: buffers for every list; where the kernel hides one, it zeroes its pointer. */
class Request {
  readonly #info = new Struct(at.size);

  /** A buffer for `count` entries of `size` bytes. */
  list(pointer: number, countAt: number, count: number, size: number): Buffer {
    const bytes = Buffer.alloc(count * size);
    if (count > 0) this.#info.u32(countAt, count).pointer(pointer, bytes);
    return bytes;
  }

  /** A buffer for records whose size the kernel has said, and wants to be told back. */
  records(counts: Fields, pointer: number, countAt: number, sizeAt: number): Records {
    const size = counts.u32(sizeAt) ?? 0;
    const bytes = this.list(pointer, countAt, size === 0 ? 0 : (counts.u32(countAt) ?? 0), size);
    if (bytes.length > 0) this.#info.u32(sizeAt, size);
    return { bytes, size };
  }

  send(held: HeldObject): { isHidden(pointer: number): boolean } {
    try {
      const answer = new Fields(objectInfo(held.fd, this.#info));
      return { isHidden: (pointer) => (answer.u64(pointer) ?? 0n) === 0n };
    } catch (error) {
      throw isSystemCallError(error, 'ENOMEM') ? tooLarge(held, error) : error;
    }
  }
}

/** bpf_insn_prepare_dump copies all instructions with kmemdup, which has 4 MiB at most on x86-64. */
function tooLarge({ id }: HeldObject, cause: unknown): PinfoldError {
  const detail =
    `The kernel has no memory in one piece to copy program ${id}; ` +
    'one of more than 524,288 instructions it can never show.';
  return new PinfoldError('out_of_memory', { detail, kind: 'program', id }, cause);
}

function hidden(held: HeldObject, what: string): PinfoldError {
  const detail =
    `The kernel does not show the ${what} of program ${held.id}: that needs CAP_BPF and CAP_PERFMON, ` +
    'and kernel.kptr_restrict below 2.';
  return new PinfoldError('permission_denied', { detail, kind: 'program', id: held.id });
}

function chunks(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

function quads(bytes: Buffer): bigint[] {
  return chunks(bytes, 8).map((quad) => quad.readBigUInt64LE(0));
}
