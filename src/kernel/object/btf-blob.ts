import { PinfoldError } from '../../model/error.ts';
import { objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { Fd } from '../sys/fd.ts';

/** struct bpf_btf_info, include/uapi/linux/bpf.h, as far as Linux 4.18 has it. */
const at = { size: 16, btf: 0, btfSize: 8 } as const;

/**
 * The types of an open BTF object, as they were loaded: what `parseBtf` takes.
 *
 * BTF of a kernel module is split: its ids go on where those of vmlinux end.
 * @throws SystemCallError, PinfoldError not_supported where the kernel gives none of it
 */
export function readBtfBlob(fd: Fd): Buffer {
  const size = objectInfo(fd, new Struct(at.size)).readUInt32LE(at.btfSize);
  const blob = Buffer.allocUnsafeSlow(size);
  const info = new Struct(at.size).pointer(at.btf, blob).u32(at.btfSize, size);
  const given = objectInfo(fd, info).readUInt32LE(at.btfSize);
  // An object never changes, so this is a kernel that keeps the bytes to itself.
  if (given !== size)
    throw new PinfoldError('not_supported', { detail: `${size} bytes of BTF became ${given}` });
  return blob;
}
