import type { Counters } from '../model/hazard.ts';
import type { HolderFactsReader } from '../model/holder/facts.ts';
import type { ObjectKind, PinnableKind } from '../model/kind.ts';
import type { PinPath } from '../model/path.ts';
import type { Feature } from '../model/schema/node.ts';
import type { ObjectInfo } from '../model/schema/object.ts';
import type { MountPath } from '../model/schema/pin.ts';
import type { MountScan } from './bpffs/mounts.ts';
import type { NameWatcher } from './fanotify/name-watcher.ts';
import type { NameEvent } from './fanotify/reader.ts';
import type { DetailReader } from './iter/detail-reader.ts';
import type { EntryCountReader } from './iter/entry-counts.ts';
import type { LostTargets } from './iter/lost-targets.ts';
import type { MapDetails } from './iter/map-details.ts';
import type { ProgramDetails } from './iter/program-details.ts';
import type { Types } from './object/types.ts';
import type { Cgroups } from './proc/cgroups.ts';
import type { Processes } from './proc/processes.ts';
import type { Programs } from './program/programs.ts';
import type { Calls, Place } from './sys/calls.ts';
import type { Fd, FdTable } from './sys/fd.ts';

/**
 * Everything the agent asks of the kernel. `open-kernel.ts` makes one; each part lives in the folder of its
 * name.
 *
 * All methods are synchronous and run on the caller's thread. Failures whose meaning is known are
 * PinfoldErrors with syscall and errno; a SystemCallError that comes through is a condition nobody foresaw.
 */
export interface Kernel extends Disposable {
  readonly fds: FdTable;
  readonly calls: Calls;
  readonly objects: Objects;
  readonly programs: Programs;
  readonly types: Types;
  readonly cgroups: Cgroups;
  readonly processes: Processes;
  readonly counters: CounterReader;
  readonly mapDetails: DetailReader<MapDetails>;
  readonly programDetails: DetailReader<ProgramDetails>;
  readonly entryCounts: EntryCountReader;
  readonly lostTargets: LostTargets;
  /** Who holds what: the facts that the model makes a graph of. */
  readonly holders: HolderFactsReader;
  readonly bpffs: Bpffs;
  readonly facts: KernelFacts;
  /** Milliseconds since boot, time asleep included (CLOCK_BOOTTIME). */
  sinceBootMs(): number;
  /** Begins to note which keys of maps are written, and where last; undefined where that is not to be had. */
  openWrittenKeys(maps: WrittenMaps): WrittenKeys | undefined;
  /** inotify on directories; see InotifyWatcher. */
  openWatcher(onWake: (watch: number | 'overflow') => void): Watcher;
  /** fanotify on directories, which tells who changed a name; undefined where that is not to be had. */
  openNameWatcher(onEvents: (events: readonly (NameEvent | 'overflow')[]) => void): NameWatcher | undefined;
}

/** Maps with keys of one size. */
export interface WrittenMaps {
  readonly ids: readonly number[];
  readonly keySize: number;
  /** A descriptor of this process, through which is written what is not to be noted. */
  readonly exceptFd: number;
}

/** How an entry was written last, in which of the maps; a removal that found nothing is one too. */
export interface LastWrite {
  readonly mapId: number;
  readonly isRemoval: boolean;
}

/** The keys that somebody has written by bpf(2) since this was opened. */
export interface WrittenKeys extends Disposable {
  lastWrite(key: Uint8Array): LastWrite | undefined;
}

/** What stays true while this kernel runs. */
export interface KernelFacts {
  readonly bootId: string;
  readonly release: string;
  readonly machine: string;
  readonly cpus: { readonly possible: number; readonly online: number };
  readonly features: readonly Feature[];
  /** False inside a pid namespace: holders in others cannot be seen. */
  readonly seesAllProcesses: boolean;
}

/** An object's identity beyond its reusable id, with the descriptor that holds it for one operation. */
export interface HeldObject extends Disposable {
  readonly kind: ObjectKind;
  readonly id: number;
  readonly fd: Fd;
  readonly info: ObjectInfo;
  readonly fingerprint: string;
}

/** What a caller holds already: while it does, an id is that object's. */
export interface KnownObjects {
  readonly holdsAny: boolean;
  find(kind: ObjectKind, id: number): HeldObject | undefined;
}

