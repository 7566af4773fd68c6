import { isPinfoldError } from '../../model/error.ts';
import type { FilesystemFact, HolderRequest, ObjectKey } from '../../model/holder/facts.ts';
import { limits } from '../../model/limits.ts';
import { joinPath, type PinPath, stagingName } from '../../model/path.ts';
import { whyNotOpened } from '../bpffs/root.ts';
import type { BpffsMount, BpffsRoot, DirectoryEntry } from '../kernel.ts';
import type { Fd } from '../sys/fd.ts';
import type { Collection } from './collection.ts';
import { objectKeyBehind } from './object-key.ts';
import type { HolderSources } from './sources.ts';

/** What a walk through the pins is given. */
export interface PinWalk {
  readonly sources: HolderSources;
  readonly request: HolderRequest;
  readonly into: Collection;
}

/** The devices of instances: those that mount tables show, and those whose names were read. */
export interface ReadInstances {
  readonly mounted: ReadonlySet<string>;
  readonly walked: ReadonlySet<string>;
  /** Mount namespaces whose tables were read. */
  readonly namespaces: ReadonlySet<number>;
  /** Why the others could not be read, ending a sentence. */
  readonly reasons: ReadonlyMap<string, string>;
}

/**
 * Finds the pins of every instance that some mount namespace shows, our own staging directory's too: what
 * lies there holds objects like any pin.
 */
export function readPins(walk: PinWalk): ReadInstances {
  const { mounts, namespaces } = walk.sources.bpffs.scanNamespaces();
  const walked = new Set<string>();
  const reasons = new Map<string, string>();
  for (const mount of mounts) {
    walk.into.filesystems.push(filesystemOf(mount));
    const reason = readMount(walk, mount);
    if (reason === undefined) walked.add(mount.id);
    else reasons.set(mount.id, reason);
  }
  return { mounted: new Set(mounts.map(({ id }) => id)), walked, namespaces, reasons };
}

/** What is said of an instance that mount tables show. */
export function filesystemOf({ id, shadowed, paths }: BpffsMount): FilesystemFact {
  return {
    mount: id,
    state: shadowed ? 'shadowed' : 'mounted',
    paths: paths.map(({ path, path_bytes, namespace, pid }) => ({
      path:
        path_bytes === undefined ? byteString(path) : Buffer.from(path_bytes, 'base64').toString('latin1'),
      namespace,
      pid,
    })),
    descriptors: [],
  };
}

/** Why it cannot be read; undefined where it was. */
function readMount(walk: PinWalk, mount: BpffsMount): string | undefined {
  try {
    using root = walk.sources.bpffs.openRoot(mount);
    walkInstance(walk, root);
    return undefined;
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
    return whyNotOpened(mount.id, error);
  }
}

/** Everything below an open root, breadth first; what vanishes meanwhile is passed over. */
export function walkInstance(walk: PinWalk, root: BpffsRoot): void {
  const { bpffs } = walk.sources;
  const directories: { readonly path: PinPath | ''; readonly depth: number }[] = [{ path: '', depth: 0 }];
  let names = 0;
  for (let directory = directories.shift(); directory !== undefined; directory = directories.shift()) {
    const { path, depth } = directory;
    try {
      using open = bpffs.openDirectory(root, path);
      const entries = bpffs.readDirectory(open);
      names += entries.length;
      for (const entry of entries) {
        if (entry.type === 'file') addPin(walk, { root, directory: open, path }, entry);
        if (entry.type !== 'directory' || depth >= limits.depthMax) continue;
        directories.push({ path: joinPath(path, entry.name), depth: depth + 1 });
      }
    } catch (error) {
      if (!isPinfoldError(error)) throw error;
    }
    if (names > limits.walkNamesMax) {
      walk.into.lacks(`pins of bpffs ${root.mount}`, `it has more than ${limits.walkNamesMax} names`);
      break;
    }
  }
  walkStaging(walk, root);
}

/** A staging directory that is not ours is an ordinary directory, and was walked as such. */
function walkStaging(walk: PinWalk, root: BpffsRoot): void {
  try {
    using staging = walk.sources.bpffs.openStaging(root, false);
    if (staging === undefined) return;
    const path = joinPath('', stagingName);
    for (const entry of walk.sources.bpffs.readDirectory(staging)) {
      if (entry.type === 'file') addPin(walk, { root, directory: staging, path }, entry);
    }
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
  }
}

interface OpenDirectory {
  readonly root: BpffsRoot;
  readonly directory: Fd;
  readonly path: PinPath | '';
}

function addPin(walk: PinWalk, { root, directory, path }: OpenDirectory, entry: DirectoryEntry): void {
  const { mount } = root;
  const { inode, name } = entry;
  const known = walk.request.knownPin?.({ mount, inode });
  const object = known ?? lookUp(walk.sources, root, { directory, name, inode });
  if (object === undefined || !walk.into.isWanted(object)) return;
  walk.into.pins.push({ mount, path: joinPath(path, name), inode, object });
}

function lookUp(
  { bpffs, calls }: HolderSources,
  root: BpffsRoot,
  { directory, name, inode }: { readonly directory: Fd; readonly name: string; readonly inode: number },
): ObjectKey | undefined {
  using found = bpffs.openName(root, { directory, name });
  if (found === undefined || found.type !== 'file' || found.inode !== inode) return undefined;
  return objectKeyBehind(found.fd.procPath, calls);
}

function byteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
