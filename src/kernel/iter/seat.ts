import { AT_FDCWD, type Calls, open } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';

/**
 * A low descriptor number on which what is to be counted sits down for a moment.
 *
 * The iterator over our files begins at number 0 and is cut off at the first record: what it costs grows with
 * the number of the descriptor, and an agent has one open for each caller. A duplicate shares its reference
 * (fs/file.c): nothing counts more by it.
 */
export class Seat implements Disposable {
  readonly #calls: Calls;
  readonly #nobody: Fd;
  readonly #place: Fd;

  constructor(calls: Calls) {
    const openRoot = (what: string): Fd =>
      calls.openat2({ directory: AT_FDCWD, name: '/' }, { flags: open.PATH, resolve: 0 }, what, 'kernel');
    this.#calls = calls;
    this.#place = openRoot('seat');
    this.#nobody = openRoot('nobody');
  }

  /** Lends the number under which a descriptor is open too until `use` returns; else its own. */
  lend<Result>(fd: Fd, use: (number: number) => Result): Result {
    if (!this.#place.isOpen || !this.#sit(fd)) return use(fd.number);
    try {
      return use(this.#place.number);
    } finally {
      // Nothing may be held by accident: close(2) lets go even where it reports an error.
      if (!this.#sit(this.#nobody)) this.#place[Symbol.dispose]();
    }
  }

  #sit(fd: Fd): boolean {
    try {
      this.#calls.dup3(fd, this.#place);
      return true;
    } catch (error) {
      if (isSystemCallError(error)) return false;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#place[Symbol.dispose]();
    this.#nobody[Symbol.dispose]();
  }
}
