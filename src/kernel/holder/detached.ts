import type { Descriptor } from '../../model/holder/facts.ts';
import { limits } from '../../model/limits.ts';
import type { HeldFile } from '../iter/held-files.ts';
import type { BpffsRoot } from '../kernel.ts';
import { AT_FDCWD, open } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { isDirectory } from './files.ts';
import { type PinWalk, walkInstance } from './pins.ts';
import type { HolderSources } from './sources.ts';

/** The inode of a bpffs's root (fs/libfs.c, simple_fill_super). */
const rootInode = 1;

/**
 * Finds the instances that are mounted nowhere and live on by descriptors on their directories: of
 * fsmount(2), or opened before a lazy umount. Their pins are read like any others.
 *
 * @param mounted the devices of all instances that mount tables show
 * @returns the devices of those whose names were read
 */
export function readDetached(
  walk: PinWalk,
  held: readonly HeldFile[],
  mounted: ReadonlySet<string>,
): ReadonlySet<string> {
  const byDevice = new Map<string, HeldFile[]>();
  for (const file of held) {
    if (file.inode === undefined || mounted.has(file.inode.device)) continue;
    const others = byDevice.get(file.inode.device);
    if (others === undefined) byDevice.set(file.inode.device, [file]);
    else others.push(file);
  }
  const walked = new Set<string>();
  for (const [device, files] of byDevice) {
    const descriptors = files.map(({ pid, fd }) => ({ pid, fd }));
    walk.into.filesystems.push({ mount: device, state: 'detached', paths: [], descriptors });
    const directories = files.filter(({ inode }) => inode !== undefined && isDirectory(inode.mode));
    if (walkFirst(walk, device, directories)) walked.add(device);
    else
      walk.into.lacks(`pins of bpffs ${device}`, 'it is mounted nowhere and no descriptor leads to its root');
  }
  return walked;
}

function walkFirst(walk: PinWalk, device: string, directories: readonly Descriptor[]): boolean {
  for (const { pid, fd } of directories) {
    const root = openRootAbove(walk.sources, `/proc/${pid}/fd/${fd}`, device);
    if (root === undefined) continue;
    using open = root;
    walkInstance(walk, open);
    return true;
  }
  return false;
}

/** Goes up from a directory to the root of its instance; undefined where that is out of reach. */
function openRootAbove(sources: HolderSources, path: string, device: string): BpffsRoot | undefined {
  let directory = openDirectory(sources, AT_FDCWD, path);
  for (let depth = 0; directory !== undefined && depth <= limits.depthMax; depth++) {
    const { inode } = sources.bpffs.stat(directory);
    if (inode === rootInode) return rootOf(directory, path, device);
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
