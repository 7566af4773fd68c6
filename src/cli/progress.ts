import type { Io } from './io.ts';

/** How many items arrive before a person is told that more are coming. */
const stride = 1000;

/** A running count on stderr, for long lists on a terminal; elsewhere it says nothing. */
export class Progress {
  readonly #io: Io;
  readonly #what: string;
  #isShown = false;

  constructor(io: Io, what: string) {
    this.#io = io;
    this.#what = what;
  }

  count(items: number): void {
    if (!this.#io.isTTY.stderr || items % stride !== 0) return;
    this.#isShown = true;
    this.#io.stderr.write(`\r${items} ${this.#what}…`);
  }

  /** Takes the count away again (ECMA-48: EL). */
  clear(): void {
    if (this.#isShown) this.#io.stderr.write('\r\u001b[K');
    this.#isShown = false;
  }
}
