import type { HeldObject } from '../../kernel/kernel.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import type { PinPath } from '../../model/path.ts';
import { type ReplaceItem, savePin } from '../journal/plan.ts';
import { isSameObject, pinnedObjectOf } from './holds.ts';
import {
  type Losing,
  letGo,
  type MayDrop,
  type Move,
  mismatch,
  type Progress,
  pinBack,
  type Say,
  slotInode,
  strand,
  unlinkKept,
} from './move.ts';
import { itemOf } from './pin.ts';
import { objectAt } from './pin-state.ts';
import { describeObject, quote } from './sentence.ts';
import type { PinChange, PinnedObject } from './sink.ts';
import { isInode, type Site } from './site.ts';
import { type NewPin, StagedPin } from './staged-pin.ts';
import type { Subject } from './subject.ts';

/**
 * What is done right before and right after the one system call that exchanges two names, for who must know
 * what the objects had in them at that moment. `before` may refuse: nothing has changed by then. `after` must
 * not throw: others may have opened the new pin already, and what is taken back they would lose.
 */
export interface AroundExchange {
  before(): void;
  after(): void;
}

/** A pin under a name that holds another object, which it displaces in one step for every onlooker. */
export class ReplaceMove implements Move {
  readonly action = 'replace';
  readonly needsStaging = true;
  readonly path: PinPath;
  readonly #site: Site;
  readonly #staged: StagedPin;
  readonly #displaced: Subject;
  readonly #around: AroundExchange | undefined;
  #progress: Progress = 'untouched';
  #isLastName: boolean | undefined;
  #change: PinChange | undefined;

  constructor(
    site: Site,
    spec: NewPin,
    pins: {
      readonly source: HeldObject | undefined;
      readonly displaced: Subject;
      readonly around: AroundExchange | undefined;
    },
  ) {
    this.#site = site;
    this.path = spec.path;
    this.#staged = new StagedPin(site, spec, pins.source);
    this.#displaced = pins.displaced;
    this.#around = pins.around;
  }

  get progress(): Progress {
    return this.#progress;
  }

  get subject(): Subject {
    return this.#staged.subject;
  }

  get #slot(): string {
    return this.#staged.spec.slot;
  }

  get sentence(): string {
    const { object } = this.#staged.spec;
    return `pin ${describeObject(object)} in place of ${describeObject(this.#displaced.object)}`;
  }

  item(): ReplaceItem {
    const made = savePin(this.subject.state, this.path);
    const expected = savePin(this.#displaced.state, this.path);
    return { kind: 'replace', ...itemOf(this.#staged.spec), expected, made };
  }

  arriving(): PinnedObject {
    return this.#staged.spec.object;
  }

  losing(): Losing | undefined {
    if (this.#progress === 'retired') return undefined;
    return { subject: this.#displaced, path: this.path, isLastName: this.#isLastName };
  }

  stage(say: Say): void {
    if (this.#progress === 'untouched') this.#staged.make();
    this.#progress = 'staged';
    say('staged');
    this.#staged.finish(say);
  }

  apply(say: Say): void {
    if (this.#progress === 'retired') return;
    const before = this.#displaced.known();
    if (this.#progress === 'staged') this.#exchange();
    this.#staged.named();
    // The process died after the exchange, and by now somebody has taken the name from the new pin.
    if (this.subject.state === undefined) throw mismatch(this.path);
    say('exchanged');
    if (!isInode(slotInode(this.#site, this.#slot), before)) {
      this.#exchangeBack();
      throw mismatch(this.path);
    }
    this.#change = { type: 'replaced', before, after: this.subject.known() };
  }

  #exchange(): void {
    try {
      const slot = this.#site.slot(this.#slot);
      this.#site.at(this.path, (place) => {
        this.#around?.before();
        this.#site.exchange(slot, place, this.path);
      });
      this.#progress = 'moved';
      this.#around?.after();
    } catch (error) {
      if (!isPinfoldError(error, 'pin_not_found')) throw error;
      const detail = `The pin at ${quote(this.path)} was removed by somebody else at the same time.`;
      throw new PinfoldError('conflict', { ...error.details, detail }, error);
    }
  }

  unlink(say: Say): void {
    unlinkKept(this.#site, this.#slot, this.path, (isLastName) => {
      this.#progress = 'unlinked';
      this.#isLastName = isLastName;
    });
    say('displaced_unlinked');
  }

  retire(): void {
    letGo(this.#site, this.#slot);
    this.#progress = 'retired';
  }

  undo(mayDrop: MayDrop): void {
    const before = this.#change?.type === 'replaced' ? this.#change.before : undefined;
    this.#change = undefined;
    if (this.#progress === 'unlinked' || this.#progress === 'retired') {
      pinBack(this.#site, this.#slot, this.#displaced);
      this.#progress = 'moved';
      if (before !== undefined) this.#change = { type: 'replaced', before, after: this.#displaced.known() };
    }
    if (this.#progress === 'moved') this.#exchangeBack();
    if (this.#progress === 'staged') this.#staged.discard(mayDrop);
    this.#progress = 'untouched';
  }

  /**
   * Puts what is in the slot back under its name. What comes out must be our own new pin: where somebody has
   * put another there meanwhile, that one stays, and what was displaced is kept in the slot.
   */
  #exchangeBack(): void {
    const slot = this.#site.slot(this.#slot);
    this.#progress = 'staged';
    try {
      this.#site.at(this.path, (place) => this.#site.exchange(slot, place, this.path));
      if (this.#isOwn()) return;
      this.#site.at(this.path, (place) => this.#site.exchange(slot, place, this.path));
    } catch (error) {
      this.#progress = 'untouched';
      if (!isPinfoldError(error, 'pin_not_found')) strand(this.#slot, this.path, error);
      this.#nameAgain();
      return;
    }
    this.#progress = 'untouched';
    strand(this.#slot, this.path, undefined);
  }

  /** Our new pin has been removed under its name: what it displaced gets the free name back. */
  #nameAgain(): void {
    try {
      this.#site.at(this.path, (place) => this.#site.move(this.#site.slot(this.#slot), place, this.path));
    } catch (error) {
      strand(this.#slot, this.path, error);
    }
  }

  #isOwn(): boolean {
    const { state } = this.subject;
    if (state !== undefined) return isInode(slotInode(this.#site, this.#slot), state);
    using open = this.#site.openSlot(this.#slot);
    using held = this.#site.kernel.objects.holdPinned(open.fd);
    return isSameObject(pinnedObjectOf(held), this.#staged.spec.object);
  }

  changes(): readonly PinChange[] {
    return this.#change === undefined ? [] : [this.#change];
  }

  examine(): void {
    const inSlot = slotInode(this.#site, this.#slot);
    if (inSlot !== undefined) {
      this.#progress = !isInode(inSlot, this.#displaced.state) && this.#isOwn() ? 'staged' : 'moved';
    }
    const there = objectAt(this.#site, this.path);
    const isNamed = there !== undefined && isSameObject(there.object, this.#staged.spec.object);
    if (this.#progress === 'staged' || !isNamed) return;
    this.subject.state = { ...there, annotations: this.#staged.spec.annotations };
    if (inSlot === undefined) this.assumeDone();
  }

  assumeDone(): void {
    this.#progress = 'retired';
    this.#change = { type: 'replaced', before: this.#displaced.known(), after: this.subject.known() };
  }
}
