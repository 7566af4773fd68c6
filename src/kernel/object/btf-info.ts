import type { BtfInfo } from '../../model/schema/btf-info.ts';
import { objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { Fd } from '../sys/fd.ts';
import { Fields, present, textUpToNul } from './fields.ts';

/** struct bpf_btf_info, include/uapi/linux/bpf.h. */
const at = { size: 32, btfSize: 8, id: 12, name: 16, nameLen: 24, kernelBtf: 28 } as const;

/** Bytes of struct bpf_btf_info before Linux 5.11, which knows no names. */
const SIZE_WITHOUT_NAME = 16;

/** Module names have 56 bytes at most (MODULE_NAME_LEN). */
const NAME_BYTES = 64;

/** All the kernel tells of an open BTF object, its contents left out. */
export function readBtfInfo(fd: Fd): BtfInfo {
  const first = objectInfo(fd, new Struct(at.size));
  if (first.length <= SIZE_WITHOUT_NAME) return parseBtfInfo(first, '');
  const name = Buffer.alloc(NAME_BYTES);
  const bytes = objectInfo(fd, new Struct(at.size).pointer(at.name, name).u32(at.nameLen, name.length));
  return parseBtfInfo(bytes, textUpToNul(name));
}

/** A BTF object's document from the bytes of struct bpf_btf_info and the name it points to. */
export function parseBtfInfo(bytes: Buffer, name: string): BtfInfo {
  const fields = new Fields(bytes);
  const kernelBtf = fields.u32(at.kernelBtf);
  return present({
    kind: 'btf' as const,
    id: fields.u32(at.id) ?? 0,
    type: kernelBtf ? (name === 'vmlinux' ? 'vmlinux' : 'module') : 'user',
    name,
    btf_size: fields.u32(at.btfSize) ?? 0,
    kernel_btf: kernelBtf === undefined ? undefined : kernelBtf !== 0,
  });
}
