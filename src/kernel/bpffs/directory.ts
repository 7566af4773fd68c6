import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { stagingName } from '../../model/path.ts';
import type { DirectoryEntry } from '../kernel.ts';
import type { Calls } from '../sys/calls.ts';
import type { Fd } from '../sys/fd.ts';
import { type EntryType, readInode } from './inode.ts';
import { attempting } from './refusal.ts';
import { openNameIn } from './resolve.ts';
import { whyUnsafe } from './staging.ts';

/**
 * An entry as the kernel lays it out; the type is undefined where the file system leaves it open
 * (DT_UNKNOWN).
 */
export interface RawEntry {
  readonly name: string;
  readonly inode: number;
  readonly type: EntryType | undefined;
}

/**
 * Links the kernel itself may put at a root (kernel/bpf/inode.c, populate_bpffs); nobody else can make a
 * dotted name.
 */
const debugNames: ReadonlySet<string> = new Set(['maps.debug', 'progs.debug']);

/**
 * All entries of a directory that people would call its own; `buffer` is room for the kernel to write to.
 *
 * @throws PinfoldError overloaded where there are more than a walk may visit, permission_denied
 */
export function readDirectory(calls: Calls, directory: Fd, buffer: Buffer): readonly DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  const list = (): number => calls.getdents64(directory, buffer);
  for (;;) {
    const length = attempting({ attempt: 'list', path: directory.what }, list);
    if (length === 0) return entries;
    for (const entry of parseEntries(buffer.subarray(0, length))) {
      if (isHidden(calls, directory, entry.name)) continue;
      const type = entry.type ?? lookUpType(calls, directory, entry.name);
      if (type !== undefined) entries.push({ name: entry.name, inode: entry.inode, type });
    }
    if (entries.length > limits.walkNamesMax) throw tooMany(directory);
  }
}

/**
 * Parses what getdents64 wrote: records of `u64 d_ino; s64 d_off; u16 d_reclen; u8 d_type; char d_name[]`,
 * the name ended by a NUL (include/linux/dirent.h). A record that does not fit ends the parsing with a
 * RangeError.
 */
export function parseEntries(bytes: Buffer): readonly RawEntry[] {
  const entries: RawEntry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const recordLength = bytes.length - at < 20 ? 0 : bytes.readUInt16LE(at + 16);
    const end = bytes.indexOf(0, at + 19);
    if (recordLength < 20 || at + recordLength > bytes.length || end < 0 || end >= at + recordLength) {
      throw new RangeError(`a directory record at ${at} does not fit into ${bytes.length} bytes`);
    }
    const name = bytes.toString('latin1', at + 19, end);
    const inode = bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
    entries.push({ name, inode, type: typeOfEntry(bytes.readUInt8(at + 18)) });
    at += recordLength;
  }
  return entries;
}

/** include/linux/fs_types.h: DT_UNKNOWN, DT_DIR, DT_REG, DT_LNK. */
function typeOfEntry(code: number): EntryType | undefined {
  switch (code) {
    case 0:
      return undefined;
    case 4:
      return 'directory';
    case 8:
      return 'file';
    case 10:
      return 'symlink';
    default:
      return 'other';
  }
}

/** A staging directory that is not ours is shown: its name must not be a place to hide pins in. */
function isHidden(calls: Calls, directory: Fd, name: string): boolean {
  if (name === '.' || name === '..' || debugNames.has(name)) return true;
  if (name !== stagingName || readInode(directory).facts.inode !== 1) return false;
  using found = openNameIn(calls, { directory, name });
  return found === undefined || whyUnsafe(readInode(found)) === undefined;
}

function lookUpType(calls: Calls, directory: Fd, name: string): EntryType | undefined {
  using found = openNameIn(calls, { directory, name });
  return found === undefined ? undefined : readInode(found).type;
}

function tooMany(directory: Fd): PinfoldError {
  const detail = `The ${directory.what} has more than ${limits.walkNamesMax} names.`;
  return new PinfoldError('overloaded', { detail });
}
