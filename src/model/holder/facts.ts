import type { ObjectKind } from '../kind.ts';
import type { PinPath } from '../path.ts';
import type { MountPath } from '../schema/pin.ts';

/** An object by kind and id, for the moment of one reading: ids are reused. */
export interface ObjectKey {
  readonly kind: ObjectKind;
  readonly id: number;
}

/** A process that holds something. */
export interface ProcessFact {
  readonly pid: number;
  /** Clock ticks between boot and its start: with the pid it names one process for good. */
  readonly startTime: number;
  /** Its name as a byte string; processes choose it freely. */
  readonly comm: string;
  /**
   * Its path in the unified hierarchy, byte string; where that is the root, its path in the first hierarchy
   * of version 1 in which it is elsewhere.
   */
  readonly cgroup: string;
}

/** A descriptor of a process. Several may be one open file: after dup(2), fork(2), SCM_RIGHTS. */
export interface Descriptor {
  readonly pid: number;
  readonly fd: number;
}

/**
 * One open file on an object: one user reference, however many descriptors and mappings lead to it.
 *
 * Distinct by `struct file` (iter/task_file and iter/task_vma give its address). A mapping holds the file
 * after every descriptor is closed.
 */
export interface FileFact {
  /** The address of the `struct file`, or another text that differs for different files; never shown. */
  readonly file: string;
  readonly object: ObjectKey;
  /**
   * How it leads to the object: a descriptor of the object itself, or of an iterator (BPF_ITER_CREATE), which
   * holds the program and, over the elements of a map, the map with a user reference.
   */
  readonly through: 'object' | 'iterator';
  readonly descriptors: readonly Descriptor[];
  /** Processes that have it mapped. */
  readonly mappings: readonly { readonly pid: number }[];
}

/** One name of a pin. Names with one inode (hard links) are one reference. */
export interface PinFact {
  /** `major:minor`. */
  readonly mount: string;
  /** From the root of the superblock. */
  readonly path: PinPath;
  readonly inode: number;
  readonly object: ObjectKey;
}

/**
 * A pin that has no name any more and lives on as an open inode (O_PATH, or open(2) of one that can be read).
 * Open inodes that still have names are not listed: the name holds the same one reference.
 */
export interface OpenInodeFact extends Descriptor {
  readonly mount: string;
  readonly inode: number;
  readonly object: ObjectKey;
  /** What readlink(2) of the descriptor says, byte string without ` (deleted)`. */
  readonly path: string;
}

/** A place at which a bpffs is mounted. */
export interface FilesystemPath {
  /** Byte string, as seen in that mount namespace. */
  readonly path: string;
  /** The inode of the mount namespace. */
  readonly namespace: number;
  /** A process in it; none where only a mount, a descriptor or a single thread keeps it. */
  readonly pid?: number;
  /** Where that namespace is bound in our own, byte string. */
  readonly boundAt?: string;
}

/** A bpffs, and what keeps it: it dies with all its pins when nothing does. */
export interface FilesystemFact {
  /** `major:minor`. */
  readonly mount: string;
  /**
   * `shadowed`: another mount lies over every path of it; `detached`: no mount table names it, only
   * descriptors of its directories do (fsmount, or open when it was lazily unmounted).
   */
  readonly state: 'mounted' | 'shadowed' | 'detached';
  /** Mount points, byte strings as the processes of that namespace see them; none of a detached one. */
  readonly paths: readonly FilesystemPath[];
  /** Descriptors on it or on directories in it; given for detached ones. */
  readonly descriptors: readonly Descriptor[];
  /** Processes whose working directory is in it; given for detached ones. */
  readonly standing?: readonly number[];
}

/**
 * How one object holds another: `uses` (program on map: prog_info.map_ids), `slot` (prog_array, devmap,
 * cpumap on program; map-in-map on map; struct_ops map on program), `runs` (link on program), `target` (link
 * on the map it iterates, registers or listens to; link or program on the program it replaces), `types` (map
 * or program on BTF).
 */
export type Hold = 'uses' | 'slot' | 'runs' | 'target' | 'types';

/** One reference from one object on another. */
export interface ObjectHoldFact {
  readonly holder: ObjectKey;
  readonly held: ObjectKey;
  readonly hold: Hold;
  /** The key of a slot: a number in decimal, anything else as hex digits; the member of a struct_ops map. */
  readonly key?: string;
  /**
   * True where the kernel takes a *user* reference (bpf_map_inc_with_uref), as links of map element iterators
   * and of sockmaps do.
   */
  readonly isUser?: boolean;
}

