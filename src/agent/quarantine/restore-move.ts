import type { PinPath } from '../../model/path.ts';
import { type RestoreItem, savePin } from '../journal/plan.ts';
import { DirectoryMaker } from '../operation/directory-maker.ts';
import { giveBack, type Move, type Progress, type Say, slotInode } from '../operation/move.ts';
import { describeObject } from '../operation/sentence.ts';
import type { DirectoryChange, PinChange } from '../operation/sink.ts';
import { isInode, type Site } from '../operation/site.ts';
import type { Subject } from '../operation/subject.ts';
import type { QuarantinePlace } from './quarantine-move.ts';

/** Where a pin was, and which directories of that path somebody has removed since. */
export interface RestorePlace extends QuarantinePlace {
  readonly directories: readonly PinPath[];
}

/** A pin gets out of quarantine, under the name it had; never over what is there now. */
export class RestoreMove implements Move {
  readonly action = 'restore';
  readonly needsStaging = false;
  readonly path: PinPath;
  readonly #site: Site;
  readonly #where: RestorePlace;
  readonly #subject: Subject;
  readonly #directories: DirectoryMaker;
  #progress: Progress = 'untouched';
  #change: PinChange | undefined;

  constructor(site: Site, where: RestorePlace, subject: Subject) {
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
    return `give the pin of ${describeObject(this.#subject.object)} its name back`;
  }

  item(): RestoreItem {
    const { path, slot, note } = this.#where;
    const directories = [...this.#directories.paths];
    return { kind: 'restore', path, slot, note, directories, expected: savePin(this.#subject.state, path) };
  }

  arriving(): undefined {
    return undefined;
  }

  losing(): undefined {
    return undefined;
  }

  stage(): void {}

  apply(say: Say): void {
    if (this.#progress === 'retired') return;
    const { slot } = this.#where;
    this.#directories.make();
    this.#site.at(this.path, (place) => this.#site.move(this.#site.slot(slot), place, this.path));
    this.#progress = 'moved';
    this.#note();
    say('named');
  }

  unlink(): void {}

  retire(): void {
    this.#progress = 'retired';
  }

  undo(): void {
    this.#change = undefined;
    if (this.#progress !== 'untouched') this.#takeBack();
    this.#progress = 'untouched';
    this.#directories.undo();
  }

  /** What is under the name by now may be somebody else's, and stays then. */
  #takeBack(): void {
    const { slot } = this.#where;
    if (this.#site.inodeAtPath(this.path) === undefined) return;
    this.#site.at(this.path, (place) => this.#site.move(place, this.#site.slot(slot), this.path));
    if (isInode(slotInode(this.#site, slot), this.#subject.state)) return;
    giveBack(this.#site, slot, this.path);
  }

  changes(): readonly (PinChange | DirectoryChange)[] {
    return this.#change === undefined ? [] : [...this.#directories.changes(), this.#change];
  }

  /** What is in its slot is still in quarantine; what is not has got its name back. */
  examine(): void {
    this.#directories.examine();
    if (slotInode(this.#site, this.#where.slot) === undefined) this.assumeDone();
  }

  assumeDone(): void {
    this.#progress = 'retired';
    this.#note();
  }

  #note(): void {
    const { slot, note } = this.#where;
    const inode = this.#site.inodeAtPath(this.path);
    const after = this.#subject.update({
      path: this.path,
      inode: isInode(inode, this.#subject.state) ? inode : undefined,
    });
    this.#change = { type: 'created', after, restored: { slot, note } };
  }
}
