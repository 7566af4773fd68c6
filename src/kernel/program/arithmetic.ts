import type { Instruction } from './instruction.ts';

/** BPF_OP of arithmetic, shifted down by 4; `neg` and `end` are written in their own way. */
const operators = ['+=', '-=', '*=', '/=', '|=', '&=', '<<=', '>>=', undefined, '%=', '^=', '=', 's>>='];

/** Those of operators that are signed where `off` is 1 (Linux 6.6). */
const signedOperators: ReadonlyMap<number, string> = new Map([
  [3, 's/='],
  [9, 's%='],
]);

const negate = 8;
const move = 11;
const swap = 13;

/** What a move does beside moving, by its `off`: sign extensions (Linux 6.6). */
const extensions: ReadonlyMap<number, string> = new Map([
  [8, '(s8)'],
  [16, '(s16)'],
  [32, '(s32)'],
]);

/** `off` of a move between registers of 64 bits that converts an address instead. */
const conversion = { addressSpace: 1, perCpu: -1 } as const;

/** BPF_ALU and BPF_ALU64; undefined where there is no such operation. */
export function describeArithmetic(instruction: Instruction): string | undefined {
  const { opcode, dst, src, off, imm } = instruction;
  const isWide = (opcode & 7) === 7;
  const isRegister = (opcode & 8) !== 0;
  const operation = opcode >>> 4;
  const letter = isWide ? 'r' : 'w';
  if (operation === swap) return describeSwap(instruction);
  if (operation === negate) return `${letter}${dst} = -${letter}${dst}`;
  if (isWide && isRegister && operation === move) {
    if (off === conversion.addressSpace) {
      return `r${dst} = addr_space_cast(r${src}, ${imm >>> 16}, ${imm & 0xffff})`;
    }
    if (off === conversion.perCpu) return `r${dst} = &(void __percpu *)(r${src})`;
  }
  const operator = (off === 1 ? signedOperators.get(operation) : undefined) ?? operators[operation];
  if (operator === undefined) return undefined;
  if (!isRegister) return `${letter}${dst} ${operator} ${imm}`;
  const extension = operation === move ? (extensions.get(off) ?? '') : '';
  return `${letter}${dst} ${operator} ${extension}${letter}${src}`;
}

/** BPF_END: to one byte order, or (BPF_ALU64, Linux 6.6) from one to the other. */
function describeSwap({ opcode, dst, imm }: Instruction): string {
  const order = (opcode & 7) === 7 ? 'bswap' : (opcode & 8) !== 0 ? 'be' : 'le';
  return `r${dst} = ${order}${imm} r${dst}`;
}