/** What a program can be attached to. */
export const attachmentKinds = [
  'tc',
  'xdp',
  'tcx',
  'netkit',
  'cgroup',
  'netns',
  'sockmap',
  'perf_event',
  'socket',
  'struct_ops',
  'tracing',
  'netfilter',
] as const;
/** One of `attachmentKinds`. */
export type AttachmentKind = (typeof attachmentKinds)[number];

/** A place in the kernel where a program runs, or a struct_ops map is registered. */
export interface AttachmentFact {
  readonly kind: AttachmentKind;
  /** The program, or the struct_ops map. */
  readonly object: ObjectKey;
  /**
   * The link that attaches it. Then the link holds the program and the place holds nothing; without one the
   * place itself is the holder, until it goes.
   */
  readonly link?: number;
  /** As bpftool names it: `ingress`, `cgroup_inet_ingress`, `sk_skb_verdict`; for XDP the mode. */
  readonly attachType?: string;
  readonly netns?: { readonly inode: number; readonly name?: string };
  /** A network device; the name is a byte string. */
  readonly device?: { readonly ifindex: number; readonly name?: string };
  /** A control group; the path is a byte string below the root of the unified hierarchy. */
  readonly cgroup?: { readonly id: number; readonly path?: string };
  /** The sockmap or sockhash. */
  readonly map?: number;
  /** A perf event, tracepoint or probe, or a socket, that the process's descriptor keeps. */
  readonly event?: Descriptor & { readonly what: string };
  /** cls_bpf or act_bpf: `pref 49152 handle 0x1`, byte string. */
  readonly filter?: string;
  /** Attach flags by name: `multi`, `override`, `replace`. */
  readonly flags?: readonly string[];
}

/** What could not be read; nothing is concluded from its silence. */
export interface UnavailableFact {
  /** The part: `files`, `mappings`, `slots of map 5`, `netns 4026532201`. */
  readonly what: string;
  /** Why, ending a sentence. */
  readonly reason: string;
  /** This kernel, or this process where it is, never shows it: reading again is of no use. */
  readonly isLasting?: true;
}

/**
 * Everything that was found to hold something, as of one moment. What Pinfold itself holds is left out:
 * descriptors of this process, and objects that Objects.isOwn.
 */
export interface HolderFacts {
  /** Every process that the other facts name. */
  readonly processes: ReadonlyMap<number, ProcessFact>;
  readonly files: readonly FileFact[];
  readonly pins: readonly PinFact[];
  readonly openInodes: readonly OpenInodeFact[];
  readonly filesystems: readonly FilesystemFact[];
  readonly holds: readonly ObjectHoldFact[];
  readonly attachments: readonly AttachmentFact[];
  readonly unavailable: readonly UnavailableFact[];
}

/** A bpffs that was there when it was last looked at. */
export interface KnownInstance {
  /** `major:minor`. */
  readonly id: string;
  readonly paths: readonly MountPath[];
  readonly readOnly: boolean;
  readonly shadowed: boolean;
  /** A path by which its root was reached; byte string. */
  readonly reachableBy: string | undefined;
}

/** Pins as they were found before, to look at those alone that matter. */
export interface KnownPins {
  readonly instances: readonly KnownInstance[];
  /** Every name of the pins of an object. */
  pinsOf(object: ObjectKey): readonly Omit<PinFact, 'object'>[];
}

/** What a reading may leave out, and what it need not find out again. */
export interface HolderRequest {
  /**
   * The object it is about. Facts that lead to no holder of it, not even over other objects, may then be
   * absent. Without one everything is read (findings, metrics, `held_by`).
   */
  readonly focus?: ObjectKey;
  /**
   * The object behind an inode, if it is known from before: an inode of a bpffs leads to one object as long
   * as it lives. Spares a BPF_OBJ_GET for each pin; names and inodes are still read from the directories.
   */
  readonly knownPin?: (pin: { readonly mount: string; readonly inode: number }) => ObjectKey | undefined;
  /**
   * Where it is given with a focus, no directory, mount table or process's list of files is walked: only what
   * is known is looked at, whether it is still so. Others may hold the object, too, which the counters tell.
   */
  readonly knownPins?: KnownPins;
}

/** Reads who holds what. */
export interface HolderFactsReader {
  /**
   * One reading, synchronous on the caller's thread; every descriptor is closed when it returns. What cannot
   * be read is in `unavailable`; what goes away meanwhile is passed over.
   *
   * @throws PinfoldError permission_denied without CAP_SYS_ADMIN
   */
  read(request: HolderRequest): HolderFacts;
}
