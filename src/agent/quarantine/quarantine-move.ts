import type { PinPath } from '../../model/path.ts';
import { type QuarantineItem, type SavedNote, savePin } from '../journal/plan.ts';
import { giveBack, type Move, mismatch, type Progress, type Say, slotInode } from '../operation/move.ts';
import { describeObject } from '../operation/sentence.ts';
import type { PinChange } from '../operation/sink.ts';
import { factsOf, isInode, type Site } from '../operation/site.ts';
import type { Subject } from '../operation/subject.ts';

/** A pin on its way into quarantine: from which path to which slot, and why. */
export interface QuarantinePlace {
  readonly path: PinPath;
  readonly slot: string;
  readonly note: SavedNote;
}

/** Throws where somebody needs what an operation is about to take away. */
export type Check = () => void;

/**
 * A pin is moved into its slot and stays there. Its object loses nothing: the same inode goes on holding it.
 *
 * The check is made with the name out of everybody's way: who could still come must be a holder already.
 */
export class QuarantineMove implements Move {
  readonly action = 'quarantine';
  readonly needsStaging = false;
  readonly path: PinPath;
  readonly #site: Site;
  readonly #where: QuarantinePlace;
  readonly #subject: Subject;
  readonly #check: Check;
  #progress: Progress = 'untouched';
  #change: PinChange | undefined;

  constructor(site: Site, where: QuarantinePlace, pin: { readonly subject: Subject; readonly check: Check }) {
    this.#site = site;
    this.path = where.path;
    this.#where = where;
    this.#subject = pin.subject;
    this.#check = pin.check;
  }

  get progress(): Progress {
    return this.#progress;
  }

  get sentence(): string {
    return `move the pin of ${describeObject(this.#subject.object)} into quarantine`;
  }

  item(): QuarantineItem {
    const { path, slot, note } = this.#where;
    return { kind: 'quarantine', path, slot, note, expected: savePin(this.#subject.state, path) };
  }

  arriving(): undefined {
    return undefined;
  }

  losing(): undefined {
    return undefined;
  }

  stage(): void {}

  apply(say: Say): void {
    const { slot, note } = this.#where;
    const before = this.#subject.known();
    if (this.#progress === 'untouched') {
      this.#site.at(this.path, (place) => this.#site.move(place, this.#site.slot(slot), this.path));
    }
    this.#progress = 'aside';
    say('moved_aside');
    using aside = this.#site.findSlot(slot);
    if (aside === undefined || !isInode(aside, before)) {
      this.#progress = 'untouched';
      giveBack(this.#site, slot, this.path);
      throw mismatch(this.path);
    }
    this.#subject.update({ inode: factsOf(aside) });
    this.#change = { type: 'removed', before, quarantined: { slot, note } };
  }

  unlink(): void {}

  /** Its inode is let go of by now, so that the counters show what others hold. */
  retire(): void {
    this.#check();
    this.#progress = 'retired';
  }

  undo(): void {
    this.#change = undefined;
    if (this.#progress === 'untouched') return;
    this.#progress = 'untouched';
    giveBack(this.#site, this.#where.slot, this.path);
  }

  changes(): readonly PinChange[] {
    return this.#change === undefined ? [] : [this.#change];
  }

  /** An interrupted one goes back: whoever wanted it can ask again. */
  examine(): void {
    if (slotInode(this.#site, this.#where.slot) !== undefined) this.#progress = 'aside';
  }

  assumeDone(): void {
    this.#progress = 'retired';
  }
}
