import { isPinfoldError } from '../../model/error.ts';
import { objectInfo, openObjectById } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { Btf } from '../btf/btf.ts';
import { parseBtf } from '../btf/parse.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { FdTable } from '../sys/fd.ts';

/** struct bpf_btf_info, include/uapi/linux/bpf.h. */
const at = { size: 32, bytes: 0, length: 8 } as const;

/**
 * The types a program came with; undefined where they may not be seen or cannot be understood, because a
 * program is listed without them too.
 *
 * The kernel takes up to 16 MiB of them (BTF_MAX_SIZE); programs have some KiB.
 */
export function readProgramBtf(id: number | undefined, fds: FdTable): Btf | undefined {
  if (id === undefined) return undefined;
  try {
    using fd = openObjectById('btf', id, fds);
    const bytes = Buffer.alloc(objectInfo(fd, new Struct(at.size)).readUInt32LE(at.length));
    objectInfo(fd, new Struct(at.size).pointer(at.bytes, bytes).u32(at.length, bytes.length));
    return parseBtf(bytes);
  } catch (error) {
    if (isPinfoldError(error, 'invalid_input') || isSystemCallError(error, 'EPERM', 'ENOENT'))
      return undefined;
    throw error;
  }
}