/** bpf(2) on maps, programs, links and BTF. */
export interface Objects {
  /**
   * The next id after this one, undefined at the end; own objects are passed over. About 1 µs.
   *
   * @throws PinfoldError permission_denied without CAP_SYS_ADMIN
   */
  nextId(kind: ObjectKind, after: number): number | undefined;
  /**
   * Opens an object by its id.
   * @throws PinfoldError object_not_found, permission_denied, not_readable for a prog_array without users
   */
  holdById(kind: ObjectKind, id: number): HeldObject;
  /**
   * What a pin holds, by BPF_OBJ_GET through exactly this O_PATH descriptor. Falls back to read-only access
   * on a read-only superblock. Where the caller holds that object already, it is given what it has.
   */
  holdPinned(pin: Fd, known?: KnownObjects): HeldObject;
  /**
   * A duplicate of another process's descriptor (pidfd_open, pidfd_getfd); startTime guards against a reused
   * pid.
   *
   * @throws PinfoldError source_not_found, source_mismatch, not_pinnable, permission_denied
   */
  holdFromProcess(source: {
    readonly pid: number;
    readonly fd: number;
    readonly startTime?: number;
  }): HeldObject;
  /**
   * BPF_OBJ_PIN at a name in an open directory.
   * @throws PinfoldError pin_exists, not_pinnable, permission_denied, read_only, …
   */
  pin(object: HeldObject, place: Place): void;
  /**
   * All there is to know of an object whose id is known; undefined if it is gone. Opens and closes it, but
   * for prog_arrays without users, of which an iterator tells the most.
   */
  describe(
    kind: ObjectKind,
    id: number,
  ): { readonly info: ObjectInfo; readonly fingerprint: string } | undefined;
  /** Objects Pinfold itself made for its iterators; left out of every list and count. */
  isOwn(kind: ObjectKind, id: number): boolean;
}

/** What one pass over all objects of a kind read of each, by id in ascending order. */
export interface RecordsById<Value> extends ReadonlyMap<number, Value> {
  /** Ids in ascending order. */
  readonly ids: Uint32Array;
  /** The same with something taken off or added to what was read. */
  adjusted(by: (value: Value, id: number) => Value): RecordsById<Value>;
}

/**
 * The kernel's own reference counts through BPF iterators; the iterator's +1 is already taken off, our open
 * Fds are not.
 */
export interface CounterReader {
  /** Why counters of a kind cannot be read on this kernel; undefined where they can. */
  unavailable(kind: PinnableKind): string | undefined;
  /**
   * One pass over all objects of a kind that are alive, own ones left out. The very same as the last one,
   * where no byte of it differs.
   */
  readAll(kind: PinnableKind): RecordsById<Counters>;
  /**
   * The counters of one object; undefined if it is gone. The program inside the kernel picks it out: about
   * 20 µs however many objects there are (before Linux 6.1 it runs through all of them). `held` is a
   * descriptor on it that the caller has anyway, and counts like all of ours.
   */
  readOne(kind: PinnableKind, id: number, held?: Fd): Counters | undefined;
}

/** A bpffs superblock as all mount namespaces together show it. */
export interface BpffsMount {
  /** `major:minor`. */
  readonly id: string;
  readonly paths: readonly MountPath[];
  readonly readOnly: boolean;
  readonly shadowed: boolean;
  /**
   * The path by which this process reaches its root now: direct, or `/proc/PID/root/…`; undefined where none
   * does. Byte string.
   */
  readonly reachableBy: string | undefined;
  /** Why no path leads to it, ending a sentence; absent where one does. */
  readonly unreachableReason?: string;
}

/** stat(2) of what is open, in the units Pinfold uses. */
export interface InodeFacts {
  readonly inode: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** Permission bits only. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
}

/** The root of one instance, opened for one operation or one slice of a walk. */
export interface BpffsRoot extends Disposable {
  readonly mount: string;
  /** Byte string of the path it was opened by. */
  readonly openedBy: string;
  readonly directory: Fd;
  readonly readOnly: boolean;
  /** `bootId/major:minor/markerInode`; the marker is `-` where there is no staging directory of ours yet. */
  readonly instance: string;
}

