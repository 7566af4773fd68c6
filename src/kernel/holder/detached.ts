import { limits } from '../../model/limits.ts';
import { readInode } from '../bpffs/inode.ts';
import type { HeldFile } from '../iter/held-files.ts';
import type { Standing } from '../iter/working-directories.ts';
import type { BpffsRoot } from '../kernel.ts';
import { AT_FDCWD, open } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { isDirectory } from './files.ts';
import { type PinWalk, type ReadInstances, walkInstance } from './pins.ts';
import type { HolderSources } from './sources.ts';

/** The inode of a bpffs's root (fs/libfs.c, simple_fill_super). */
const rootInode = 1;

/** What leads into an instance: files on it, and threads that stand in a directory of it. */
interface Ways {
  readonly files: HeldFile[];
  readonly standing: Standing[];
}

/**
 * Reads the instances to which no path leads and which descriptors on their directories, or working
 * directories, show: those mounted nowhere (of fsmount(2), or in use when they were lazily unmounted), and
 * those that another mount lies over.
 *
 * @returns the devices of those whose names were read
 */
export function readDetached(
  walk: PinWalk,
  held: readonly HeldFile[],
  { mounted, walked }: ReadInstances,
): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [device, { files, standing }] of byDevice(held, readStanding(walk))) {
    if (walked.has(device)) continue;
    const isDetached = !mounted.has(device);
    if (isDetached) {
      const descriptors = files.map(({ pid, fd }) => ({ pid, fd }));
      const pids = [...new Set(standing.map(({ pid }) => pid))];
      const kept = { descriptors, ...(pids.length === 0 ? {} : { standing: pids }) };
      walk.into.filesystems.push({ mount: device, state: 'detached', paths: [], ...kept });
    }
    const directories = [
      ...files
        .filter(({ inode }) => inode !== undefined && isDirectory(inode.mode))
        .map(({ pid, fd }) => `/proc/${pid}/fd/${fd}`),
      ...standing.map(({ tid }) => `/proc/${tid}/cwd`),
    ];
    if (walkFirst(walk, device, directories)) found.add(device);
    else if (isDetached) {
      const reason = 'it is mounted nowhere and nothing leads to its root';
      walk.into.lacks(`pins of bpffs ${device}`, reason);
    }
  }
  return found;
}

/** Working directories; where they cannot be read, what only they keep stays unseen. */
function readStanding({ sources, into }: PinWalk): readonly Standing[] {
  const { directories, seesAllProcesses } = sources;
  const reason = seesAllProcesses ? directories.unavailable : 'this process is in a pid namespace';
  if (reason === undefined) return directories.readAll().filter(({ pid }) => pid !== process.pid);
  into.neverShows('instances of bpffs that only working directories keep', reason);
  return [];
}

function byDevice(held: readonly HeldFile[], standing: readonly Standing[]): ReadonlyMap<string, Ways> {
  const found = new Map<string, Ways>();
  const waysOf = (device: string): Ways => {
    const ways = found.get(device) ?? { files: [], standing: [] };
    found.set(device, ways);
    return ways;
  };
  for (const file of held) if (file.inode !== undefined) waysOf(file.inode.device).files.push(file);
  for (const one of standing) waysOf(one.device).standing.push(one);
  return found;
}

function walkFirst(walk: PinWalk, device: string, directories: readonly string[]): boolean {
  for (const directory of directories) {
    const root = openRootAbove(walk.sources, directory, device);
    if (root === undefined) continue;
    using open = root;
    walkInstance(walk, open);
    return true;
  }
  return false;
}

/**
 * Goes up from a directory to the root of its instance; undefined where that is out of reach, such as where
 * another mount lies over it: then the way up leads into that one.
 */
function openRootAbove(sources: HolderSources, path: string, device: string): BpffsRoot | undefined {
  let directory = openDirectory(sources, AT_FDCWD, path);
  for (let depth = 0; directory !== undefined && depth <= limits.depthMax; depth++) {
    const found = readInode(directory);
    if (found.device !== device) break;
    if (found.facts.inode === rootInode) return rootOf(directory, path, device);
    const above = openDirectory(sources, directory, '..');
    directory[Symbol.dispose]();
    directory = above;
  }
  directory?.[Symbol.dispose]();
  return undefined;
}

function openDirectory(
  { calls }: HolderSources,
  directory: Fd | typeof AT_FDCWD,
  name: string,
): Fd | undefined {
  try {
    return calls.openat2({ directory, name }, { flags: open.PATH | open.DIRECTORY, resolve: 0 }, name);
  } catch (error) {
    if (isSystemCallError(error)) return undefined;
    throw error;
  }
}

/** No boot or marker makes it an instance to be changed: it is only read. */
function rootOf(directory: Fd, openedBy: string, mount: string): BpffsRoot {
  return {
    mount,
    openedBy,
    directory,
    readOnly: false,
    instance: mount,
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}
