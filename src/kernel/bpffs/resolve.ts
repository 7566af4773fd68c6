import { PinfoldError } from '../../model/error.ts';
import { escapeBytes, nameOf, type PinPath, parentOf, pathMembers } from '../../model/path.ts';
import type { BpffsRoot, OpenName, OpenPin, PinPlace } from '../kernel.ts';
import { type Calls, open, type Place, resolve } from '../sys/calls.ts';
import { isSystemCallError, SystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { type Inode, type InodeName, readInode, readInodeAt } from './inode.ts';
import { refusal } from './refusal.ts';

/** Never out of the directory, never through a symbolic link of any sort, never into another mount. */
const beneath = resolve.BENEATH | resolve.NO_SYMLINKS | resolve.NO_XDEV | resolve.NO_MAGICLINKS;

/**
 * openat2 may give EAGAIN when a rename anywhere on the machine crosses its walk (fs/namei.c); each try is
 * a new chance.
 */
const triesMax = 32;

/**
 * Opens what is at a place, under the rules above; every open of something inside a bpffs goes through here.
 *
 * @throws SystemCallError, for the caller to make sense of
 */
export function openBeneath(calls: Calls, place: Place, flags: number): Fd {
  const opened = tryOpenBeneath(calls, place, flags);
  if (typeof opened !== 'string') return opened;
  throw new SystemCallError('openat2', opened);
}

function tryOpenBeneath(calls: Calls, place: Place, flags: number): Fd | string {
  for (let tries = 1; ; tries++) {
    const opened = calls.tryOpenat2(place, { flags, resolve: beneath }, place.name);
    if (tries >= triesMax || opened !== 'EAGAIN') return opened;
  }
}

/** Opens one name as openName does, but does not look at what it is. One system call. */
export function openNameIn(calls: Calls, place: Place, path = place.name): Fd | undefined {
  const opened = tryOpenBeneath(calls, place, open.PATH | open.NOFOLLOW);
  if (typeof opened !== 'string') return opened;
  if (opened === 'ENOENT') return undefined;
  throw refusal(new SystemCallError('openat2', opened), { attempt: 'open_name', path });
}

/** Opens the directory that a path is in, as a place to make, move and remove names. One system call. */
export function openParent(calls: Calls, root: BpffsRoot, path: PinPath): Fd {
  const flags = open.PATH | open.DIRECTORY;
  return openDirectoryAs(calls, root, { directory: parentOf(path), flags, attempt: 'resolve', asked: path });
}

/** What openat2 and statx answer where something else is on the way now. */
const elsewhere: readonly string[] = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV'];

/**
 * Whether a path still leads to the directory with this inode. While that is open no other has its number.
 *
 * One name is looked up without following it, so that statx(2) does for it what openat2 does for a path: one
 * system call at the root, three below it.
 */
export function isStillThere(
  calls: Calls,
  root: BpffsRoot,
  directory: { readonly path: PinPath; readonly inode: number },
): boolean {
  const place = { directory: root.directory, name: directory.path };
  try {
    const found = directory.path.includes('/') ? lookBeneath(calls, place) : readInodeAt(place);
    return found.device === root.mount && found.inode === directory.inode;
  } catch (error) {
    if (isSystemCallError(error, ...elsewhere)) return false;
    throw refusal(error, { attempt: 'resolve', path: directory.path });
  }
}

function lookBeneath(calls: Calls, place: Place): InodeName {
  using fd = openBeneath(calls, place, open.PATH | open.DIRECTORY);
  const { device, facts } = readInode(fd);
  return { device, inode: facts.inode };
}

/** Opens a directory so that it can be listed; `''` is the root itself. One system call. */
export function openDirectory(calls: Calls, root: BpffsRoot, path: PinPath | ''): Fd {
  const flags = open.RDONLY | open.DIRECTORY;
  return openDirectoryAs(calls, root, { directory: path, flags, attempt: 'open_directory', asked: path });
}

/** Opens one name, whatever it is, without following it; undefined where there is none. Two system calls. */
export function openName(calls: Calls, root: BpffsRoot, place: Place): OpenName | undefined {
  const fd = openNameIn(calls, place);
  if (fd === undefined) return undefined;
  try {
    const inode = readInode(fd);
    if (inode.device !== root.mount) throw crossesMount(place.name);
    return openNameOf(fd, inode);
  } catch (error) {
    fd[Symbol.dispose]();
    throw error;
  }
}

/** Written out: an operation makes three, and a spread costs as much as the look itself. */
function openNameOf(fd: Fd, { type, facts }: Inode): OpenName {
  return {
    fd,
    type,
    inode: facts.inode,
    mtimeNs: facts.mtimeNs,
    ctimeNs: facts.ctimeNs,
    mode: facts.mode,
    uid: facts.uid,
    gid: facts.gid,
    links: facts.links,
    [Symbol.dispose]: () => fd[Symbol.dispose](),
  };
}

/** Opens a pin: a regular file on the mount's own device. Three system calls. */
export function openPin(calls: Calls, root: BpffsRoot, path: PinPath): OpenPin {
  const parent = openParent(calls, root, path);
  try {
    const name = nameOf(path);
    const found = findPin(calls, root, { place: { directory: parent, name }, path });
    if (found === undefined) {
      const answer = { syscall: 'openat2', errno: 'ENOENT' };
      throw refusedAt('pin_not_found', path, 'there is no pin at this path', answer);
    }
    const close = (): void => {
      found.fd[Symbol.dispose]();
      parent[Symbol.dispose]();
    };
    return { ...found, parent, name, [Symbol.dispose]: close };
  } catch (error) {
    parent[Symbol.dispose]();
    throw error;
  }
}

/** The same where the directory is open; undefined where it has no such name. Two system calls. */
export function findPin(calls: Calls, root: BpffsRoot, pin: PinPlace): OpenName | undefined {
  const found = openName(calls, root, pin.place);
  if (found === undefined || found.type === 'file') return found;
  using rejected = found;
  throw notAPin(calls, pin.path, rejected);
}

interface DirectoryRequest {
  readonly directory: PinPath | '';
  readonly flags: number;
  readonly attempt: 'resolve' | 'open_directory';
  /** The path that errors speak of. */
  readonly asked: string;
}

function openDirectoryAs(calls: Calls, root: BpffsRoot, request: DirectoryRequest): Fd {
  const { directory, flags, attempt, asked } = request;
  const place = { directory: root.directory, name: directory === '' ? '.' : directory };
  try {
    return openBeneath(calls, place, flags);
  } catch (error) {
    const link = isSystemCallError(error, 'ELOOP') ? findSymlink(calls, root, directory) : undefined;
    if (link !== undefined) throw symlinkAt(asked, link, error);
    throw refusal(error, { attempt, path: asked });
  }
}

interface FoundSymlink {
  /** Where the link is; byte string. */
  readonly at: string;
  /** Where it points; byte string. */
  readonly target: string;
}

/** The first symbolic link on the way down; undefined where somebody has taken it away meanwhile. */
function findSymlink(calls: Calls, root: BpffsRoot, path: string): FoundSymlink | undefined {
  let directory = root.directory;
  let at = '';
  try {
    for (const name of path.split('/')) {
      at = at === '' ? name : `${at}/${name}`;
      const next = openNameIn(calls, { directory, name }, at);
      if (directory !== root.directory) directory[Symbol.dispose]();
      if (next === undefined) return undefined;
      directory = next;
      if (readInode(next).type === 'symlink') return { at, target: calls.readlinkat(next) };
    }
    return undefined;
  } catch (error) {
    if (error instanceof PinfoldError) return undefined;
    throw error;
  } finally {
    if (directory !== root.directory) directory[Symbol.dispose]();
  }
}

function notAPin(calls: Calls, path: PinPath, found: OpenName): PinfoldError {
  switch (found.type) {
    case 'directory':
      return refusedAt('is_a_directory', path, 'it is a directory');
    case 'symlink':
      return symlinkAt(path, { at: path, target: calls.readlinkat(found.fd) });
    case 'file':
    case 'other':
      return refusedAt('not_a_pin', path, 'it is neither a pin nor a directory');
  }
}

function symlinkAt(asked: string, link: FoundSymlink, cause?: unknown): PinfoldError {
  const path = escapeBytes(asked);
  const at = escapeBytes(link.at);
  const target = escapeBytes(link.target);
  const detail = `Cannot reach "${path}": "${at}" is a symbolic link to "${target}"; none is ever followed.`;
  return new PinfoldError(
    'symlink',
    { detail, ...pathMembers(asked), syscall: 'openat2', errno: 'ELOOP', symlink: at, target },
    cause,
  );
}

function crossesMount(name: string): PinfoldError {
  return refusedAt('crosses_mount', name, 'it lies on another file system');
}

function refusedAt(
  code: PinfoldError['code'],
  bytes: string,
  why: string,
  answer: { readonly syscall?: string; readonly errno?: string } = {},
): PinfoldError {
  const path = escapeBytes(bytes);
  return new PinfoldError(code, {
    detail: `Cannot open "${path}": ${why}.`,
    ...pathMembers(bytes),
    ...answer,
  });
}