/** An entry of a directory, as getdents64 gives it. */
export interface DirectoryEntry {
  /** One name, byte string. */
  readonly name: string;
  readonly inode: number;
  readonly type: 'directory' | 'file' | 'symlink' | 'other';
}

/** A name in an open directory together with its inode, held by an O_PATH descriptor. */
export interface OpenName extends Disposable, InodeFacts {
  readonly fd: Fd;
  readonly type: 'directory' | 'file' | 'symlink' | 'other';
}

/** A pin that is open, together with the directory it was found in. */
export type OpenPin = OpenName & { readonly parent: Fd; readonly name: string };

/** Where a pin may be, and the path that errors speak of. */
export interface PinPlace {
  readonly place: Place;
  readonly path: PinPath;
}

/** Safe ways around a file system in which any local user may have planted anything. */
export interface Bpffs {
  /** Every instance in the mountinfo of every process's mount namespace, one each by major:minor. */
  scanMounts(): readonly BpffsMount[];
  /** The same with the mount namespaces that were looked at for it. */
  scanNamespaces(): MountScan;
  /**
   * Opens the root of an instance by a path that leads to it now, and proves that it does (statfs magic,
   * st_dev).
   *
   * @throws PinfoldError mount_unavailable
   */
  openRoot(mount: BpffsMount): BpffsRoot;
  /**
   * Proves that the path of an open root still leads to the same superblock.
   * @throws PinfoldError mount_unavailable
   */
  assertStillVisible(root: BpffsRoot): void;
  /** Whether a path still leads to the directory with this inode, which the caller has open. */
  isStillThere(root: BpffsRoot, directory: { readonly path: PinPath; readonly inode: number }): boolean;
  /**
   * Opens the directory a path is in (RESOLVE_BENEATH, NO_SYMLINKS, NO_XDEV, NO_MAGICLINKS).
   *
   * @throws PinfoldError parent_not_found, not_a_directory, symlink, crosses_mount, permission_denied
   */
  openParent(root: BpffsRoot, path: PinPath): Fd;
  /**
   * Opens a directory by its path; '' is the root itself. Same errors, directory_not_found for the last name.
   */
  openDirectory(root: BpffsRoot, path: PinPath | ''): Fd;
  /**
   * Opens one name with O_PATH|O_NOFOLLOW; undefined if there is none. Whatever type it has: the caller
   * decides.
   */
  openName(root: BpffsRoot, place: Place): OpenName | undefined;
  /**
   * Opens a pin: a regular file on the mount's own device.
   *
   * @throws PinfoldError pin_not_found, parent_not_found, symlink, is_a_directory, not_a_pin,
   * not_a_directory, crosses_mount
   */
  openPin(root: BpffsRoot, path: PinPath): OpenPin;
  /** The same where its directory is open already; undefined where that has no such name. */
  findPin(root: BpffsRoot, pin: PinPlace): OpenName | undefined;
  stat(fd: Fd): InodeFacts;
  /** Where a symbolic link that openName has opened points; byte string. */
  readLink(link: OpenName): string;
  chmod(fd: Fd, mode: number): void;
  chown(fd: Fd, owner: { readonly uid: number; readonly gid: number }): void;
  /**
   * All entries but `.` and `..`, the staging directory and the kernel's debug pins at a root, in the
   * kernel's order.
   */
  readDirectory(directory: Fd): readonly DirectoryEntry[];
  /**
   * The staging directory, made with mode 0700 if `create` and it is not there.
   *
   * @throws PinfoldError staging_unsafe where somebody else owns the name or may enter it, read_only
   */
  openStaging(root: BpffsRoot, create: boolean): Fd | undefined;
  /**
   * Keeps all other agents from changing this instance until the descriptor is closed: each would count the
   * other's as one more holder. Waits two seconds at most.
   *
   * @throws PinfoldError overloaded
   */
  lockStaging(staging: Fd): void;
  /** mount(2) of a new bpffs at a path. Only `--mount-bpffs` asks for it. */
  mount(path: string): void;
}

/** Wakes the observer early; what makes the observer right are its passes. */
export interface Watcher extends Disposable {
  /**
   * Watches one open directory for names and attributes that change; answers the watch's number.
   * @throws PinfoldError overloaded
   */
  add(directory: Fd): number;
  remove(watch: number): void;
  /** Wakes for what the kernel has queued until now, without waiting for the next look. */
  look(): void;
}
