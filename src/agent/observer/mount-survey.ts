import type {
  BpffsMount,
  BpffsRoot,
  DirectoryEntry,
  InodeFacts,
  Kernel,
  OpenName,
} from '../../kernel/kernel.ts';
import type { Place } from '../../kernel/sys/calls.ts';
import type { Fd } from '../../kernel/sys/fd.ts';
import { isPinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { isWithin, joinPath, type PinPath, parentOf } from '../../model/path.ts';
import type { PinIdentity } from '../../model/store.ts';
import {
  factsOf as entryFacts,
  hasOtherFacts,
  inodeKey,
  isSameInode,
  type NamedEntry,
  type PinEntry,
} from '../inventory/entry.ts';
import type { DirectoryPath, MountNames } from '../inventory/mount-names.ts';
import type { NameFindings } from '../inventory/pair-changes.ts';
import { pinnedObjectOf } from '../operation/holds.ts';
import type { Annotations, PinnedObject, PinState } from '../operation/sink.ts';
import { factsOf } from '../operation/site.ts';
import type { DirectoryWatches } from './directory-watches.ts';
import type { DescribedObject } from './object-survey.ts';
import type { Pace } from './pace.ts';
import { isGone, isOutOfSight, isPassing } from './refusals.ts';
import type { SettledDirectories } from './settled-directories.ts';

/** What reading the directories of one instance needs. */
export interface SurveyParts {
  readonly kernel: Kernel;
  readonly watches: DirectoryWatches;
  readonly settled: SettledDirectories;
  readonly pace: Pace;
  /** What is known of the instance; undefined where it is new. */
  readonly names: MountNames | undefined;
  readonly annotationsOf: (pin: PinIdentity) => Annotations;
  /** What was known of this instance before it was read for the first time. */
  readonly remembered: readonly PinEntry[];
}

/** How much of a directory is looked at. */
export interface Depth {
  /** Also every directory below it that is known; new ones are always read. */
  readonly below: boolean;
  /** Directories whose change time is the one it was are not read. */
  readonly onlyChanged?: boolean;
  /**
   * Whether the attributes of names that have not changed are read too. `quiet`: only where that is cheap,
   * or where no name differs, so that it must have been an attribute that woke the directory.
   */
  readonly attributes: 'all' | 'quiet' | 'none';
}

/** Directories up to this size have their attributes read whenever they wake; about 5 ms. */
const smallMax = 512;

/** What one reading of one directory found different from what is known. */
interface DirectoryReading {
  /** As they were before it was read, where they will tell whether it changed since. */
  readonly stamp: InodeFacts | undefined;
  readonly lost: PinEntry[];
  readonly found: PinState[];
  /** Names that are no pins: here now, or gone. */
  readonly entries: Map<PinPath, NamedEntry>;
  readonly gone: PinPath[];
}

interface Task extends Depth {
  readonly path: DirectoryPath;
  /** Names still to be opened, once the directory has been listed. */
  toOpen?: string[];
}

/**
 * Reads directories of one instance, compares them with what is known, and decides nothing.
 *
 * It may be asked again for the same directory within a pass: then the later reading counts. Opens each
 * name once that is new or holds another inode, and only those.
 */
export class MountSurvey {
  readonly mount: BpffsMount;
  /** What was opened on the way, by `kind:id`. */
  readonly objects = new Map<string, DescribedObject>();
  /** Directories whose attributes are still to be read, when there is time. */
  readonly deferred = new Set<DirectoryPath>();
  /** Whether a directory could not be watched, so that only walks see its changes. */
  hasUnwatched = false;
  instance: string;
  rootFacts: InodeFacts | undefined;
  readonly #parts: SurveyParts;
  readonly #readings = new Map<DirectoryPath, DirectoryReading>();
  /** Directories whose inode is not the one known by that name: nothing that is known of them counts. */
  readonly #renewed = new Set<DirectoryPath>();
  #tasks: Task[] = [];
  #namesSeen = 0;

  constructor(mount: BpffsMount, parts: SurveyParts) {
    this.mount = mount;
    this.#parts = parts;
    this.instance = parts.names?.instance ?? '';
  }

  /** Reads these directories in slices. @throws PinfoldError mount_unavailable */
  async read(directories: readonly DirectoryPath[], depth: Depth): Promise<void> {
    this.#tasks = directories.map((path) => ({ path, ...depth }));
    while (this.#tasks.length > 0) {
      this.#readSlice();
      await this.#parts.pace.rest();
    }
  }

  /** Everything that was found different. */
  findings(): NameFindings {
    const readings = [...this.#readings.values()];
    const lost = readings.flatMap((reading) => reading.lost);
    return { lost: [...this.#parts.remembered, ...lost], found: readings.flatMap(({ found }) => found) };
  }

  /** Directories that were read, as they were before, if their change time tells of what comes after. */
  stamps(): readonly (readonly [DirectoryPath, InodeFacts])[] {
    return [...this.#readings].flatMap(([path, { stamp }]) => (stamp === undefined ? [] : [[path, stamp]]));
  }

  /** Directories, symbolic links and names nobody may look into that are there now. */
  otherEntries(): ReadonlyMap<PinPath, NamedEntry> {
    return new Map([...this.#readings.values()].flatMap(({ entries }) => [...entries]));
  }

  /** Such names that are gone, with all that were below them; children before their directory. */
  otherGone(): readonly PinPath[] {
    const there = this.otherEntries();
    const gone = [...this.#readings.values()].flatMap((reading) => reading.gone);
    return gone
      .filter((path) => !there.has(path))
      .sort()
      .reverse();
  }

  /** Whether a decision could be wrong because a name's other half has not been read. */
  get isUndecided(): boolean {
    const { lost, found } = this.findings();
    return lost.length > 0 || found.length > 0;
  }

  /**
   * Directories to read again: an inode seen at a new name must have left an old one where there are now
   * more names of it than stat(2) counts links.
   */
  contradicted(namesOfInode: (pin: PinState) => readonly PinState[]): readonly DirectoryPath[] {
    const { lost, found } = this.findings();
    const left = new Set(lost.map(({ path }) => path));
    const arrivals = new Map<string, number>();
    for (const pin of found) arrivals.set(inodeKey(pin.inode), (arrivals.get(inodeKey(pin.inode)) ?? 0) + 1);
    const again = new Set<DirectoryPath>();
    for (const pin of found) {
      const others = namesOfInode(pin).filter((other) => !left.has(other.path));
      const names = others.length + (arrivals.get(inodeKey(pin.inode)) ?? 0);
      if (names > pin.inode.links) for (const other of others) again.add(parentOf(other.path));
    }
    return [...again];
  }

  #readSlice(): void {
    const { kernel, pace } = this.#parts;
    using root = kernel.bpffs.openRoot(this.mount);
    this.instance = root.instance;
    this.rootFacts = kernel.bpffs.stat(root.directory);
    do {
      const task = this.#tasks.at(-1);
      if (task === undefined) return;
      if (this.#work(root, task)) this.#tasks.splice(this.#tasks.indexOf(task), 1);
    } while (!pace.isOver());
  }

  /** Lists a directory or opens some of its names; true when it is done. */
  #work(root: BpffsRoot, task: Task): boolean {
    try {
      using directory = this.#parts.kernel.bpffs.openDirectory(root, task.path);
      if (task.toOpen === undefined) {
        const stamp = this.#parts.kernel.bpffs.stat(directory);
        if (task.onlyChanged === true && this.#passOver(task, stamp)) return true;
        const isTold = this.#parts.watches.watch({ mount: this.mount.id, path: task.path }, directory);
        this.hasUnwatched ||= !isTold;
        const isSettled = isTold && this.#parts.settled.isSettled(stamp);
        const entries = this.#parts.kernel.bpffs.readDirectory(directory);
        task.toOpen = this.#list(task, entries, isSettled ? stamp : undefined);
      }
      while (task.toOpen.length > 0 && !this.#parts.pace.isOver()) {
        const name = task.toOpen.pop() ?? '';
        this.#look(root, { directory, name }, task);
      }
      return task.toOpen.length === 0;
    } catch (error) {
      if (isOutOfSight(error)) return true;
      if (!isGone(error)) throw error;
      this.#readings.delete(task.path);
      if (task.path !== '') this.#parts.watches.wake({ mount: this.mount.id, path: parentOf(task.path) });
      return true;
    }
  }

  /**
   * Opens one name, compares it and closes it. What lies under a mount is out of sight: what is known of it
   * stays.
   */
  #look(root: BpffsRoot, place: Place & { readonly directory: Fd }, task: Task): void {
    try {
      using open = this.#parts.kernel.bpffs.openName(root, place);
      this.#compare(task, place.name, open);
    } catch (error) {
      if (!isOutOfSight(error)) throw error;
    }
  }

  /** Leaves a directory that has not changed as it is known, and goes on to those in it. */
  #passOver(task: Task, now: InodeFacts): boolean {
    if (!this.#parts.settled.isUnchanged({ mount: this.mount.id, path: task.path }, now)) return false;
    const known = this.#known(task.path);
    this.#namesSeen += known.size;
    for (const [name, { entry }] of known) {
      if (entry === 'directory') this.#tasks.push({ ...depthOf(task), path: joinPath(task.path, name) });
    }
    return true;
  }

  /** Compares the names and inode numbers; answers which names must be opened. */
  #list(task: Task, entries: readonly DirectoryEntry[], stamp: InodeFacts | undefined): string[] {
    const reading: DirectoryReading = { stamp, lost: [], found: [], entries: new Map(), gone: [] };
    this.#readings.set(task.path, reading);
    if (isTooDeep(task.path)) return [];
    const known = this.#known(task.path);
    const visible = entries.filter(({ name }) => this.#mayFollow(task.path, name));
    const differing: string[] = [];
    let met = 0;
    for (const { name, inode } of visible) {
      const before = known.get(name);
      if (before !== undefined) met++;
      if (before === undefined || entryFacts(before).inode !== inode) differing.push(name);
      else if (before.entry === 'directory' && task.below && task.attributes !== 'all') {
        this.#tasks.push({ ...depthOf(task), path: joinPath(task.path, name) });
      }
    }
    if (met < known.size) this.#loseAllBut(new Set(visible.map(({ name }) => name)), task.path, reading);
    const isQuiet = differing.length === 0 && reading.lost.length === 0 && reading.gone.length === 0;
    if (task.attributes === 'none') return differing;
    if (task.attributes === 'all' || isQuiet || visible.length <= smallMax)
      return visible.map(({ name }) => name);
    this.deferred.add(task.path);
    return differing;
  }

  #loseAllBut(there: ReadonlySet<string>, directory: DirectoryPath, reading: DirectoryReading): void {
    for (const [name, before] of this.#known(directory)) {
      if (!there.has(name)) this.#lose(reading, joinPath(directory, name), before);
    }
  }

  #compare(task: Task, name: string, open: OpenName | undefined): void {
    const reading = this.#readings.get(task.path);
    if (reading === undefined) return;
    const path = joinPath(task.path, name);
    const before = this.#known(task.path).get(name);
    if (open === undefined) {
      if (before !== undefined) this.#lose(reading, path, before);
      return;
    }
    const facts = factsOf(open);
    if (before !== undefined && isSameEntry(before, open)) {
      this.#refresh({ reading, path, before, facts });
      if (open.type === 'directory' && task.below && task.attributes === 'all')
        this.#tasks.push({ ...depthOf(task), path });
      return;
    }
    if (before !== undefined) this.#lose(reading, path, before);
    this.#gain({ reading, path, facts }, open);
  }

  /** The same inode: only its attributes may differ. */
  #refresh(seen: { reading: DirectoryReading; path: PinPath; before: NamedEntry; facts: InodeFacts }): void {
    const { reading, path, before, facts } = seen;
    if (!hasOtherFacts(entryFacts(before), facts)) return;
    if (before.entry !== 'pin') reading.entries.set(path, { ...before, facts });
    else {
      reading.lost.push(before.pin);
      reading.found.push({ ...before.pin, instance: this.instance, inode: facts });
    }
  }

  #gain(seen: { reading: DirectoryReading; path: PinPath; facts: InodeFacts }, open: OpenName): void {
    const { reading, path, facts } = seen;
    switch (open.type) {
      case 'directory':
        this.#renewed.add(path);
        reading.entries.set(path, { entry: 'directory', facts });
        this.#tasks.push({ path, below: true, attributes: 'none' });
        break;
      case 'symlink':
        reading.entries.set(path, {
          entry: 'symlink',
          facts,
          target: this.#parts.kernel.bpffs.readLink(open),
        });
        break;
      case 'file': {
        const object = this.#identify(open);
        if (object === undefined) reading.entries.set(path, { entry: 'other', facts });
        else reading.found.push(this.#pin(path, facts, object));
        break;
      }
      case 'other':
        reading.entries.set(path, { entry: 'other', facts });
    }
  }

  /** Opens the object behind a name once and closes it; undefined where that is refused. */
  #identify(open: OpenName): PinnedObject | undefined {
    try {
      using held = this.#parts.kernel.objects.holdPinned(open.fd);
      const object = pinnedObjectOf(held);
      const { kind, id, info, fingerprint } = held;
      this.objects.set(`${kind}:${id}`, { kind, id, info, fingerprint });
      return object;
    } catch (error) {
      if (isPinfoldError(error) && !isPassing(error)) return undefined;
      throw error;
    }
  }

  #pin(path: PinPath, inode: InodeFacts, object: PinnedObject): PinState {
    const { instance } = this;
    const annotations = this.#parts.annotationsOf({
      instance,
      inode: inode.inode,
      mtimeNs: String(inode.mtimeNs),
    });
    return { mount: this.mount.id, instance, path, inode, object, annotations };
  }

  /**
   * A name no longer is what it was; with a directory goes everything below it, readings of this pass
   * included.
   */
  #lose(reading: DirectoryReading, path: PinPath, before: NamedEntry): void {
    if (before.entry === 'pin') {
      reading.lost.push(before.pin);
      return;
    }
    reading.gone.push(path);
    if (before.entry !== 'directory') return;
    for (const read of [...this.#readings.keys()]) {
      if (read !== '' && isWithin(read, path)) this.#readings.delete(read);
    }
    for (const [name, below] of this.#parts.names?.entriesIn(path) ?? [])
      this.#lose(reading, joinPath(path, name), below);
  }

  #known(directory: DirectoryPath): ReadonlyMap<string, NamedEntry> {
    return (this.#renewed.has(directory) ? undefined : this.#parts.names?.entriesIn(directory)) ?? new Map();
  }

  /** Names beyond what a walk may visit are left alone; what is known of them goes. */
  #mayFollow(directory: DirectoryPath, name: string): boolean {
    this.#namesSeen++;
    return (
      this.#namesSeen <= limits.walkNamesMax && directory.length + 1 + name.length <= limits.pathBytesMax
    );
  }
}

function isTooDeep(directory: DirectoryPath): boolean {
  return directory.split('/').length >= limits.depthMax;
}

function depthOf({ below, onlyChanged = false, attributes }: Task): Depth {
  return { below, onlyChanged, attributes };
}

/**
 * The same thing at the same name. A directory's mtime moves with what is in it, so its inode number must
 * do.
 */
function isSameEntry(before: NamedEntry, open: OpenName): boolean {
  switch (before.entry) {
    case 'directory':
      return open.type === 'directory' && before.facts.inode === open.inode;
    case 'pin':
      return open.type === 'file' && isSameInode(before.pin.inode, open);
    case 'symlink':
      return open.type === 'symlink' && isSameInode(before.facts, open);
    case 'other':
      return open.type === 'other' && isSameInode(before.facts, open);
  }
}
