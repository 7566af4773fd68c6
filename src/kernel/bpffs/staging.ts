import { geteuid } from 'node:process';
import { PinfoldError } from '../../model/error.ts';
import { stagingName } from '../../model/path.ts';
import type { BpffsRoot } from '../kernel.ts';
import { type Calls, open } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { type Inode, readInode } from './inode.ts';
import { refusal } from './refusal.ts';
import { openBeneath, openName } from './resolve.ts';

/**
 * Opens the directory in which changes are prepared, made with mode 0700 if `create` and it is not there.
 *
 * In a root that everybody may write, another user can make it first; what it is gets judged on the open
 * descriptor.
 * @throws PinfoldError staging_unsafe, read_only, permission_denied
 */
export function openStaging(calls: Calls, root: BpffsRoot, create: boolean): Fd | undefined {
  const found = openExisting(calls, root);
  if (found !== undefined || !create) return found;
  try {
    calls.mkdirat({ directory: root.directory, name: stagingName }, 0o700);
  } catch (error) {
    if (!isSystemCallError(error, 'EEXIST')) {
      throw refusal(error, { attempt: 'make_directory', path: stagingName });
    }
  }
  const made = openExisting(calls, root);
  if (made === undefined)
    throw new PinfoldError('conflict', { detail: `${stagingName} vanished when it was made.` });
  return made;
}

/**
 * The inode of our staging directory, by which an instance is told from a later one; undefined where there
 * is none.
 */
export function markerOf(calls: Calls, root: BpffsRoot): number | undefined {
  try {
    using found = openName(calls, root, { directory: root.directory, name: stagingName });
    return found !== undefined && whyUnsafe(readInode(found.fd)) === undefined ? found.inode : undefined;
  } catch (error) {
    if (error instanceof PinfoldError) return undefined;
    throw error;
  }
}

function openExisting(calls: Calls, root: BpffsRoot): Fd | undefined {
  const place = { directory: root.directory, name: stagingName };
  let fd: Fd;
  try {
    fd = openBeneath(calls, place, open.RDONLY | open.DIRECTORY | open.NOFOLLOW);
  } catch (error) {
    if (isSystemCallError(error, 'ENOENT')) return undefined;
    if (isSystemCallError(error, 'ENOTDIR', 'ELOOP')) throw unsafe('it is not a directory', error);
    if (isSystemCallError(error, 'EXDEV')) throw unsafe('another file system is mounted on it', error);
    if (isSystemCallError(error, 'EACCES')) throw unsafe('it belongs to another user', error);
    throw refusal(error, { attempt: 'open_directory', path: stagingName });
  }
  try {
    const why = whyUnsafe(readInode(fd));
    if (why !== undefined) throw unsafe(why);
    return fd;
  } catch (error) {
    fd[Symbol.dispose]();
    throw error;
  }
}

/**
 * Why a directory of that name cannot be ours; undefined where it is.
 *
 * A setgid bit, which a directory inherits from a setgid root, opens nothing and is let pass.
 */
export function whyUnsafe({ type, facts }: Inode): string | undefined {
  if (type !== 'directory') return 'it is not a directory';
  if (facts.uid !== geteuid?.()) return `it belongs to user ${facts.uid}`;
  const mode = facts.mode & 0o777;
  return mode === 0o700 ? undefined : `its mode is 0${mode.toString(8)} instead of 0700`;
}

function unsafe(why: string, cause?: unknown): PinfoldError {
  const detail = `${stagingName} at the root, where changes are prepared, is not safe: ${why}. Remove it.`;
  return new PinfoldError('staging_unsafe', { detail, path: stagingName }, cause);
}
