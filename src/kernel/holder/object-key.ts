import type { ObjectKey } from '../../model/holder/facts.ts';
import { getObject, objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import { kindOf } from '../object/kind-of.ts';
import type { Calls } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';

/** Where the id is in struct bpf_btf_info, and in those of the other kinds; nothing after it is read. */
const btfId = { at: 12, size: 16 } as const;
const otherId = { at: 4, size: 8 } as const;

/** The kind and id of what a descriptor is on; undefined where it is on no object. */
export function objectKeyOf(fd: Fd): ObjectKey | undefined {
  const kind = kindOf(fd);
  if (kind === undefined) return undefined;
  const { at, size } = kind === 'btf' ? btfId : otherId;
  return { kind, id: objectInfo(fd, new Struct(size)).readUInt32LE(at) };
}

/**
 * The object behind a path that leads to an inode of a bpffs, such as `/proc/self/fd/N`; undefined where it
 * has gone, or leads to something else.
 *
 * Opens and closes the object; a superblock that is read-only gives it to those who only read.
 */
export function objectKeyBehind(path: string, calls: Calls): ObjectKey | undefined {
  for (const access of ['read-write', 'read-only'] as const) {
    try {
      using fd = getObject(path, access, calls.fds);
      return objectKeyOf(fd);
    } catch (error) {
      if (!isSystemCallError(error)) throw error;
      if (error.errno !== 'EROFS') return undefined;
    }
  }
  return undefined;
}
