import type { BpffsMount, Kernel } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import { isPinfoldError } from '../../model/error.ts';
import { joinPath, nameOf, type PinPath, parentOf } from '../../model/path.ts';
import type { PinEntry } from '../inventory/entry.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { DirectoryPath } from '../inventory/mount-names.ts';
import type { ObjectChange } from '../inventory/object-recorder.ts';
import type { SettledChange } from '../inventory/pair-changes.ts';
import type { ChangeRecorder, Origin, OwnChange } from '../inventory/recorder.ts';
import type { Remembered } from '../inventory/remembered.ts';
import { factsOf } from '../operation/site.ts';
import type { DirectoryWatches } from './directory-watches.ts';
import type { KnownMounts } from './known-mounts.ts';
import { type Depth, MountSurvey } from './mount-survey.ts';
import type { MountTable } from './mount-table.ts';
import type { DescribedObject, ObjectFindings, ObjectSurvey } from './object-survey.ts';
import { Pace } from './pace.ts';
import { SettledDirectories } from './settled-directories.ts';
import type { FindingsWriter } from './writer.ts';

/**
 * How thorough a pass is. `quick`: new ids, and directories that woke. `full`: also the mounts, all names,
 * all objects. `fresh`: also the attributes of all names, and every object described anew; for those who
 * ask.
 */
export type PassKind = 'quick' | 'full' | 'fresh';

/** A moment on both clocks. */
export interface Moment {
  readonly at: Date;
  /** Of the monotonic clock. */
  readonly ms: number;
}

/** What the observer stands on. */
export interface ObserverParts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly inventory: Inventory;
  readonly mounts: MountTable;
  readonly known: KnownMounts;
  readonly watches: DirectoryWatches;
  readonly recorder: ChangeRecorder;
  readonly writer: FindingsWriter;
  /** Undefined with `--pins-only`. */
  readonly objects: ObjectSurvey | undefined;
}

/** Readings of what woke meanwhile, before a pass decides what it saw. */
const roundsMax = 4;

/** For how long a pass begins such readings: names that never rest would keep it from its end. */
const chaseMs = 1000;

/** For how long a pass describes objects that are new, if nobody waits for it; the next one goes on. */
const describeMs = 300;

/** Attributes of all names are read this often: where inotify tells of them, and where it cannot. */
const attributesEveryMs = { watched: 600_000, unwatched: 60_000 } as const;

/** The look at all objects may take one part in so many of the time: at rest, and when something stirred. */
const objectsShare = { resting: 1000, stirred: 100 } as const;

/**
 * Finds out what is there, by looking: whatever inotify loses, the next pass sees.
 *
 * One pass at a time; it works in slices and holds no descriptor between them. What it opens are names that
 * are new or hold another inode, and objects whose id is new: at rest, nothing. What comes and goes between
 * two looks is not seen.
 */
export class Observer {
  readonly #parts: ObserverParts;
  /** The moment as of which the inventory is exact; undefined before the first pass. */
  observedAt: Moment | undefined;
  #attributesReadAtMs = Number.NEGATIVE_INFINITY;
  #objectsReadAtMs = Number.NEGATIVE_INFINITY;
  #objectsCostMs = 0;
  /**
   * Something may have been freed since all objects were looked at; frees take a moment, so it counts
   * twice.
   */
  #stirred = 2;
  /** What the store knew of instances that have not been read yet. */
  readonly #unread = new Map<string, readonly PinEntry[]>();
  #lost: readonly PinEntry[] = [];
  readonly #deferred = new Map<string, Set<DirectoryPath>>();
  readonly #settled: SettledDirectories;
  #hasUnwatched = false;
  #isMountTableDoubtful = false;
  /** The scan whose instances history has been told of; it is the same list until the next one. */
  #notedMounts: readonly BpffsMount[] = [];
  /** Instances to be read as a whole: another may have got their number. */
  readonly #doubtful = new Set<string>();

