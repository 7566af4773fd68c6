import { errnoName, SystemCallError } from './errno.ts';
import { lastErrno, raw } from './prototypes.ts';

/**
 * How long a descriptor may stay open: `operation` ones end with the `using` scope that made them, `request`
 * ones (run statistics) with whoever asked for them and are on no object, `kernel` ones (the iterators that
 * count references) stay until the Kernel is disposed and are on no object but Pinfold's own.
 */
export type Lifetime = 'operation' | 'request' | 'kernel';

/**
 * One open file descriptor, closed when its scope ends (`using fd = …`).
 *
 * An object lives as long as anybody holds a descriptor on it, so one of ours that outlives its operation
 * would be the very leak Pinfold exists to find. Every Fd is therefore listed in the FdTable that made it
 * until it is closed.
 */
export class Fd implements Disposable {
  readonly number: number;
  /** What it is open on, for the leak report: `map 12`, `directory tc/globals`. */
  readonly what: string;
  readonly lifetime: Lifetime;
  readonly #table: FdTable;
  #isOpen = true;

  constructor(number: number, as: { readonly what: string; readonly lifetime: Lifetime }, table: FdTable) {
    this.number = number;
    this.what = as.what;
    this.lifetime = as.lifetime;
    this.#table = table;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** `/proc/self/fd/N`: leads to exactly what is open, whatever has been renamed or unlinked since. */
  get procPath(): string {
    return `/proc/self/fd/${this.number}`;
  }

  /** Closes it; a second call does nothing. close(2) frees the number even where it reports an error. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#table.forget(this);
    const result = raw.close(this.number);
    if (result < 0 && lastErrno() === 9) throw new SystemCallError('close', errnoName(9));
  }
}

/**
 * The descriptors Pinfold has open; `transient` is empty between two operations, which tests and `/metrics`
 * check.
 */
export class FdTable {
  readonly #open = new Set<Fd>();

  /** Takes over a descriptor that a system call has just returned. */
  adopt(number: number, what: string, lifetime: Lifetime = 'operation'): Fd {
    const fd = new Fd(number, { what, lifetime }, this);
    this.#open.add(fd);
    return fd;
  }

  /** Called by Fd when it closes. */
  forget(fd: Fd): void {
    this.#open.delete(fd);
  }

  /** What is open now, oldest first. */
  list(): readonly Fd[] {
    return [...this.#open];
  }

  /** Those that must be closed when the operation that opened them ends; one that stays is a leak. */
  transient(): readonly Fd[] {
    return this.list().filter((fd) => fd.lifetime === 'operation');
  }
}
