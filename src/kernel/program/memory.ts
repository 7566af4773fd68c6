import { type Instruction, pseudo, wideValue } from './instruction.ts';
import { memoryTypes, place, signed, signedMemoryTypes, sizeOf } from './notation.ts';

/** BPF_MODE of an opcode: what it means depends on the class. */
const modes = { packet: 0x20, packetAt: 0x40, memory: 0x60, signed: 0x80, atomic: 0xc0 } as const;

/**
 * Modes of the kernel's own (include/linux/filter.h) that it does not turn back when it shows a program
 * (bpf_insn_prepare_dump): loads and atomics that may fault, and a barrier against speculation.
 */
const internal = { probeSigned: 0x40, probeSigned32: 0xc0, probeAtomic: 0xe0, barrier: 0xc0 } as const;

const signedModes: readonly number[] = [modes.signed, internal.probeSigned, internal.probeSigned32];
const atomicModes: readonly number[] = [modes.atomic, internal.probeAtomic];

/** BPF_ADD and its kin as the `imm` of an atomic instruction, and their names in those that fetch too. */
const arithmetic: ReadonlyMap<number, { readonly operator: string; readonly name: string }> = new Map([
  [0x00, { operator: '+=', name: 'add' }],
  [0x50, { operator: '&=', name: 'and' }],
  [0x40, { operator: '|=', name: 'or' }],
  [0xa0, { operator: '^=', name: 'xor' }],
]);

/** The other values `imm` of an atomic instruction has; the last two since Linux 6.15. */
const atomic = { fetch: 1, exchange: 0xe1, compareExchange: 0xf1, loadAcquire: 0x100, storeRelease: 0x110 };

function modeOf({ opcode }: Instruction): number {
  return opcode & 0xe0;
}

function typeOf({ opcode }: Instruction): string {
  return memoryTypes[sizeOf(opcode)] ?? '';
}

/** BPF_LDX: from memory to a register; undefined where there is no such load. */
export function describeLoad(instruction: Instruction): string | undefined {
  const { opcode, dst, src, off } = instruction;
  const mode = modeOf(instruction);
  const isSigned = signedModes.includes(mode);
  if (!isSigned && mode !== modes.memory) return undefined;
  const type = isSigned ? signedMemoryTypes[sizeOf(opcode)] : typeOf(instruction);
  return type === undefined ? undefined : `r${dst} = *${place(type, src, off)}`;
}

/** BPF_ST: a constant to memory. */
export function describeStore(instruction: Instruction): string | undefined {
  const { dst, off, imm } = instruction;
  if (modeOf(instruction) === internal.barrier) return 'nospec';
  if (modeOf(instruction) !== modes.memory) return undefined;
  return `*${place(typeOf(instruction), dst, off)} = ${imm}`;
}

/** BPF_STX: a register to memory, at once or atomically. */
export function describeStoreOf(instruction: Instruction): string | undefined {
  const { dst, src, off } = instruction;
  const to = place(typeOf(instruction), dst, off);
  if (modeOf(instruction) === modes.memory) return `*${to} = r${src}`;
  return atomicModes.includes(modeOf(instruction)) ? describeAtomic(instruction, to) : undefined;
}

function describeAtomic(instruction: Instruction, to: string): string | undefined {
  const { opcode, dst, src, off, imm } = instruction;
  const width = memoryTypes[sizeOf(opcode)] === 'u64' ? '64' : '';
  const plain = arithmetic.get(imm);
  if (plain !== undefined) return `lock *${to} ${plain.operator} r${src}`;
  const fetched = (imm & atomic.fetch) === 0 ? undefined : arithmetic.get(imm & ~atomic.fetch);
  if (fetched !== undefined) return `r${src} = atomic${width}_fetch_${fetched.name}(${to}, r${src})`;
  switch (imm) {
    case atomic.exchange:
      return `r${src} = atomic${width}_xchg(${to}, r${src})`;
    case atomic.compareExchange:
      return `r0 = atomic${width}_cmpxchg(${to}, r0, r${src})`;
    case atomic.loadAcquire:
      return `r${dst} = load_acquire(${place(typeOf(instruction), src, off)})`;
    case atomic.storeRelease:
      return `store_release(${to}, r${src})`;
    default:
      return undefined;
  }
}

/** BPF_LD of packet bytes in network byte order, as classic filters have it. */
export function describePacketLoad(instruction: Instruction): string | undefined {
  const { src, imm } = instruction;
  switch (modeOf(instruction)) {
    case modes.packet:
      return `r0 = *(${typeOf(instruction)} *)skb[${imm}]`;
    case modes.packetAt:
      return `r0 = *(${typeOf(instruction)} *)skb[r${src} + ${imm}]`;
    default:
      return undefined;
  }
}

/** BPF_LD | BPF_IMM | BPF_DW: 64 bits, which the kernel shows as what they stand for. */
export function describeConstant(instruction: Instruction): string {
  return `r${instruction.dst} = ${constantOf(instruction)}`;
}

function constantOf(instruction: Instruction): string {
  const { src, imm, wide = 0 } = instruction;
  switch (src) {
    case pseudo.mapFd:
      return `map[id:${imm >>> 0}]`;
    case pseudo.mapValue:
      return `map[id:${imm >>> 0}][0]+${wide >>> 0}`;
    case pseudo.mapIndexValue:
      return `map[idx:${imm >>> 0}]+${wide >>> 0}`;
    case pseudo.function:
      return `subprog[${signed(imm)}]`;
    default:
      return `0x${wideValue(instruction).toString(16)}`;
  }
}
