import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { objectInfo, openObjectById } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { Btf } from '../btf/btf.ts';
import { parseBtf } from '../btf/parse.ts';
import { readBtfBlob } from '../object/btf-blob.ts';
import type { FdTable } from '../sys/fd.ts';

/** struct bpf_btf_info, include/uapi/linux/bpf.h, as far as Linux 4.18 has it. */
const at = { size: 16, btfSize: 8 } as const;

/**
 * The types that describe a map's keys and values. The map keeps its BTF alive, so an id that is read while
 * the map is held is good.
 *
 * @throws PinfoldError invalid_input for BTF that is damaged, not_supported for more than is read
 */
export function readBtfById(id: number, fds: FdTable): Btf {
  using fd = openObjectById('btf', id, fds);
  const size = objectInfo(fd, new Struct(at.size)).readUInt32LE(at.btfSize);
  if (size > limits.entryBytesMax) {
    throw new PinfoldError('not_supported', {
      detail: `BTF ${id} has ${size} bytes; up to ${limits.entryBytesMax} are read.`,
    });
  }
  return parseBtf(readBtfBlob(fd));
}
