import { fstatSync } from 'node:fs';
import type { DirectoryEntry, InodeFacts } from '../kernel.ts';
import type { Fd } from '../sys/fd.ts';

/** What a name can be in a bpffs; `other` cannot be made there, but may lie beneath a mount. */
export type EntryType = DirectoryEntry['type'];

/** What stat(2) says of something open, with its file system. */
export interface Inode {
  /** `major:minor`, as mountinfo writes it. */
  readonly device: string;
  readonly type: EntryType;
  readonly facts: InodeFacts;
}

/** fstat(2); works on O_PATH descriptors (Linux 3.6). One system call. */
export function readInode(fd: Fd): Inode {
  const stat = fstatSync(fd.number, { bigint: true });
  const mode = Number(stat.mode);
  return {
    device: deviceText(stat.dev),
    type: typeOf(mode),
    facts: {
      inode: Number(stat.ino),
      mtimeNs: stat.mtimeNs,
      ctimeNs: stat.ctimeNs,
      mode: mode & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      links: Number(stat.nlink),
    },
  };
}

/** `major:minor` of a dev_t as stat(2) encodes it (include/linux/kdev_t.h, new_encode_dev). */
export function deviceText(dev: bigint): string {
  const major = (dev >> 8n) & 0xfffn;
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff00n);
  return `${major}:${minor}`;
}

/** The type in a st_mode (include/uapi/linux/stat.h). */
export function typeOf(mode: number): EntryType {
  switch (mode & 0o170000) {
    case 0o040000:
      return 'directory';
    case 0o100000:
      return 'file';
    case 0o120000:
      return 'symlink';
    default:
      return 'other';
  }
}
