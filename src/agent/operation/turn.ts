import type { InodeFacts, OpenName } from '../../kernel/kernel.ts';
import type { Fd } from '../../kernel/sys/fd.ts';
import type { PinPath } from '../../model/path.ts';

/** So many slots of one operation are kept open at a time: a batch may have a thousand. */
const slotsKeptMax = 16;

/** A directory that is open, and one of the paths that led to it. */
export interface Parent {
  readonly fd: Fd;
  /** As it was found. */
  readonly facts: InodeFacts;
  readonly of: PinPath;
}

/** What one operation of a group has touched: where it changed names, and what it keeps open of its slots. */
export class Turn implements Disposable {
  readonly #parents = new Map<Parent, string | undefined>();
  readonly #slots = new Map<string, OpenName>();

  /** Where the request asks for what is being done, where it asks for several things. */
  pointer: string | undefined;

  /** The directories in which names were changed, each with what first did so. */
  get parents(): ReadonlyMap<Parent, string | undefined> {
    return this.#parents;
  }

  /** Notes that names in a directory are changed. */
  touch(parent: Parent): void {
    if (!this.#parents.has(parent)) this.#parents.set(parent, this.pointer);
  }

  /** Keeps what a slot held open. */
  keep(slot: string, open: OpenName): void {
    if (this.#slots.size >= slotsKeptMax) this[Symbol.dispose]();
    this.#slots.set(slot, open);
  }

  /** What is kept of a slot, for the caller to close. */
  take(slot: string): OpenName | undefined {
    const kept = this.#slots.get(slot);
    this.#slots.delete(slot);
    return kept;
  }

  /** Lets go of all slots. */
  [Symbol.dispose](): void {
    for (const open of this.#slots.values()) open[Symbol.dispose]();
    this.#slots.clear();
  }
}
