import { isPinfoldError } from '../../model/error.ts';
import type { PinPath } from '../../model/path.ts';
import { type RenameItem, savePin } from '../journal/plan.ts';
import { DirectoryMaker } from './directory-maker.ts';
import {
  giveBack,
  type Losing,
  letGo,
  type Move,
  mismatch,
  type Progress,
  pinBack,
  type Say,
  slotInode,
  strand,
  unlinkKept,
} from './move.ts';
import { describeObject, quote } from './sentence.ts';
import type { DirectoryChange, PinChange } from './sink.ts';
import { isInode, type Site } from './site.ts';
import type { Subject } from './subject.ts';

/** Where a pin goes, and what is there. */
export interface Destination {
  readonly path: PinPath;
  readonly to: PinPath;
  readonly slot: string;
  readonly directories: readonly PinPath[];
  readonly displaced: Subject | undefined;
}

/**
 * Another name for a pin. Where the new name is free, that is one rename; where it is to be displaced, the
 * pin goes by way of the slot and is exchanged from there, so that the new name never vanishes and what it
 * held can be looked at first.
 */
export class RenameMove implements Move {
  readonly action = 'rename';
  readonly needsStaging = false;
  readonly path: PinPath;
  readonly #site: Site;
  readonly #where: Destination;
  readonly #subject: Subject;
  readonly #directories: DirectoryMaker;
  #progress: Progress = 'untouched';
  #isLastName: boolean | undefined;
  #changes: readonly PinChange[] = [];

  constructor(site: Site, where: Destination, subject: Subject) {
    this.#site = site;
    this.path = where.path;
    this.#where = where;
    this.#subject = subject;
    this.#directories = new DirectoryMaker(site, where.directories);
  }

  get progress(): Progress {
    return this.#progress;
  }

  get sentence(): string {
    const { displaced, to } = this.#where;
    const instead = displaced === undefined ? '' : ` in place of ${describeObject(displaced.object)}`;
    return `rename the pin of ${describeObject(this.#subject.object)} to ${quote(to)}${instead}`;
  }

