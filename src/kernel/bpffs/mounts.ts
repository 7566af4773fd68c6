import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { bytesOf, isUtf8, textOf } from '../../model/path.ts';
import type { MountPath } from '../../model/schema/pin.ts';
import type { BpffsMount } from '../kernel.ts';
import type { Calls } from '../sys/calls.ts';
import { type MountTree, mountTree } from './mount-tree.ts';
import { type MountInfo, parseMountInfo } from './mountinfo.ts';
import { whyNotRoot } from './root.ts';

/**
 * File systems whose lookups wait for a server or a user's process. A foreign namespace can put one above
 * its bpffs (FUSE mounts in a user namespace need no privilege), and our thread would wait there for as
 * long as it pleases.
 */
const waitingTypes = /^(fuse|nfs|cifs|smb|9p|ceph|afs|coda|autofs|virtiofs|gfs2|ocfs2|lustre|glusterfs)/;

/** Proofs one instance is worth; the paths past them stay in the list, unproven. */
const proofsMax = 16;

/** What the mount tables of all processes show. */
export interface MountScan {
  /** Every instance of bpffs, one each by major:minor. */
  readonly mounts: readonly BpffsMount[];
  /** Every mount namespace whose table was read, whether it shows one or not. */
  readonly namespaces: ReadonlySet<number>;
}

/** One place at which an instance is seen. */
interface Sighting {
  readonly mount: MountInfo;
  readonly namespace: Namespace;
  readonly isShadowed: boolean;
  /** The type of a file system on the way that could keep us waiting. */
  readonly waitsFor: string | undefined;
}

interface Namespace {
  readonly inode: number;
  readonly isOwn: boolean;
  /** A process through whose root the namespace is reached. */
  readonly pid: number;
  readonly mounts: readonly MountInfo[];
}

/**
 * Every bpffs instance that some process's mount namespace shows.
 *
 * One mountinfo is read per namespace. What no process sees stays unseen here: namespaces kept by a mount
 * or a descriptor alone, those of single threads (mount-namespaces.ts), and instances mounted nowhere.
 * Nothing is kept open. Cost: one readlink a process, and a few calls for each namespace and instance
 * (test/kernel/mounts-scan.test.ts).
 */
export function scanMounts(calls: Calls): MountScan {
  const namespaces = readNamespaces();
  const trusted = new Set(
    namespaces.filter(({ isOwn }) => isOwn).flatMap(({ mounts }) => mounts.map(deviceOf)),
  );
  const byDevice = new Map<string, Sighting[]>();
  for (const namespace of namespaces) {
    const tree = mountTree(namespace.mounts);
    for (const mount of namespace.mounts.filter(({ type }) => type === 'bpf')) {
      const sighting = see(mount, namespace, tree, trusted);
      const others = byDevice.get(mount.device);
      if (others === undefined) byDevice.set(mount.device, [sighting]);
      else others.push(sighting);
    }
  }
  return {
    mounts: [...byDevice].map(([device, sightings]) => describe(calls, device, sightings)),
    namespaces: new Set(namespaces.map(({ inode }) => inode)),
  };
}

function see(
  mount: MountInfo,
  namespace: Namespace,
  tree: MountTree,
  trusted: ReadonlySet<string>,
): Sighting {
  const waitsFor = namespace.isOwn ? undefined : waitingType(mount, tree, trusted);
  return { mount, namespace, isShadowed: tree.isShadowed(mount), waitsFor };
}

/**
 * The type of a file system on the way to a mount of a foreign namespace that could keep us waiting.
 *
 * @param trusted devices that our own namespace has mounted, too
 */
export function waitingType(
  mount: MountInfo,
  tree: MountTree,
  trusted: ReadonlySet<string>,
): string | undefined {
  return tree.chain(mount).find((step) => waitingTypes.test(step.type) && !trusted.has(step.device))?.type;
}

