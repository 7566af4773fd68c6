import { isPinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import {
  boundNamespaces,
  eachBoundNamespace,
  eachMountNamespace,
  inhabitedNamespaces,
  type OpenNamespace,
  readOwnMounts,
  visitMountNamespace,
} from '../bpffs/mount-namespaces.ts';
import { mountTree } from '../bpffs/mount-tree.ts';
import type { MountInfo } from '../bpffs/mountinfo.ts';
import { waitingType } from '../bpffs/mounts.ts';
import { whyNotOpened } from '../bpffs/root.ts';
import type { BpffsRoot } from '../kernel.ts';
import { isSystemCallError } from '../sys/errno.ts';
import { type PinWalk, type ReadInstances, walkInstance } from './pins.ts';

/** An instance of a namespace that is being visited: open, or why it is not. */
interface Seen {
  readonly mount: MountInfo;
  readonly root: BpffsRoot | string;
}

/** What is known before and while namespaces are visited. */
interface Visits {
  readonly walk: PinWalk;
  readonly before: ReadInstances;
  readonly bound: ReadonlyMap<number, string>;
  /** Devices of our own mounts, which cannot keep us waiting more than they do anyway. */
  readonly trusted: ReadonlySet<string>;
  readonly namespaces: ReadonlySet<number>;
  readonly walked: Set<string>;
  readonly mounted: Set<string>;
  readonly reasons: Map<string, string>;
}

/**
 * Finds the pins of instances that no process's mount table shows: those of mount namespaces that a mount
 * (`unshare --mount=FILE`), a descriptor or a single thread keeps. Each is visited for as long as its
 * roots are opened; before Linux 6.12 only those that are bound in our own namespace are known.
 *
 * @param before what the mount tables of processes showed
 * @returns the same, with what was found
 */
export function readPinsUnshown(walk: PinWalk, before: ReadInstances): ReadInstances {
  const { calls } = walk.sources;
  const own = readOwnMounts();
  const bound = boundNamespaces(own);
  let isInhabited: ReturnType<typeof inhabitedNamespaces> | undefined;
  const visits: Visits = {
    walk,
    before,
    bound,
    trusted: new Set(own.map(({ device }) => device)),
    namespaces: before.namespaces,
    walked: new Set(before.walked),
    mounted: new Set(before.mounted),
    reasons: new Map(before.reasons),
  };
  let left: number = limits.holderNamespacesMax;
  const look = (namespace: OpenNamespace): boolean => {
    if (before.namespaces.has(namespace.inode)) return true;
    // Going through all processes once more is for those alone whose table no process showed.
    isInhabited ??= inhabitedNamespaces();
    if (isInhabited(namespace.inode)) return true;
    if (left-- > 0) visit(visits, namespace);
    return left >= 0;
  };
  const errno = eachMountNamespace(calls, look);
  if (errno !== undefined) {
    eachBoundNamespace(calls, bound, look);
    const what = 'mount namespaces that only descriptors or single threads keep';
    if (errno === 'ENOTTY') walk.into.neverShows(what, 'this kernel does not list them (Linux 6.12 does)');
    else walk.into.lacks(what, `listing them answered ${errno}`);
  }
  if (left < 0) {
    const reason = `no more than ${limits.holderNamespacesMax} of them are visited`;
    walk.into.lacks('other mount namespaces that no process shows', reason);
  }
  return visits;
}

function visit(visits: Visits, namespace: OpenNamespace): void {
  const { walk } = visits;
  try {
    const found = visitMountNamespace(walk.sources.calls, namespace, (mounts) => openRoots(visits, mounts));
    for (const { mount, root } of found) add(visits, namespace.inode, { mount, root });
  } catch (error) {
    if (!isSystemCallError(error)) throw error;
    walk.into.lacks(`pins in mount namespace ${namespace.inode}, which no process shows`, error.message);
  }
}

/** While this thread is in that namespace: nothing else may be done here. */
function openRoots({ walk, trusted, walked }: Visits, mounts: readonly MountInfo[]): readonly Seen[] {
  const tree = mountTree(mounts);
  const seen: Seen[] = [];
  const opened = new Set(walked);
  for (const mount of mounts) {
    if (mount.type !== 'bpf' || mount.root !== '/' || opened.has(mount.device)) continue;
    const waitsFor = waitingType(mount, tree, trusted);
    const root =
      waitsFor === undefined
        ? openRoot(walk, mount)
        : `the way to it leads through a file system of type ${waitsFor}`;
    if (typeof root !== 'string') opened.add(mount.device);
    seen.push({ mount, root });
  }
  return seen;
}

function openRoot({ sources }: PinWalk, { device, path, readOnly }: MountInfo): BpffsRoot | string {
  try {
    return sources.bpffs.openRoot({ id: device, paths: [], readOnly, shadowed: false, reachableBy: path });
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
    return whyNotOpened(device, error);
  }
}

function add(visits: Visits, namespace: number, { mount, root }: Seen): void {
  const { walk, bound, before, walked, mounted, reasons } = visits;
  const { device: id, path } = mount;
  if (!mounted.has(id)) {
    const boundAt = bound.get(namespace);
    const place = { path, namespace, ...(boundAt === undefined ? {} : { boundAt }) };
    walk.into.filesystems.push({ mount: id, state: 'mounted', paths: [place], descriptors: [] });
    mounted.add(id);
  }
  if (typeof root === 'string') {
    if (!before.mounted.has(id)) reasons.set(id, root);
    return;
  }
  using open = root;
  walkInstance(walk, open);
  walked.add(id);
  reasons.delete(id);
}
