import { isPinfoldError } from '../../model/error.ts';
import { openObjectById } from '../bpf/objects.ts';
import type { Btf } from '../btf/btf.ts';
import { parseBtf } from '../btf/parse.ts';
import { readBtfBlob } from '../object/btf-blob.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { FdTable } from '../sys/fd.ts';

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
    return parseBtf(readBtfBlob(fd));
  } catch (error) {
    if (isPinfoldError(error) || isSystemCallError(error, 'EPERM', 'ENOENT')) return undefined;
    throw error;
  }
}
