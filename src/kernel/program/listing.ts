import type {
  Instruction as InstructionDocument,
  InstructionsHead,
} from '../../model/schema/program-code.ts';
import type { ProgramInfo } from '../../model/schema/program-info.ts';
import { type Present, present } from '../object/fields.ts';
import { disassemble } from './disassemble.ts';
import type { ProgramImage } from './image.ts';
import {
  callee,
  callOpcode,
  type Instruction,
  pseudo,
  readInstruction,
  slotAfter,
  slotBytes,
  wideValue,
} from './instruction.ts';
import { targetOf } from './jump.ts';
import { signed } from './notation.ts';
import type { FunctionStart, Source } from './source.ts';
import type { CalleeNames } from './symbols.ts';

/**
 * BPF_FUNC_tail_call: the one helper that is still called by its number after verification
 * (bpf_insn_prepare_dump, kernel/bpf/syscall.c).
 */
export const tailCall = { number: 12, name: 'bpf_tail_call' } as const;

/** What a listing is made of. */
export interface ListingParts {
  readonly info: ProgramInfo;
  readonly image: ProgramImage;
  readonly source: Source;
  readonly callees: CalleeNames;
  /** The name of a kernel function by its BTF id, which stands in calls of those that are far away. */
  readonly kernelFunction: (btfId: number) => string | undefined;
}

/** The instructions of a program, made into documents one at a time: a program may have a million. */
export class Listing {
  readonly #parts: ListingParts;
  readonly #functions: readonly FunctionStart[];
  readonly #signatures: ReadonlyMap<number, string>;

  constructor(parts: ListingParts) {
    this.#parts = parts;
    this.#functions = parts.source.functions();
    this.#signatures = new Map(this.#functions.map(({ slot, signature }) => [slot, signature]));
  }

  /** The instructions as bytes: eight a slot (struct bpf_insn). */
  get code(): Buffer {
    return this.#parts.image.code;
  }

  /** What there is to know beside the instructions. */
  get head(): InstructionsHead {
    const { info, image, callees } = this.#parts;
    const { id, name, tag } = info;
    return present({
      id,
      name,
      tag,
      bytes: image.code.length,
      image: 'xlated' as const,
      functions: this.#functions.map(({ slot, name: own, signature }, index) =>
        present({ index: slot, name: own, signature, tag: image.tags[index] }),
      ),
      unavailable: callees.unavailable,
    });
  }

  /** Every instruction, in order. */
  *instructions(): Generator<InstructionDocument, void, undefined> {
    const { code } = this.#parts.image;
    const slots = code.length / slotBytes;
    const lineAt = this.#parts.source.reader(0);
    for (let slot = 0; slot < slots; ) {
      const instruction = readInstruction(code, slot);
      const document = this.#documentOf(instruction);
      const signature = this.#signatures.get(slot);
      if (signature !== undefined && signature !== '') document.signature = signature;
      const source = lineAt(slot);
      if (source !== undefined) document.source = source;
      yield document;
      slot = slotAfter(instruction);
    }
  }

  /** Members are set one by one, because most instructions have few, and there may be half a million. */
  #documentOf(instruction: Instruction): InstructionDocument {
    const { index, opcode, dst, src, off, imm } = instruction;
    const called = opcode === callOpcode ? this.#calledBy(instruction) : undefined;
    const text = disassemble(instruction, called?.text ?? '');
    const document: InstructionDocument = { index, opcode, dst, src, off, imm, text };
    if (called !== undefined) Object.assign(document, called.names);
    if (instruction.wide !== undefined) Object.assign(document, constantOf(instruction));
    const target = targetOf(instruction);
    if (target !== undefined) document.target = target;
    return document;
  }

  /** What a call calls: in words, and as members of the document. */
  #calledBy({ src, imm, off }: Instruction): Called {
    if (src === callee.own) {
      const symbol = symbolOf(this.#parts, this.#functions, imm);
      const suffix = symbol === undefined ? '' : `#${symbol}`;
      return { text: `pc${signed(off)}${suffix}`, names: present({ function: symbol }) };
    }
    const { callees, kernelFunction } = this.#parts;
    const name = callees.names.get(imm);
    if (src === callee.kernelFunction) {
      const kfunc = name ?? kernelFunction(imm);
      return { text: `${kfunc ?? 'kernel-function'}#${imm}`, names: present({ kfunc }) };
    }
    const helper = src === callee.helper && imm === tailCall.number ? tailCall.name : name;
    return { text: `${helper ?? 'unknown'}#${imm}`, names: present({ helper }) };
  }
}

interface Called {
  readonly text: string;
  readonly names: Pick<InstructionDocument, 'helper' | 'kfunc' | 'function'>;
}

/** Where calls of kernel functions lead, for looking up their names: each distance once. */
export function calleesOf(code: Buffer): Set<number> {
  const offsets = new Set<number>();
  for (let at = 0; at + slotBytes <= code.length; at += slotBytes) {
    if (code[at] !== callOpcode) continue;
    const source = code.readUInt8(at + 1) >>> 4;
    const imm = code.readInt32LE(at + 4);
    if (source === callee.own || (source === callee.helper && imm === tailCall.number)) continue;
    offsets.add(imm);
  }
  return offsets;
}

/**
 * The symbol of a function of the program, made as the kernel makes it (bpf_get_prog_name in
 * kernel/bpf/core.c): it lists them only with net.core.bpf_jit_kallsyms. Undefined where there is no machine
 * code to have symbols.
 */
export function symbolOf(
  { info, image }: Pick<ListingParts, 'info' | 'image'>,
  functions: readonly FunctionStart[],
  index: number,
): string | undefined {
  // The first is the program itself; the others have tags of their own, and without BTF all are called F
  // (jit_subprogs, kernel/bpf/verifier.c).
  const tag = index === 0 ? info.tag : image.tags[index];
  if (tag === undefined || index < 0 || index >= image.symbols.length) return undefined;
  const name = functions[index]?.name ?? (index === 0 ? info.name : 'F');
  return name === '' ? `bpf_prog_${tag}` : `bpf_prog_${tag}_${name}`;
}

/** What a 64-bit constant stands for. */
function constantOf(
  instruction: Instruction,
): Present<{ map_id: number | undefined; map_offset: number | undefined; value: string | undefined }> {
  const { src, imm, wide } = instruction;
  if (wide === undefined) return {};
  if (src === pseudo.mapFd) return { map_id: imm >>> 0 };
  if (src === pseudo.mapValue) return { map_id: imm >>> 0, map_offset: wide >>> 0 };
  if (src === pseudo.function || src === pseudo.mapIndexValue) return {};
  return { value: `0x${wideValue(instruction).toString(16)}` };
}
