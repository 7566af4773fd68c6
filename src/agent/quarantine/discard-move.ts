import type { HeldObject } from '../../kernel/kernel.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { escapeBytes, type PinPath, pathMembers } from '../../model/path.ts';
import { type DiscardItem, savePin } from '../journal/plan.ts';
import { isSameObject, pinnedObjectOf } from '../operation/holds.ts';
import {
  type Losing,
  letGo,
  type Move,
  mismatch,
  type Progress,
  pinBack,
  type Say,
  slotInode,
  unlinkKept,
} from '../operation/move.ts';
import { describeObject } from '../operation/sentence.ts';
import type { QuarantineChange } from '../operation/sink.ts';
import { isInode, type Site } from '../operation/site.ts';
import { Subject } from '../operation/subject.ts';
import type { Check, QuarantinePlace } from './quarantine-move.ts';

/**
 * A pin in quarantine goes for good. With its object still held by us, others are looked for once more after
 * the unlink; where there are any, it is pinned into its slot again and stays in quarantine.
 */
export class DiscardMove implements Move {
  readonly action = 'discard';
  readonly needsStaging = false;
  readonly path: PinPath;
  readonly #site: Site;
  readonly #where: QuarantinePlace;
  readonly #subject: Subject;
  readonly #check: Check;
  #progress: Progress = 'untouched';
  #isLastName: boolean | undefined;
  #change: QuarantineChange | undefined;

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
    return `remove the pin of ${describeObject(this.#subject.object)} from quarantine for good`;
  }

  item(): DiscardItem {
    const { path, slot, note } = this.#where;
    return { kind: 'discard', path, slot, note, expected: savePin(this.#subject.state, path) };
  }

  arriving(): undefined {
    return undefined;
  }

  losing(): Losing | undefined {
    if (this.#progress === 'retired') return undefined;
    return { subject: this.#subject, path: this.path, isLastName: this.#isLastName };
  }

  stage(): void {}

  apply(): void {
    if (this.#progress === 'retired') {
      this.#reviveIfHeld();
      return;
    }
    if (!isInode(slotInode(this.#site, this.#where.slot), this.#subject.state)) throw mismatch(this.path);
    this.#progress = 'moved';
  }

  unlink(say: Say): void {
    this.#check();
    unlinkKept(this.#site, this.#where.slot, this.path, (isLastName) => {
      this.#progress = 'unlinked';
      this.#isLastName = isLastName;
    });
    say('unlinked');
  }

  /** Whoever needs it has come while it was still open. */
  retire(): void {
    this.#check();
    letGo(this.#site, this.#where.slot);
    this.assumeDone();
  }

  undo(): void {
    if (this.#progress === 'unlinked' || this.#progress === 'retired') this.#keepAgain(this.#subject);
    this.#progress = 'untouched';
  }

  changes(): readonly QuarantineChange[] {
    return this.#change === undefined ? [] : [this.#change];
  }

  /** What is in its slot is still in quarantine, and nothing has been done. */
  examine(): void {
    if (slotInode(this.#site, this.#where.slot) !== undefined) this.#progress = 'untouched';
    else this.assumeDone();
  }

  assumeDone(): void {
    this.#progress = 'retired';
    this.#change = { type: 'discarded', ...this.#kept(), pin: this.#subject.known() };
  }

  /** The process died after the unlink: where others hold the object, it would not have come to that. */
  #reviveIfHeld(): void {
    using held = this.#findAlive();
    if (held === undefined) return;
    this.#keepAgain(Subject.of(this.#subject.known(), held));
    this.#progress = 'untouched';
    const detail = `Somebody holds what was at "${escapeBytes(this.path)}"; it stays in quarantine.`;
    throw new PinfoldError('conflict', { detail, ...pathMembers(this.path) });
  }

  #findAlive(): HeldObject | undefined {
    const { kind, id } = this.#subject.object;
    try {
      const held = this.#site.kernel.objects.holdById(kind, id);
      if (isSameObject(pinnedObjectOf(held), this.#subject.object)) return held;
      held[Symbol.dispose]();
    } catch (error) {
      if (!isPinfoldError(error)) throw error;
    }
    return undefined;
  }

  /** Another inode with the object it had. */
  #keepAgain(subject: Subject): void {
    pinBack(this.#site, this.#where.slot, subject);
    this.#change = { type: 'kept', ...this.#kept(), pin: subject.known() };
  }

  #kept() {
    const { slot, note } = this.#where;
    return { slot, note };
  }
}
