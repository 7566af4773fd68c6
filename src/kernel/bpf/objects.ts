import type { ObjectKind } from '../../model/kind.ts';
import { cString } from '../sys/calls.ts';
import { SystemCallError } from '../sys/errno.ts';
import type { Fd, FdTable } from '../sys/fd.ts';
import { bpf, type Command, tryBpf } from './call.ts';
import { Struct } from './struct.ts';

/**
 * `struct { __aligned_u64 pathname; __u32 bpf_fd; __u32 file_flags; }` of union bpf_attr: BPF_OBJ_PIN and
 * BPF_OBJ_GET.
 */
const byPath = { size: 16, pathname: 0, bpfFd: 8, fileFlags: 12 } as const;

/**
 * `struct { __u32 start_id or map_id…; __u32 next_id; __u32 open_flags; }`: BPF_*_GET_NEXT_ID and
 * BPF_*_GET_FD_BY_ID.
 */
const byId = { size: 12, id: 0, nextId: 4 } as const;

/** `struct { __u32 bpf_fd; __u32 info_len; __aligned_u64 info; } info`: BPF_OBJ_GET_INFO_BY_FD. */
const byFd = { size: 16, bpfFd: 0, infoLen: 4, info: 8 } as const;

/** BPF_F_RDONLY of enum {BPF_F_NO_PREALLOC…}: access of the new descriptor. */
const READ_ONLY = 1 << 3;

const nextIdCommands = {
  map: 'BPF_MAP_GET_NEXT_ID',
  program: 'BPF_PROG_GET_NEXT_ID',
  link: 'BPF_LINK_GET_NEXT_ID',
  btf: 'BPF_BTF_GET_NEXT_ID',
} as const satisfies Record<ObjectKind, Command>;

const fdByIdCommands = {
  map: 'BPF_MAP_GET_FD_BY_ID',
  program: 'BPF_PROG_GET_FD_BY_ID',
  link: 'BPF_LINK_GET_FD_BY_ID',
  btf: 'BPF_BTF_GET_FD_BY_ID',
} as const satisfies Record<ObjectKind, Command>;

/** Pins what is open at a path (byte string). Linux 4.4, links 5.7. @throws SystemCallError */
export function pinObject(fd: Fd, path: string): void {
  const attr = new Struct(byPath.size).pointer(byPath.pathname, cString(path)).u32(byPath.bpfFd, fd.number);
  bpf('BPF_OBJ_PIN', attr);
}

/**
 * Opens what a path holds (byte string), to read and write or only to read. Linux 4.4.
 * @throws SystemCallError
 */
export function getObject(path: string, access: 'read-write' | 'read-only', fds: FdTable): Fd {
  const attr = new Struct(byPath.size).pointer(byPath.pathname, cString(path));
  attr.u32(byPath.fileFlags, access === 'read-only' ? READ_ONLY : 0);
  return fds.adopt(bpf('BPF_OBJ_GET', attr), `object behind ${path}`);
}

/**
 * The next id after this one, undefined at the end. Linux 4.13, BTF 5.4, links 5.8; CAP_SYS_ADMIN.
 *
 * @throws SystemCallError
 */
export function nextObjectId(kind: ObjectKind, after: number): number | undefined {
  if (after >= 0x7fffffff) return undefined;
  const attr = new Struct(byId.size).u32(byId.id, after);
  const result = tryBpf(nextIdCommands[kind], attr);
  if (result === 'ENOENT') return undefined;
  if (typeof result === 'string') throw new SystemCallError(`bpf(${nextIdCommands[kind]})`, result);
  return attr.bytes.readUInt32LE(byId.nextId);
}

/** Opens an object by its id. Linux 4.13, BTF 4.18, links 5.8; CAP_SYS_ADMIN. @throws SystemCallError */
export function openObjectById(kind: ObjectKind, id: number, fds: FdTable): Fd {
  const attr = new Struct(byId.size).u32(byId.id, id);
  return fds.adopt(bpf(fdByIdCommands[kind], attr), `${kind} ${id}`);
}

/**
 * The id of what is open: the info structures of all kinds begin with a type and the id, and the kernel fills
 * as much of them as it is given room for. @throws SystemCallError
 */
export function objectIdOf(fd: Fd): number {
  return objectInfo(fd, new Struct(8)).readUInt32LE(4);
}

/**
 * Asks for an object's info structure and answers as many bytes of it as this kernel fills.
 *
 * The structure is an input too: pointers and lengths for arrays, and since 6.18 (map_get_info_by_fd) even
 * bytes that do not apply come back as they were given. A Struct is zeroed, so what comes back is the
 * kernel's. @throws SystemCallError
 */
export function objectInfo(fd: Fd, info: Struct): Buffer {
  const attr = new Struct(byFd.size).u32(byFd.bpfFd, fd.number).u32(byFd.infoLen, info.bytes.length);
  attr.pointer(byFd.info, info.bytes);
  bpf('BPF_OBJ_GET_INFO_BY_FD', attr);
  info.release();
  return info.bytes.subarray(0, Math.min(info.bytes.length, attr.bytes.readUInt32LE(byFd.infoLen)));
}