  constructor(parts: ObserverParts) {
    this.#parts = parts;
    this.#settled = new SettledDirectories(parts.clock);
    parts.recorder.onOwnChange((change) => this.#noteOwn(change));
  }

  /**
   * Makes what the store remembers the "before" of the first pass; whatever is in memory is in the store
   * too.
   */
  recall(remembered: Remembered): void {
    const { inventory, recorder } = this.#parts;
    recorder.beginLooking();
    for (const { mount } of [...inventory.mounts()]) inventory.dropMount(mount);
    this.#settled.forget();
    for (const [mount, pins] of remembered.pins) this.#unread.set(mount, pins);
    this.#lost = remembered.lost;
    for (const { kind, id, fingerprint, info, firstSeen } of remembered.objects) {
      inventory.objects.set({ kind, id, fingerprint, info, firstSeen });
    }
  }

  /** Looks, and writes what differs. What was there when it was called is seen. */
  async pass(kind: PassKind): Promise<void> {
    try {
      await this.#pass(kind);
    } catch (error) {
      this.#settled.forget();
      this.#parts.objects?.forget();
      throw error;
    }
  }

  async #pass(kind: PassKind): Promise<void> {
    const { clock, writer, watches } = this.#parts;
    const pace = new Pace(clock);
    const began = { at: clock.now(), ms: clock.monotonicMs() };
    const isFirst = this.observedAt === undefined;
    const depth = isFirst ? 'fresh' : kind;
    writer.begin();
    watches.look();
    const reachable = this.#scanMounts(depth);
    const surveys = await this.#surveyNames(reachable, depth, pace);
    const seen = new Map(surveys.flatMap(({ objects }) => [...objects]));
    const objects = await this.#surveyObjects(depth, seen, pace);
    const origin = { at: clock.now().toISOString(), actor: isFirst ? 'unknown' : 'kernel' };
    await this.#write({ surveys, objects, origin, pace });
    if (objects.isComplete) this.observedAt = began;
    this.#parts.recorder.beginObserving();
  }

  #scanMounts(kind: PassKind): readonly BpffsMount[] {
    const { mounts, known } = this.#parts;
    const changed = mounts.changedInOwnNamespace();
    for (const id of changed ?? []) this.#doubtful.add(id);
    if (changed !== undefined || kind !== 'quick' || this.#isMountTableDoubtful) mounts.scan();
    this.#isMountTableDoubtful = false;
    known.primaryId = mounts.primaryId();
    return mounts.list().filter(({ reachableBy }) => reachableBy !== undefined);
  }

