import type { InodeFacts } from '../../kernel/kernel.ts';
import type { PinPath } from '../../model/path.ts';
import { type Attributes, type AttributesItem, savePin } from '../journal/plan.ts';
import { type Move, mismatch, type Progress, type Say } from './move.ts';
import type { Annotations, PinChange, PinState } from './sink.ts';
import { isInode, type Site } from './site.ts';
import type { Subject } from './subject.ts';

/** What a pin shall be: its permissions, and what Pinfold stores about it. */
export interface NewAttributes {
  readonly path: PinPath;
  readonly attributes: Attributes;
  readonly annotations: Annotations;
}

/** New permissions, labels or owner for a pin, set on its inode whatever its name is then. */
export class AttributesMove implements Move {
  readonly action = 'set_attributes';
  readonly needsStaging = false;
  readonly path: PinPath;
  readonly #site: Site;
  readonly #wanted: NewAttributes;
  readonly #subject: Subject;
  #before: PinState | undefined;
  #progress: Progress = 'untouched';
  #change: PinChange | undefined;

  constructor(site: Site, wanted: NewAttributes, subject: Subject) {
    this.#site = site;
    this.path = wanted.path;
    this.#wanted = wanted;
    this.#subject = subject;
  }

  get progress(): Progress {
    return this.#progress;
  }

  get sentence(): string {
    const { mode, uid, gid } = this.#wanted.attributes;
    return `set mode ${modeText(mode)}, owner ${uid}:${gid} and what is stored about the pin`;
  }

  item(): AttributesItem {
    const state = this.#before ?? this.#subject.state;
    const { path, attributes, annotations } = this.#wanted;
    const expected = savePin(state, path);
    return { kind: 'attributes', path, expected, attributes, annotations };
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
    const before = this.#subject.known();
    this.#before = before;
    const inode = this.#set(before, this.#wanted.attributes);
    const after = { ...before, inode, annotations: this.#wanted.annotations };
    this.#subject.state = after;
    this.#change = { type: 'changed', before, after };
    say('changed');
  }

  #set(expected: PinState, attributes: Attributes): InodeFacts {
    using open = this.#site.kernel.bpffs.openPin(this.#site.root, this.path);
    if (!isInode(open, expected)) throw mismatch(this.path);
    this.#progress = 'moved';
    return this.#site.setAttributes(open, attributes);
  }

  unlink(): void {}

  retire(): void {
    this.#progress = 'retired';
  }

  undo(): void {
    if (this.#progress === 'untouched') return;
    const before = this.#before ?? this.#subject.known();
    this.#change = undefined;
    const inode = this.#set(before, before.inode);
    this.#progress = 'untouched';
    this.#subject.state = { ...before, inode };
  }

  changes(): readonly PinChange[] {
    return this.#change === undefined ? [] : [this.#change];
  }

  examine(): void {
    if (isInode(this.#site.inodeAtPath(this.path), this.#subject.state)) this.#progress = 'moved';
  }

  assumeDone(): void {
    const before = this.#subject.known();
    const inode = { ...before.inode, ...this.#wanted.attributes };
    this.#change = {
      type: 'changed',
      before,
      after: { ...before, inode, annotations: this.#wanted.annotations },
    };
    this.#progress = 'retired';
  }
}

/** Permission bits as documents carry them. */
export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
