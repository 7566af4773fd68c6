import type { PinPath } from '../../model/path.ts';
import { savePin, type UnpinItem } from '../journal/plan.ts';
import { isSameObject } from './holds.ts';
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
  unlinkKept,
} from './move.ts';
import { objectAt } from './pin-state.ts';
import { describeObject } from './sentence.ts';
import type { PinChange } from './sink.ts';
import { factsOf, isInode, type Site } from './site.ts';
import type { Subject } from './subject.ts';

/**
 * The removal of a pin. Its name is first moved into the slot, so that what is checked is what is removed;
 * whatever else turns up there gets its name back.
 */
export class UnpinMove implements Move {
  readonly action = 'unpin';
  readonly needsStaging = false;
  readonly path: PinPath;
  readonly #site: Site;
  readonly #slot: string;
  readonly #subject: Subject;
  #progress: Progress = 'untouched';
  #isLastName: boolean | undefined;
  #change: PinChange | undefined;

  constructor(site: Site, where: { readonly path: PinPath; readonly slot: string }, subject: Subject) {
    this.#site = site;
    this.path = where.path;
    this.#slot = where.slot;
    this.#subject = subject;
  }

  get progress(): Progress {
    return this.#progress;
  }

  get sentence(): string {
    return `remove the pin of ${describeObject(this.#subject.object)}`;
  }

  item(): UnpinItem {
    const { state } = this.#subject;
    return { kind: 'unpin', path: this.path, slot: this.#slot, expected: savePin(state, this.path) };
  }

  arriving(): undefined {
    return undefined;
  }

  losing(): Losing | undefined {
    if (this.#progress === 'retired') return undefined;
    return { subject: this.#subject, path: this.path, isLastName: this.#isLastName };
  }

  stage(): void {}

  apply(say: Say): void {
    if (this.#progress === 'retired') return;
    const before = this.#subject.known();
    if (this.#progress === 'untouched') {
      this.#site.at(this.path, (place) => this.#site.move(place, this.#site.slot(this.#slot), this.path));
    }
    this.#progress = 'aside';
    say('moved_aside');
    const aside = this.#site.findSlot(this.#slot);
    if (aside !== undefined) this.#site.keepSlot(this.#slot, aside);
    if (aside === undefined || !isInode(aside, before)) {
      this.#progress = 'untouched';
      giveBack(this.#site, this.#slot, this.path);
      throw mismatch(this.path);
    }
    this.#subject.update({ inode: factsOf(aside) });
    this.#change = { type: 'removed', before };
  }

  unlink(say: Say): void {
    unlinkKept(this.#site, this.#slot, this.path, (isLastName) => {
      this.#progress = 'unlinked';
      this.#isLastName = isLastName;
    });
    say('unlinked');
  }

  retire(): void {
    letGo(this.#site, this.#slot);
    this.#progress = 'retired';
  }

  undo(): void {
    const before = this.#change?.type === 'removed' ? this.#change.before : undefined;
    this.#change = undefined;
    if (this.#progress === 'unlinked' || this.#progress === 'retired') {
      pinBack(this.#site, this.#slot, this.#subject);
      this.#progress = 'aside';
      if (before !== undefined) this.#change = { type: 'replaced', before, after: this.#subject.known() };
    }
    if (this.#progress !== 'aside') return;
    this.#progress = 'untouched';
    giveBack(this.#site, this.#slot, this.path);
  }

  changes(): readonly PinChange[] {
    return this.#change === undefined ? [] : [this.#change];
  }

  examine(): void {
    if (slotInode(this.#site, this.#slot) !== undefined) this.#progress = 'aside';
    else if (!this.#isThere()) this.assumeDone();
  }

  /** Another inode with the same object is an unpin that was taken back. */
  #isThere(): boolean {
    const there = objectAt(this.#site, this.path);
    return there !== undefined && isSameObject(there.object, this.#subject.object);
  }

  assumeDone(): void {
    this.#progress = 'retired';
    this.#change = { type: 'removed', before: this.#subject.known() };
  }
}
