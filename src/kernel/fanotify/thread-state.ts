const [waiting, running, unwanted, over] = [0, 1, 2, 3] as const;

/**
 * Whether the reader may use the descriptors it was given. They are numbers of the whole process: one that
 * was closed would soon be somebody else's.
 */
export class ThreadState {
  readonly shared: SharedArrayBuffer;
  readonly #state: Int32Array;

  constructor(shared = new SharedArrayBuffer(4)) {
    this.shared = shared;
    this.#state = new Int32Array(shared);
  }

  /** The reader has loaded all it needs and begins; false where it is not wanted any more. */
  begin(): boolean {
    const isWanted = Atomics.compareExchange(this.#state, 0, waiting, running) === waiting;
    if (!isWanted) this.end();
    return isWanted;
  }

  /** The reader is done: it uses nothing any more. */
  end(): void {
    Atomics.store(this.#state, 0, over);
    Atomics.notify(this.#state, 0);
  }

  /**
   * Makes sure of the end: a reader that has not begun never will; one that has is told to stop. Both are
   * waited for: a process that ends while a thread of it still loads native code is aborted. False where it
   * does not answer.
   */
  stop(tell: () => void, patienceMs: number): boolean {
    const before = Atomics.compareExchange(this.#state, 0, waiting, unwanted);
    if (before === over) return true;
    if (before === running) tell();
    const now = before === running ? running : unwanted;
    return Atomics.wait(this.#state, 0, now, patienceMs) !== 'timed-out';
  }
}
