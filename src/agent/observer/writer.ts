import type { Clock } from '../../model/clock.ts';
import { type PinPath, parentOf } from '../../model/path.ts';
import type { NewEvent } from '../../model/schema/event.ts';
import type { Store } from '../../model/store.ts';
import type { Attribution } from '../attribution/attribution.ts';
import type { PinEntry } from '../inventory/entry.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { MountNames } from '../inventory/mount-names.ts';
import type { ObjectChange, ObjectRecorder } from '../inventory/object-recorder.ts';
import { type KeptPin, pairChanges, type SettledChange } from '../inventory/pair-changes.ts';
import type { Announce, ChangeRecorder, Origin } from '../inventory/recorder.ts';
import type { PinChange } from '../operation/sink.ts';
import type { DirectoryWatches } from './directory-watches.ts';
import type { MountSurvey } from './mount-survey.ts';
import type { Pace } from './pace.ts';

/** Changes in one transaction: some 10 ms, so that nothing else waits longer for the database. */
const chunkSize = 200;

/** What the writer stands on. */
export interface WriterParts {
  readonly store: Store;
  readonly inventory: Inventory;
  readonly pins: ChangeRecorder;
  readonly objects: ObjectRecorder;
  readonly watches: DirectoryWatches;
  readonly clock: Clock;
  readonly announce: Announce;
  readonly attribution: Pick<Attribution, 'begin' | 'hear' | 'originOf'>;
}

/**
 * Writes what an observation came to: rows and events in small transactions, memory after each.
 *
 * Operations may run between two of them, so each has a time of its own: in the order of their numbers, the
 * times of events go back only where the clock does. A name that an operation has changed since the
 * observation began is left as that said, and its directory is read again.
 */
export class FindingsWriter {
  readonly #parts: WriterParts;
  readonly #touched = new Set<string>();

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  /** Begins an observation: what operations have changed before is in the inventory already. */
  begin(): void {
    this.#touched.clear();
    this.#parts.attribution.begin();
  }

  /** Takes note of a name an operation has just changed. */
  touch(mount: string, path: PinPath): void {
    this.#touched.add(`${mount}/${path}`);
  }

  /** The same origin, now. */
  stamped(origin: Origin): Origin {
    return { ...origin, at: this.#parts.clock.now().toISOString() };
  }

  /** Events that stand for themselves. */
  events(events: readonly NewEvent[]): void {
    if (events.length > 0) this.#parts.announce(this.#parts.store.events.append(events));
  }

  async writeObjects(changes: readonly ObjectChange[], origin: Origin, pace: Pace): Promise<void> {
    for (const chunk of chunksOf(changes)) {
      const now = this.stamped(origin);
      this.#parts.store.transaction(() => this.#parts.objects.write(chunk, now))();
      await pace.rest();
    }
  }

  /** Settles what was found of one instance. Answers whether any pin changed. */
  async writeSurvey(survey: MountSurvey, origin: Origin, pace: Pace): Promise<boolean> {
    const { inventory } = this.#parts;
    const names = inventory.openMount(survey.mount.id, survey.instance);
    const findings = survey.findings();
    const { changes, kept } = pairChanges(findings);
    const restamped = this.#restamped(names, survey.instance, new Set(findings.lost));
    names.instance = survey.instance;
    await this.#keep(
      [
        ...kept,
        ...restamped.map((pin) => ({
          before: pin,
          after: { ...pin, instance: survey.instance },
        })),
      ],
      origin,
      pace,
    );
    await this.writePins(changes, origin, pace);
    for (const [path, named] of survey.otherEntries()) {
      if (!this.#isTouched(survey.mount.id, path)) inventory.set(names, path, named);
    }
    for (const path of survey.otherGone()) {
      const there = names.find(path);
      if (there === undefined || there.entry === 'pin' || this.#isTouched(survey.mount.id, path)) continue;
      inventory.remove(names, path);
      this.#parts.watches.forget({ mount: survey.mount.id, path });
    }
    return changes.length > 0;
  }

  /** The pins to be noted under their instance's new name; those that are lost end under the one they had. */
  #restamped(names: MountNames, instance: string, lost: ReadonlySet<PinEntry>): readonly PinEntry[] {
    if (names.instance === instance) return [];
    return names.pinsWithin('').filter((pin) => pin.instance !== instance && !lost.has(pin));
  }

  /** Writes changes of pins that nobody has changed meanwhile. */
  async writePins(changes: readonly SettledChange[], origin: Origin, pace: Pace): Promise<void> {
    const { attribution } = this.#parts;
    if (changes.length > 0) await attribution.hear();
    for (const chunk of chunksOf(changes)) {
      const valid = chunk.filter((settled) =>
        namesIn(settled).every(({ mount, path }) => !this.#yields(mount, path)),
      );
      this.#wakeOtherNames(valid);
      const now = this.stamped(origin);
      const originOf = (settled: SettledChange): Origin => attribution.originOf(settled, now);
      this.#parts.store.transaction(() => this.#parts.pins.write(valid, originOf))();
      await pace.rest();
    }
  }

  async #keep(kept: readonly KeptPin[], origin: Origin, pace: Pace): Promise<void> {
    for (const chunk of chunksOf(kept)) {
      const valid = chunk.filter(({ after }) => !this.#yields(after.mount, after.path));
      const { at } = this.stamped(origin);
      this.#parts.store.transaction(() => this.#parts.pins.keep(valid, at))();
      await pace.restIfOver();
    }
  }

  /**
   * Where a name of several went, the others' directories are not woken by inotify, though their link count
   * differs.
   */
  #wakeOtherNames(changes: readonly SettledChange[]): void {
    for (const { change } of changes) {
      if (!('before' in change) || change.type === 'changed' || change.before.inode.links < 2) continue;
      for (const other of this.#parts.inventory.namesOfInode(change.before)) {
        if (other.path !== change.before.path) {
          this.#parts.watches.wake({ mount: other.mount, path: parentOf(other.path) });
        }
      }
    }
  }

  #yields(mount: string, path: PinPath): boolean {
    if (!this.#isTouched(mount, path)) return false;
    this.#parts.watches.wake({ mount, path: parentOf(path) });
    return true;
  }

  #isTouched(mount: string, path: PinPath): boolean {
    return this.#touched.has(`${mount}/${path}`);
  }
}

function namesIn({
  change,
  vacated,
}: SettledChange): readonly { readonly mount: string; readonly path: PinPath }[] {
  return [...sidesOf(change), ...(vacated === undefined ? [] : [vacated])];
}

function sidesOf(change: PinChange): readonly { readonly mount: string; readonly path: PinPath }[] {
  return [...('before' in change ? [change.before] : []), ...('after' in change ? [change.after] : [])];
}

function* chunksOf<Item>(items: readonly Item[]): Iterable<readonly Item[]> {
  for (let at = 0; at < items.length; at += chunkSize) yield items.slice(at, at + chunkSize);
}
