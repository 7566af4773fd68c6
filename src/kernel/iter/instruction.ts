/** Registers of the BPF machine: r1–r5 carry arguments, r6–r9 survive calls, r10 is the frame pointer. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

/** One line of a program: an instruction, or a label that jumps may name. */
export type Line = Instruction | { readonly label: string };

/** `struct bpf_insn` (include/uapi/linux/bpf.h), its jump target still a name. */
interface Instruction {
  readonly code: number;
  readonly dst?: Register;
  readonly src?: number;
  readonly offset?: number;
  readonly imm?: number;
  readonly jumpTo?: string;
  /** Second half of a 16-byte instruction. */
  readonly second?: { readonly imm: number };
}

/** Bytes of one instruction slot. */
const SLOT_SIZE = 8;

/** src_reg of a 64-bit load that stands for a map. */
const PSEUDO_MAP = 1;

/** src_reg of a 64-bit load that stands for the address of a map's first value (Linux 5.2). */
const PSEUDO_MAP_VALUE = 2;

const loadCodes = { 1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79 } as const;

/** Widths a load can have. */
export type Width = keyof typeof loadCodes;

/** Tells whether a load of so many bytes exists. */
export function isWidth(bytes: number): bytes is Width {
  return bytes in loadCodes;
}

/** `to = *(uN *)(from + offset)` */
export function load(
  to: Register,
  from: Register,
  at: { readonly offset: number; readonly size: Width },
): Line {
  return { code: loadCodes[at.size], dst: to, src: from, offset: at.offset };
}

/** `*(u64 *)(r10 + offset) = from` */
export function storeOnStack(offset: number, from: Register): Line {
  return { code: 0x7b, dst: 10, src: from, offset };
}

/** `*(u32 *)(r10 + offset) = from` */
export function storeWordOnStack(offset: number, from: Register): Line {
  return { code: 0x63, dst: 10, src: from, offset };
}

/** `to = from` */
export function move(to: Register, from: Register): Line {
  return { code: 0xbf, dst: to, src: from };
}

/** `to = value` */
export function set(to: Register, value: number): Line {
  return { code: 0xb7, dst: to, imm: value };
}

/** `to = value`, of 64 bits */
export function setWide(to: Register, value: bigint): Line {
  const [low, high] = [value, value >> 32n].map((half) => Number(BigInt.asIntN(32, half)));
  return { code: 0x18, dst: to, imm: low ?? 0, second: { imm: high ?? 0 } };
}

/** `to += value` */
export function add(to: Register, value: number): Line {
  return { code: 0x07, dst: to, imm: value };
}

/** `to += from` */
export function addRegister(to: Register, from: Register): Line {
  return { code: 0x0f, dst: to, src: from };
}

/** `to <<= bits` */
export function shiftLeft(to: Register, bits: number): Line {
  return { code: 0x67, dst: to, imm: bits };
}

/** `to = the map`, as helpers take it */
export function addressOfMap(to: Register, mapFd: number): Line {
  return { code: 0x18, dst: to, src: PSEUDO_MAP, imm: mapFd, second: { imm: 0 } };
}

/** `to = address of the only value of an array map` */
export function addressOfValue(to: Register, mapFd: number): Line {
  return { code: 0x18, dst: to, src: PSEUDO_MAP_VALUE, imm: mapFd, second: { imm: 0 } };
}

/** `if (register == value) goto label` */
export function jumpIfEqual(register: Register, value: number, label: string): Line {
  return { code: 0x15, dst: register, imm: value, jumpTo: label };
}

/** `if ((u32) register == value) goto label` (Linux 5.1) */
export function jumpIfWordEqual(register: Register, value: number, label: string): Line {
  return { code: 0x16, dst: register, imm: value, jumpTo: label };
}

/** `if (register & bits) goto label` */
export function jumpIfAnySet(register: Register, bits: number, label: string): Line {
  return { code: 0x45, dst: register, imm: bits, jumpTo: label };
}

/** `if (one == other) goto label` */
export function jumpIfSame(one: Register, other: Register, label: string): Line {
  return { code: 0x1d, dst: one, src: other, jumpTo: label };
}

/** `if (register <= value) goto label`, unsigned (Linux 4.14) */
export function jumpIfAtMost(register: Register, value: number, label: string): Line {
  return { code: 0xb5, dst: register, imm: value, jumpTo: label };
}

/** `goto label` */
export function jump(label: string): Line {
  return { code: 0x05, jumpTo: label };
}

/** `if (one != other) goto label` */
export function jumpIfDifferent(one: Register, other: Register, label: string): Line {
  return { code: 0x5d, dst: one, src: other, jumpTo: label };
}

/** A call of a helper by its number (enum bpf_func_id). */
export function call(helper: number): Line {
  return { code: 0x85, imm: helper };
}

/** A call of a kernel function by its BTF id (BPF_PSEUDO_KFUNC_CALL, Linux 5.13). */
export function callKernelFunction(btfId: number): Line {
  return { code: 0x85, src: 2, imm: btfId };
}

/** `return r0` */
export function exit(): Line {
  return { code: 0x95 };
}

/** Lays a program out as BPF_PROG_LOAD takes it; jumps count slots from the one after their own. */
export function assemble(lines: readonly Line[]): Buffer {
  const labels = new Map<string, number>();
  const placed: { readonly slot: number; readonly instruction: Instruction }[] = [];
  let slot = 0;
  for (const line of lines) {
    if ('label' in line) {
      labels.set(line.label, slot);
      continue;
    }
    placed.push({ slot, instruction: line });
    slot += line.second === undefined ? 1 : 2;
  }
  const code = Buffer.alloc(slot * SLOT_SIZE);
  for (const { slot: at, instruction } of placed) encode(code, at, { instruction, labels });
  return code;
}

function encode(
  code: Buffer,
  slot: number,
  {
    instruction,
    labels,
  }: { readonly instruction: Instruction; readonly labels: ReadonlyMap<string, number> },
): void {
  const { jumpTo, second, dst = 0, src = 0, imm = 0 } = instruction;
  const target = jumpTo === undefined ? undefined : labels.get(jumpTo);
  if (jumpTo !== undefined && target === undefined) throw new RangeError(`no label ${jumpTo}`);
  const at = slot * SLOT_SIZE;
  code.writeUInt8(instruction.code, at);
  code.writeUInt8((src << 4) | dst, at + 1);
  code.writeInt16LE(target === undefined ? (instruction.offset ?? 0) : target - slot - 1, at + 2);
  code.writeInt32LE(imm, at + 4);
  if (second !== undefined) code.writeInt32LE(second.imm, at + SLOT_SIZE + 4);
}
