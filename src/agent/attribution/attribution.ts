import { nameMask } from '../../kernel/fanotify/name-event.ts';
import type { NameEvent, Writer } from '../../kernel/fanotify/reader.ts';
import type { Kernel, Watcher } from '../../kernel/kernel.ts';
import { escapeName } from '../../model/escape.ts';
import { ownerOfCgroup } from '../../model/holder/cgroup.ts';
import { bytesOf, nameOf, parentOf } from '../../model/path.ts';
import type { NamedEntry } from '../inventory/entry.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { SettledChange } from '../inventory/pair-changes.ts';
import type { Origin } from '../inventory/recorder.ts';
import type { KnownMounts } from '../observer/known-mounts.ts';
import type { PinState } from '../operation/sink.ts';
import { type Heard, HeardNames, passesMax } from './heard-names.ts';

const { ATTRIB, CREATE, DELETE, MOVED_FROM, MOVED_TO } = nameMask;
const arrival = CREATE | MOVED_TO;
const departure = DELETE | MOVED_FROM;
const naming = arrival | departure;

/** What attribution stands on. */
export interface AttributionParts {
  readonly kernel: Pick<Kernel, 'openWatcher' | 'openNameWatcher'>;
  readonly inventory: Inventory;
  readonly known: KnownMounts;
}

/** Names who made a foreign change, where exactly one process can have. */
export class Attribution implements Disposable {
  readonly #parts: AttributionParts;
  readonly #names: ReturnType<Kernel['openNameWatcher']>;
  /** By instance. */
  readonly #heard = new Map<string, HeardNames>();
  /** Passes that may have to do with what the kernel had no room to tell. */
  #deafFor = 0;

  constructor(parts: AttributionParts) {
    this.#parts = parts;
    this.#names = parts.kernel.openNameWatcher((events) => this.#note(events));
  }

  /** inotify as it is, with each directory that is watched marked for fanotify before it is read. */
  openWatcher(onWake: (watch: number | 'overflow') => void): Watcher {
    const watcher = this.#parts.kernel.openWatcher(onWake);
    return {
      ...watcher,
      add: (directory) => {
        this.#names?.mark(directory);
        return watcher.add(directory);
      },
    };
  }

  /**
   * A pass begins. What was heard before the last one began was there when that one read the names, and has
   * nothing to do with what this one finds.
   */
  begin(): void {
    this.#deafFor = Math.max(0, this.#deafFor - 1);
    for (const [mount, names] of this.#heard) {
      names.begin();
      if (names.isQuiet) this.#heard.delete(mount);
    }
  }

  /** Resolves when everything that happened until now has been heard. */
  async hear(): Promise<void> {
    await this.#names?.hear();
  }

  /** The origin of a change, with its writer in place of the kernel where there can be only one. */
  originOf({ change }: SettledChange, origin: Origin): Origin {
    if (origin.actor !== 'kernel' || this.#deafFor > 0) return origin;
    const writer = this.#writerOf(change);
    return writer === undefined ? origin : { ...origin, ...actorOf(writer) };
  }

  [Symbol.dispose](): void {
    this.#names?.[Symbol.dispose]();
  }

  #writerOf(change: SettledChange['change']): Writer | undefined {
    switch (change.type) {
      case 'created':
      case 'replaced':
        return this.#onlyWriter([{ pin: change.after, among: naming, needed: arrival }]);
      case 'removed':
        return this.#onlyWriter([{ pin: change.before, among: naming, needed: departure }]);
      case 'changed':
        return this.#onlyWriter([{ pin: change.after, among: ATTRIB, needed: ATTRIB }]);
      case 'renamed':
        return this.#onlyWriter([
          { pin: change.before, among: naming, needed: MOVED_FROM },
          { pin: change.after, among: naming, needed: MOVED_TO },
        ]);
    }
  }

  /** The one process that touched all of these names, each in the way that is needed. */
  #onlyWriter(
    names: readonly { readonly pin: PinState; readonly among: number; readonly needed: number }[],
  ): Writer | undefined {
    const writers = new Map<number, Writer>();
    for (const { pin, among, needed } of names) {
      const heard = this.#heardOf(pin).filter(({ mask }) => (mask & among) !== 0);
      if (!heard.some(({ mask }) => (mask & needed) !== 0)) return undefined;
      for (const { writer } of heard) {
        if (writers.get(writer.pid)?.process === undefined) writers.set(writer.pid, writer);
      }
    }
    const [writer, ...others] = writers.values();
    return others.length === 0 && writer?.pid !== 0 ? writer : undefined;
  }

  #heardOf({ mount, path }: PinState): readonly Heard[] {
    const parent = parentOf(path);
    const { inventory, known } = this.#parts;
    const entry = parent === '' ? undefined : inventory.findMount(mount)?.find(parent);
    const inode = parent === '' ? known.find(mount)?.root?.inode : directoryOf(entry);
    return inode === undefined ? [] : (this.#heard.get(mount)?.of(`${inode}/${nameOf(path)}`) ?? []);
  }

  #note(events: readonly (NameEvent | 'overflow')[]): void {
    for (const event of events) {
      if (event === 'overflow') {
        this.#deafFor = passesMax;
        continue;
      }
      const { mount, inode, name, mask, writer } = event;
      const names = this.#heard.get(mount) ?? new HeardNames();
      this.#heard.set(mount, names);
      names.add(`${inode}/${name}`, { mask, writer });
    }
  }
}

function directoryOf(entry: NamedEntry | undefined): number | undefined {
  return entry?.entry === 'directory' ? entry.facts.inode : undefined;
}

/** Of a process that had ended before it could be looked at, its number is all that is known. */
function actorOf({ pid, process }: Writer): Pick<Origin, 'actor' | 'unit'> {
  if (process === undefined) return { actor: `pid:${pid}` };
  const { unit } = ownerOfCgroup(process.cgroup);
  const actor = `uid:${process.uid} pid:${pid} comm:${escapeName(bytesOf(process.comm))}`;
  return unit === undefined ? { actor } : { actor, unit: escapeName(bytesOf(unit)) };
}
