import { callOpcode, type Instruction } from './instruction.ts';
import { signed } from './notation.ts';

/** BPF_OP of comparisons, shifted down by 4. */
const comparisons: ReadonlyMap<number, string> = new Map([
  [0x1, '=='],
  [0x2, '>'],
  [0x3, '>='],
  [0x4, '&'],
  [0x5, '!='],
  [0x6, 's>'],
  [0x7, 's>='],
  [0xa, '<'],
  [0xb, '<='],
  [0xc, 's<'],
  [0xd, 's<='],
]);

/** Whole opcodes that are no comparisons. `exit` and calls exist for 64 bits only. */
const opcodes = { goto: 0x05, gotoRegister: 0x0d, gotoLong: 0x06, mayGoto: 0xe5, exit: 0x95 } as const;

/** BPF_JMP and BPF_JMP32; undefined where there is no such jump. */
export function describeJump(instruction: Instruction, called: string): string | undefined {
  const { opcode, dst, src, off, imm } = instruction;
  switch (opcode) {
    case callOpcode:
      return `call ${called}`;
    case opcodes.exit:
      return 'exit';
    case opcodes.goto:
      return `goto pc${signed(off)}`;
    case opcodes.gotoLong:
      return `gotol pc${signed(imm)}`;
    case opcodes.gotoRegister:
      return `gotox r${dst}`;
    case opcodes.mayGoto:
      return src === 0 ? `may_goto pc${signed(off)}` : undefined;
    default:
  }
  const comparison = comparisons.get(opcode >>> 4);
  if (comparison === undefined) return undefined;
  const letter = (opcode & 7) === 6 ? 'w' : 'r';
  const other = (opcode & 8) !== 0 ? `${letter}${src}` : `0x${(imm >>> 0).toString(16)}`;
  return `if ${letter}${dst} ${comparison} ${other} goto pc${signed(off)}`;
}

/** The slot a jump may go to; undefined where an instruction is no jump, or one to nowhere it says. */
export function targetOf({ opcode, index, off, imm }: Instruction): number | undefined {
  const isJump = (opcode & 7) === 5 || (opcode & 7) === 6;
  if (!isJump || opcode === callOpcode || opcode === opcodes.exit) return undefined;
  if (opcode === opcodes.gotoLong) return index + 1 + imm;
  if (opcode === opcodes.goto || opcode === opcodes.mayGoto) return index + 1 + off;
  return comparisons.has(opcode >>> 4) ? index + 1 + off : undefined;
}
