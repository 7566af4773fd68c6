import type { HeldObject } from '../../kernel/kernel.ts';
import type { PinPath } from '../../model/path.ts';
import { type PinItem, savePin } from '../journal/plan.ts';
import { DirectoryMaker } from './directory-maker.ts';
import { isSameObject } from './holds.ts';
import {
  giveBack,
  type Losing,
  type MayDrop,
  type Move,
  type Progress,
  type Say,
  slotInode,
} from './move.ts';
import { objectAt } from './pin-state.ts';
import { describeObject } from './sentence.ts';
import type { DirectoryChange, PinChange, PinnedObject } from './sink.ts';
import { isInode, type Site } from './site.ts';
import { type NewPin, StagedPin } from './staged-pin.ts';
import type { Subject } from './subject.ts';

/** A pin under a name that is free. */
export class PinMove implements Move {
  readonly action = 'pin';
  readonly needsStaging = true;
  readonly path: PinPath;
  readonly #site: Site;
  readonly #staged: StagedPin;
  readonly #directories: DirectoryMaker;
  #progress: Progress = 'untouched';
  #change: PinChange | undefined;

  constructor(
    site: Site,
    spec: NewPin & { readonly directories: readonly PinPath[] },
    held: HeldObject | undefined,
  ) {
    this.#site = site;
    this.path = spec.path;
    this.#staged = new StagedPin(site, spec, held);
    this.#directories = new DirectoryMaker(site, spec.directories);
  }

  get progress(): Progress {
    return this.#progress;
  }

  get subject(): Subject {
    return this.#staged.subject;
  }

  get sentence(): string {
    const made = this.#directories.paths.length;
    const first = made === 0 ? '' : `make ${made === 1 ? 'a directory' : `${made} directories`} and `;
    return `${first}pin ${describeObject(this.#staged.spec.object)}`;
  }

  item(): PinItem {
    const { spec, subject } = this.#staged;
    const made = savePin(subject.state, spec.path);
    return { kind: 'pin', ...itemOf(spec), directories: [...this.#directories.paths], made };
  }

  arriving(): PinnedObject {
    return this.#staged.spec.object;
  }

  losing(): Losing | undefined {
    return undefined;
  }

  stage(say: Say): void {
    if (this.#progress === 'untouched') this.#staged.make();
    this.#progress = 'staged';
    say('staged');
    this.#staged.finish(say);
  }

  apply(say: Say): void {
    if (this.#progress !== 'staged') return;
    this.#directories.make();
    const slot = this.#site.slot(this.#staged.spec.slot);
    this.#site.at(this.path, (place) => this.#site.move(slot, place, this.path));
    this.#progress = 'moved';
    this.#staged.named();
    this.#change = { type: 'created', after: this.subject.known() };
    say('named');
  }

  unlink(): void {}

  retire(): void {
    this.#progress = 'retired';
  }

  undo(mayDrop: MayDrop): void {
    if (this.#progress === 'moved' || this.#progress === 'retired') this.#takeBack();
    if (this.#progress === 'staged') this.#staged.discard(mayDrop);
    this.#directories.undo();
    this.#progress = 'untouched';
    this.#change = undefined;
  }

  /** The name is free again, or somebody else's. */
  #takeBack(): void {
    const { slot } = this.#staged.spec;
    if (this.#site.inodeAtPath(this.path) === undefined) {
      this.#progress = 'untouched';
      return;
    }
    this.#site.at(this.path, (place) => this.#site.move(place, this.#site.slot(slot), this.path));
    this.#progress = 'staged';
    if (isInode(slotInode(this.#site, slot), this.subject.state)) return;
    this.#progress = 'untouched';
    giveBack(this.#site, slot, this.path);
  }

  changes(): readonly (PinChange | DirectoryChange)[] {
    return this.#change === undefined ? [] : [...this.#directories.changes(), this.#change];
  }

  examine(): void {
    const { slot, object } = this.#staged.spec;
    this.#directories.examine();
    if (slotInode(this.#site, slot) !== undefined) {
      this.#progress = 'staged';
      return;
    }
    const there = objectAt(this.#site, this.path);
    if (there === undefined || !isSameObject(there.object, object)) return;
    this.subject.state = { ...there, annotations: this.#staged.spec.annotations };
    this.assumeDone();
  }

  assumeDone(): void {
    this.#progress = 'moved';
    this.#change = { type: 'created', after: this.subject.known() };
  }
}

/** The members that the items of a new pin and of a replacing one share. */
export function itemOf(
  spec: NewPin,
): Pick<PinItem, 'path' | 'slot' | 'object' | 'attributes' | 'annotations'> {
  const { path, slot, object, attributes, annotations } = spec;
  return { path, slot, object, attributes, annotations };
}
