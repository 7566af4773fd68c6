/** A number with its sign always shown, as `%+d` prints it. */
export function signed(value: number): string {
  return value < 0 ? String(value) : `+${value}`;
}

/** Where memory is read or written: `*(u32 *)(r1 +4)` without the star in front. */
export function place(type: string, register: number, offset: number): string {
  return `(${type} *)(r${register} ${signed(offset)})`;
}

/** Unsigned memory types by BPF_SIZE, shifted down by 3. */
export const memoryTypes = ['u32', 'u16', 'u8', 'u64'] as const;

/** Signed ones, which BPF_MEMSX loads (Linux 6.6); there is none of 64 bits. */
export const signedMemoryTypes = ['s32', 's16', 's8', undefined] as const;

/** The number of an opcode's size among the memory types. */
export function sizeOf(opcode: number): number {
  return (opcode >>> 3) & 3;
}
