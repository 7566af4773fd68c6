import { describeArithmetic } from './arithmetic.ts';
import type { Instruction } from './instruction.ts';
import { describeJump } from './jump.ts';
import {
  describeConstant,
  describeLoad,
  describePacketLoad,
  describeStore,
  describeStoreOf,
} from './memory.ts';

/** BPF_CLASS of an opcode, include/uapi/linux/bpf_common.h. */
const classes = { ld: 0, ldx: 1, st: 2, stx: 3, alu: 4, jmp: 5, jmp32: 6, alu64: 7 } as const;

/**
 * One instruction in words, as the kernel's verifier writes it (kernel/bpf/disasm.c), which is also what
 * bpftool prints: `(bf) r6 = r1`.
 *
 * `called` is what a call shows behind the word, such as `bpf_map_lookup_elem` or `pc+7#NAME`. What no known
 * machine executes is `BUG_` and the opcode; nothing is refused, because a program may be newer than this.
 */
export function disassemble(instruction: Instruction, called: string): string {
  const body = describe(instruction, called);
  const opcode = opcodeTexts[instruction.opcode] ?? '';
  return body === undefined ? `BUG_${opcode}` : `(${opcode}) ${body}`;
}

/** Every opcode as two hexadecimal digits. */
const opcodeTexts: readonly string[] = Array.from({ length: 256 }, (_, opcode) =>
  opcode.toString(16).padStart(2, '0'),
);

function describe(instruction: Instruction, called: string): string | undefined {
  switch (instruction.opcode & 7) {
    case classes.ld:
      return instruction.wide === undefined ? describePacketLoad(instruction) : describeConstant(instruction);
    case classes.ldx:
      return describeLoad(instruction);
    case classes.st:
      return describeStore(instruction);
    case classes.stx:
      return describeStoreOf(instruction);
    case classes.jmp:
    case classes.jmp32:
      return describeJump(instruction, called);
    default:
      return describeArithmetic(instruction);
  }
}