  async #surveyNames(
    mounts: readonly BpffsMount[],
    kind: PassKind,
    pace: Pace,
  ): Promise<readonly MountSurvey[]> {
    const { watches, clock } = this.#parts;
    const isOverflow = watches.takeOverflow();
    const everyMs = attributesEveryMs[this.#hasUnwatched ? 'unwatched' : 'watched'];
    const isAttributesDue = clock.monotonicMs() - this.#attributesReadAtMs >= everyMs;
    const isEverything = kind === 'fresh' || isOverflow || (kind === 'full' && isAttributesDue);
    if (isEverything) this.#attributesReadAtMs = clock.monotonicMs();
    const woken = groupByMount(watches.takeWoken());
    const chaseUntilMs = clock.monotonicMs() + chaseMs;
    const surveys: MountSurvey[] = [];
    for (const mount of mounts) {
      const { id } = mount;
      const directories = woken.get(id) ?? [];
      const isNew = this.#doubtful.has(id) || this.#parts.inventory.findMount(id) === undefined;
      if (kind === 'quick' && !isNew && !isEverything && directories.length === 0) continue;
      const survey = this.#openSurvey(mount, pace);
      try {
        if (isEverything || isNew) await survey.read([''], { below: true, attributes: 'all' });
        else {
          if (kind === 'full')
            await survey.read([''], { below: true, onlyChanged: true, attributes: 'none' });
          if (kind === 'full') await survey.read(this.#takeDeferred(id), { below: false, attributes: 'all' });
          if (directories.length > 0) await survey.read(directories, { below: false, attributes: 'quiet' });
        }
        await this.#readOtherHalves(survey, chaseUntilMs);
        surveys.push(survey);
        this.#doubtful.delete(id);
      } catch (error) {
        if (!isPinfoldError(error, 'mount_unavailable')) throw error;
        this.#isMountTableDoubtful = true;
        this.#doubtful.add(id);
      }
    }
    return surveys;
  }

  #openSurvey(mount: BpffsMount, pace: Pace): MountSurvey {
    const { kernel, watches, inventory, recorder } = this.#parts;
    return new MountSurvey(mount, {
      kernel,
      watches,
      settled: this.#settled,
      pace,
      names: inventory.findMount(mount.id),
      annotationsOf: (pin) => recorder.annotationsOf(pin),
      remembered: this.#unread.get(mount.id) ?? [],
    });
  }

  /**
   * Reads what woke while names were read, until nothing did: the kernel queues both halves of a rename
   * before either directory can be read (fs/namei.c, vfs_rename), so whoever misses a name knows then where
   * it went.
   */
  async #readOtherHalves(survey: MountSurvey, untilMs: number): Promise<void> {
    const { watches, inventory, clock } = this.#parts;
    const quiet: Depth = { below: false, attributes: 'quiet' };
    for (let round = 0; round < roundsMax && survey.isUndecided; round++) {
      if (clock.monotonicMs() >= untilMs) return;
      watches.look();
      const woken = watches.takeWoken();
      for (const place of woken) if (place.mount !== survey.mount.id) watches.wake(place);
      const own = woken.filter(({ mount }) => mount === survey.mount.id).map(({ path }) => path);
      const again = [...new Set([...own, ...survey.contradicted((pin) => inventory.namesOfInode(pin))])];
      if (again.length === 0) return;
      await survey.read(again, quiet);
    }
  }

  async #surveyObjects(
    kind: PassKind,
    seen: ReadonlyMap<string, DescribedObject>,
    pace: Pace,
  ): Promise<ObjectFindings> {
    const { objects, clock } = this.#parts;
    if (objects === undefined) return { appeared: [], gone: [], refreshed: [], isComplete: true };
    const began = clock.monotonicMs();
    if (seen.size > 0 || objects.hasNew()) this.#stirred = 2;
    const sinceMs = began - this.#objectsReadAtMs;
    const share = this.#stirred > 0 ? objectsShare.stirred : objectsShare.resting;
    const isDue = sinceMs >= Math.max(900, this.#objectsCostMs * share);
    const all = kind !== 'quick' || isDue;
    // Names do not wait for thousands of objects that others make; whoever asks waits for all of them.
    const isOver = () => clock.monotonicMs() - began >= describeMs;
    const depth = kind === 'fresh' ? { all, describeKnown: true } : { all, describeKnown: false, isOver };
    const findings = await objects.look(depth, seen, pace);
    if (!all) return findings;
    this.#stirred = Math.max(0, this.#stirred - 1);
    this.#objectsReadAtMs = began;
    this.#objectsCostMs = clock.monotonicMs() - began;
    return findings;
  }

  async #write(seen: {
    readonly surveys: readonly MountSurvey[];
    readonly objects: ObjectFindings;
    readonly origin: Origin;
    readonly pace: Pace;
  }): Promise<void> {
    const { surveys, objects, origin, pace } = seen;
    const { writer } = this.#parts;
    await writer.writeObjects(this.#objectChanges(objects, origin.at), origin, pace);
    const mounts = this.#parts.mounts.list();
    if (surveys.length === 0 && mounts === this.#notedMounts) return;
    this.#noteMounts(surveys, writer.stamped(origin));
    for (const survey of surveys) {
      for (const path of survey.deferred) this.#defer(survey.mount.id, path);
      if (await writer.writeSurvey(survey, origin, pace)) this.#stirred = 2;
      this.#unread.delete(survey.mount.id);
      this.#hasUnwatched ||= survey.hasUnwatched;
      for (const [path, facts] of survey.stamps())
        this.#settled.note({ mount: survey.mount.id, path }, facts);
    }
    await this.#writeGoneMounts(origin, pace);
    this.#notedMounts = mounts;
  }

  #objectChanges({ appeared, gone, refreshed }: ObjectFindings, at: string): readonly ObjectChange[] {
    const { inventory } = this.#parts;
    const entryOf = (object: DescribedObject) => ({
      ...object,
      firstSeen: inventory.objects.find(object.kind, object.id)?.firstSeen ?? at,
    });
    return [
      ...gone.map((entry): ObjectChange => ({ type: 'gone', entry })),
      ...appeared.map((object): ObjectChange => ({ type: 'appeared', entry: { ...object, firstSeen: at } })),
      ...refreshed.map((object): ObjectChange => ({ type: 'refreshed', entry: entryOf(object) })),
    ];
  }

  /** Tells of instances that are new, reachable or not, and remembers how each was found. */
  #noteMounts(surveys: readonly MountSurvey[], origin: Origin): void {
    const { mounts, known, kernel, writer } = this.#parts;
    const surveyed = new Map(surveys.map((survey) => [survey.mount.id, survey]));
    for (const mount of mounts.list()) {
      const survey = surveyed.get(mount.id);
      const before = known.find(mount.id);
      const instance = survey?.instance ?? before?.instance ?? `${kernel.facts.bootId}/${mount.id}/-`;
      const now = { mount, instance, root: survey?.rootFacts ?? before?.root };
      if (before === undefined) writer.events([known.eventOf('mount.appeared', now, origin)]);
      known.set(now);
    }
  }

  /** The pins of an instance go with it. */
  async #writeGoneMounts(origin: Origin, pace: Pace): Promise<void> {
    const { mounts, known, inventory, writer, watches } = this.#parts;
    const unread = [...this.#unread].filter(([mount]) => mounts.find(mount) === undefined);
    await writer.writePins(
      [...this.#lost, ...unread.flatMap(([, pins]) => pins)].map(removalOf),
      origin,
      pace,
    );
    this.#lost = [];
    for (const [mount] of unread) this.#unread.delete(mount);
    for (const id of known.ids()) {
      const gone = known.find(id);
      if (gone === undefined || mounts.find(id) !== undefined) continue;
      const pins = inventory.findMount(id)?.pinsWithin('') ?? [];
      await writer.writePins(pins.map(removalOf), origin, pace);
      writer.events([known.eventOf('mount.gone', gone, writer.stamped(origin))]);
      inventory.dropMount(id);
      this.#settled.forget(id);
      watches.forget({ mount: id, path: '' });
      known.drop(id);
      this.#doubtful.delete(id);
    }
  }

  #takeDeferred(mount: string): readonly DirectoryPath[] {
    const directories = [...(this.#deferred.get(mount) ?? [])];
    this.#deferred.delete(mount);
    return directories;
  }

  #defer(mount: string, path: DirectoryPath): void {
    this.#deferred.set(mount, new Set([...(this.#deferred.get(mount) ?? []), path]));
  }

  #noteOwn({ mount, path, isNewDirectory }: OwnChange): void {
    this.#stirred = 2;
    this.#parts.writer.touch(mount, path);
    if (isNewDirectory) this.#enterDirectory(mount, path);
  }

  /** Looks at a directory an operation has made, so that the tree has it at once. */
  #enterDirectory(id: string, path: PinPath): void {
    const { mounts, kernel, inventory, watches } = this.#parts;
    const mount = mounts.find(id);
    const names = inventory.findMount(id);
    try {
      if (mount === undefined || names === undefined) return;
      using root = kernel.bpffs.openRoot(mount);
      using parent = kernel.bpffs.openParent(root, path);
      using open = kernel.bpffs.openName(root, { directory: parent, name: nameOf(path) });
      if (open?.type !== 'directory') return;
      inventory.set(names, path, { entry: 'directory', facts: factsOf(open) });
      watches.wake({ mount: id, path: joinPath(parentOf(path), nameOf(path)) });
    } catch (error) {
      if (!isPinfoldError(error)) throw error;
      watches.wake({ mount: id, path: parentOf(path) });
    }
  }
}

function removalOf(before: PinEntry): SettledChange {
  return { change: { type: 'removed', before } };
}

function groupByMount(
  places: readonly { readonly mount: string; readonly path: DirectoryPath }[],
): ReadonlyMap<string, readonly DirectoryPath[]> {
  const groups = new Map<string, DirectoryPath[]>();
  for (const { mount, path } of places) groups.set(mount, [...(groups.get(mount) ?? []), path]);
  return groups;
}
