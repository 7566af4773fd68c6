/** Bytes of one slot (struct bpf_insn, include/uapi/linux/bpf.h). */
export const slotBytes = 8;

/** BPF_LD | BPF_IMM | BPF_DW: the one instruction that takes two slots. */
const wideOpcode = 0x18;

/** What the source register of a 64-bit constant says it is (BPF_PSEUDO_*). */
export const pseudo = { mapFd: 1, mapValue: 2, function: 4, mapIndex: 5, mapIndexValue: 6 } as const;

/** What the source register of a call says is called (BPF_PSEUDO_CALL, BPF_PSEUDO_KFUNC_CALL). */
export const callee = { helper: 0, own: 1, kernelFunction: 2 } as const;

/** BPF_JMP | BPF_CALL. */
export const callOpcode = 0x85;

/** One instruction as it lies in memory. */
export interface Instruction {
  /** Its slot; those that take two skip a number. */
  readonly index: number;
  readonly opcode: number;
  readonly dst: number;
  readonly src: number;
  readonly off: number;
  readonly imm: number;
  /** `imm` of the second slot of a 64-bit constant; absent for all others, and where the slot is missing. */
  readonly wide?: number;
}

/**
 * Reads the instruction of a slot, which must be inside of `code`. Little-endian, as all machines Pinfold
 * runs on.
 */
export function readInstruction(code: Buffer, index: number): Instruction {
  const at = index * slotBytes;
  const opcode = code.readUInt8(at);
  const registers = code.readUInt8(at + 1);
  const instruction = {
    index,
    opcode,
    dst: registers & 15,
    src: registers >>> 4,
    off: code.readInt16LE(at + 2),
    imm: code.readInt32LE(at + 4),
  };
  if (opcode !== wideOpcode || at + 2 * slotBytes > code.length) return instruction;
  return { ...instruction, wide: code.readInt32LE(at + slotBytes + 4) };
}

/** The slot after an instruction's own. */
export function slotAfter({ index, opcode }: Instruction): number {
  return index + (opcode === wideOpcode ? 2 : 1);
}

/** The 64 bits of a constant that takes two slots, without a sign. */
export function wideValue({ imm, wide = 0 }: Instruction): bigint {
  return (BigInt(wide >>> 0) << 32n) | BigInt(imm >>> 0);
}