  item(): RenameItem {
    const { path, to, slot, displaced } = this.#where;
    const directories = [...this.#directories.paths];
    const expected = savePin(this.#subject.state, path);
    const item = { kind: 'rename' as const, path, to, slot, directories, expected };
    if (displaced === undefined) return item;
    return { ...item, displaced: savePin(displaced.state, to) };
  }

  arriving(): undefined {
    return undefined;
  }

  losing(): Losing | undefined {
    const { displaced, to } = this.#where;
    if (displaced === undefined || this.#progress === 'retired') return undefined;
    return { subject: displaced, path: to, isLastName: this.#isLastName };
  }

  stage(): void {}

  apply(say: Say): void {
    if (this.#progress === 'retired') return;
    this.#directories.make();
    const before = this.#subject.known();
    if (this.#where.displaced === undefined) this.#renameDirectly(say);
    else this.#renameOver(this.#where.displaced, say);
    const { to } = this.#where;
    const inode = this.#site.inodeAtPath(to);
    const after = this.#subject.update({ path: to, inode: isInode(inode, before) ? inode : undefined });
    this.#changes = [...this.#changes, { type: 'renamed', before, after }];
  }

  #renameDirectly(say: Say): void {
    const { path, to, slot } = this.#where;
    if (this.#progress === 'moved') return;
    if (!isInode(this.#site.inodeAtPath(path), this.#subject.state)) throw mismatch(path);
    this.#site.at(path, (from) => this.#site.at(to, (place) => this.#site.move(from, place, to)));
    this.#progress = 'moved';
    say('renamed');
    if (!isInode(this.#site.inodeAtPath(to), this.#subject.state)) {
      this.#progress = 'untouched';
      this.#returnForeign(slot);
      throw mismatch(path);
    }
  }

  /**
   * What was renamed is not what was meant: it gets its name back, or is kept where nobody's name is taken
   * for it.
   */
  #returnForeign(slot: string): void {
    const { path, to } = this.#where;
    try {
      this.#site.at(to, (from) => this.#site.at(path, (place) => this.#site.move(from, place, path)));
    } catch (error) {
      if (!isPinfoldError(error, 'pin_exists')) throw error;
      this.#site.at(to, (from) => this.#site.move(from, this.#site.slot(slot), to));
      strand(slot, path, error);
    }
  }

  #renameOver(displaced: Subject, say: Say): void {
    const { to, slot } = this.#where;
    const before = displaced.known();
    if (this.#progress === 'untouched') this.#setAside();
    if (this.#progress === 'aside') {
      this.#site.at(to, (place) => this.#site.exchange(this.#site.slot(slot), place, to));
      this.#progress = 'moved';
      say('renamed');
    }
    if (!isInode(slotInode(this.#site, slot), before)) {
      this.undo();
      throw mismatch(to);
    }
    this.#changes = [{ type: 'removed', before }];
  }

  #setAside(): void {
    const { path, slot } = this.#where;
    this.#site.at(path, (place) => this.#site.move(place, this.#site.slot(slot), path));
    this.#progress = 'aside';
    if (isInode(slotInode(this.#site, slot), this.#subject.state)) return;
    this.#progress = 'untouched';
    giveBack(this.#site, slot, path);
    throw mismatch(path);
  }

  unlink(say: Say): void {
    const { displaced, slot, to } = this.#where;
    if (displaced === undefined) return;
    unlinkKept(this.#site, slot, to, (isLastName) => {
      this.#progress = 'unlinked';
      this.#isLastName = isLastName;
    });
    say('unlinked');
  }

  retire(): void {
    letGo(this.#site, this.#where.slot);
    this.#progress = 'retired';
  }

  undo(): void {
    const { displaced, slot, path } = this.#where;
    const removed = this.#changes.find((change) => change.type === 'removed');
    this.#changes = [];
    if (displaced === undefined) this.#undoDirect();
    else this.#undoOver(displaced, removed?.type === 'removed' ? removed.before : displaced.known());
    if (this.#progress === 'aside') giveBack(this.#site, slot, path);
    this.#progress = 'untouched';
    this.#directories.undo();
    if (this.#subject.state !== undefined) this.#subject.update({ path });
  }

  #undoDirect(): void {
    const { path, to } = this.#where;
    if (this.#progress === 'untouched') return;
    if (!isInode(this.#site.inodeAtPath(to), this.#subject.state)) throw mismatch(to);
    this.#site.at(to, (from) => this.#site.at(path, (place) => this.#site.move(from, place, path)));
  }

  #undoOver(displaced: Subject, before: ReturnType<Subject['known']>): void {
    const { to, slot } = this.#where;
    if (this.#progress === 'unlinked' || this.#progress === 'retired') {
      pinBack(this.#site, slot, displaced);
      this.#progress = 'moved';
      this.#changes = [{ type: 'replaced', before, after: displaced.known() }];
    }
    if (this.#progress !== 'moved') return;
    this.#site.at(to, (place) => this.#site.exchange(this.#site.slot(slot), place, to));
    this.#progress = 'aside';
    if (isInode(slotInode(this.#site, slot), this.#subject.state)) return;
    this.#site.at(to, (place) => this.#site.exchange(this.#site.slot(slot), place, to));
    this.#progress = 'untouched';
    strand(slot, to, undefined);
  }

  changes(): readonly (PinChange | DirectoryChange)[] {
    return [...this.#directories.changes(), ...this.#changes];
  }

  examine(): void {
    const { to, slot } = this.#where;
    const state = this.#subject.known();
    this.#directories.examine();
    const inSlot = slotInode(this.#site, slot);
    const there = this.#site.inodeAtPath(to);
    if (inSlot !== undefined) this.#progress = isInode(inSlot, state) ? 'aside' : 'moved';
    else if (isInode(there, state)) this.assumeDone();
  }

  assumeDone(): void {
    const { to, displaced } = this.#where;
    const before = this.#subject.known();
    const inode = this.#site.inodeAtPath(to);
    const after = this.#subject.update({ path: to, inode: isInode(inode, before) ? inode : undefined });
    const removed: readonly PinChange[] =
      displaced === undefined ? [] : [{ type: 'removed', before: displaced.known() }];
    this.#changes = [...removed, { type: 'renamed', before, after }];
    this.#progress = 'retired';
  }
}