function describe(calls: Calls, device: string, sightings: readonly Sighting[]): BpffsMount {
  const { reached, reason } = reach(calls, device, sightings);
  const paths = sightings.map((sighting) => pathOf(sighting, sighting.isShadowed && sighting !== reached));
  return {
    id: device,
    paths,
    readOnly: (reached === undefined ? sightings : [reached]).every(({ mount }) => mount.readOnly),
    shadowed: paths.every(({ shadowed }) => shadowed),
    reachableBy: reached === undefined ? undefined : wayTo(reached),
    ...(reason === undefined ? {} : { unreachableReason: reason }),
  };
}

interface Reach {
  readonly reached: Sighting | undefined;
  readonly reason?: string;
}

/** The first sighting by which the root really is reached now, best first; or why the best of them is not. */
function reach(calls: Calls, device: string, sightings: readonly Sighting[]): Reach {
  const whole = sightings.filter(({ mount }) => mount.root === '/');
  if (whole.length === 0)
    return { reached: undefined, reason: 'only a part of it is mounted, by a bind mount' };
  const safe = whole.filter(({ waitsFor }) => waitsFor === undefined);
  if (safe.length === 0) {
    return {
      reached: undefined,
      reason: `the way to it leads through a file system of type ${whole[0]?.waitsFor}`,
    };
  }
  const rank = ({ namespace, isShadowed, mount }: Sighting): number =>
    (isShadowed ? 4 : 0) + (namespace.isOwn ? 0 : 2) + (mount.readOnly ? 1 : 0);
  const ranked = safe.toSorted((a, b) => rank(a) - rank(b)).slice(0, proofsMax);
  let reason: string | undefined;
  for (const sighting of ranked) {
    const why = whyNotRoot(calls, wayTo(sighting), device);
    if (why === undefined) return { reached: sighting };
    reason ??= sighting.isShadowed ? 'another mount lies over it' : why;
  }
  return { reached: undefined, ...(reason === undefined ? {} : { reason }) };
}

function wayTo({ mount, namespace }: Sighting): string {
  return namespace.isOwn ? mount.path : `/proc/${namespace.pid}/root${mount.path}`;
}

function pathOf({ mount, namespace }: Sighting, shadowed: boolean): MountPath {
  return {
    path: textOf(mount.path),
    ...(isUtf8(mount.path) ? {} : { path_bytes: bytesOf(mount.path).toString('base64') }),
    namespace: namespace.inode,
    pid: namespace.pid,
    ...(mount.root === '/' ? {} : { subtree: textOf(mount.root) }),
    shadowed,
    read_only: mount.readOnly,
  };
}

/** Namespaces, our own first, with the mounts of those that have a bpffs. What ends meanwhile is left out. */
function readNamespaces(): readonly Namespace[] {
  const own = namespaceOf('self');
  const pids = new Map<number, number[]>(own === undefined ? [] : [[own, [process.pid]]]);
  for (const name of readdirSync('/proc')) {
    const inode = /^\d+$/.test(name) ? namespaceOf(name) : undefined;
    if (inode === undefined || inode === own) continue;
    const others = pids.get(inode);
    if (others === undefined) pids.set(inode, [Number(name)]);
    else others.push(Number(name));
  }
  return [...pids].flatMap(([inode, members]) => readNamespace(inode, inode === own, members) ?? []);
}

/**
 * A namespace as the first process shows it that is still there, preferring one that has not changed its
 * root: in a chroot mountinfo leaves out what lies outside.
 */
function readNamespace(inode: number, isOwn: boolean, pids: readonly number[]): Namespace | undefined {
  const whole = isOwn ? undefined : pids.find((pid) => readLink(`/proc/${pid}/root`) === '/');
  for (const pid of whole === undefined ? pids : [whole, ...pids]) {
    const text = readText(`/proc/${pid}/mountinfo`);
    if (text === undefined || namespaceOf(pid) !== inode) continue;
    return { inode, isOwn, pid, mounts: text.includes(' - bpf ') ? parseMountInfo(text) : [] };
  }
  return undefined;
}

function namespaceOf(pid: number | string): number | undefined {
  const inode = readLink(`/proc/${pid}/ns/mnt`)?.match(/^mnt:\[(\d+)\]$/)?.[1];
  return inode === undefined ? undefined : Number(inode);
}

function deviceOf(mount: MountInfo): string {
  return mount.device;
}

/** undefined where the process has ended, is a zombie, or may not be looked at. */
function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
