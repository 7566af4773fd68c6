import type { Btf } from '../btf/btf.ts';
import { memberOffset } from '../btf/member-offset.ts';
import { type Field, field, idOf } from '../iter/layout.ts';

/** Where this kernel keeps what leads from a system call to the map that it is about. */
export interface WriteLayout {
  /** Number of bpf(2) on this architecture. */
  readonly bpfNumber: number;
  /** The first two arguments of a system call, in `struct pt_regs`. */
  readonly command: Field;
  readonly attributes: Field;
  /** From a task to its table of descriptors, and to the array of files in it. */
  readonly files: Field;
  readonly table: Field;
  readonly array: Field;
  readonly privateData: Field;
  readonly mapId: Field;
}

/**
 * Learns it from the kernel's BTF.
 *
 * @throws RangeError on other architectures than x86-64 and arm64, or where this kernel keeps it elsewhere
 */
export function learnWriteLayout(btf: Btf, architecture: string): WriteLayout {
  return {
    ...learnArguments(btf, architecture),
    files: field(btf, 'task_struct', 'files'),
    table: field(btf, 'files_struct', 'fdt'),
    array: field(btf, 'fdtable', 'fd'),
    privateData: field(btf, 'file', 'private_data'),
    mapId: field(btf, 'bpf_map', 'id'),
  };
}

/** Of arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h. */
function learnArguments(btf: Btf, architecture: string) {
  if (architecture === 'x64') {
    return { bpfNumber: 321, command: field(btf, 'pt_regs', 'di'), attributes: field(btf, 'pt_regs', 'si') };
  }
  if (architecture !== 'arm64') throw new RangeError(`where ${architecture} has arguments is not known`);
  const { offset } = memberOffset(btf, idOf(btf, 'struct', 'pt_regs'), 'regs');
  return {
    bpfNumber: 280,
    command: { offset, size: 8 } as const,
    attributes: { offset: offset + 8, size: 8 } as const,
  };
}
