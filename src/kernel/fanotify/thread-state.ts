const [waiting, running, over] = [0, 1, 2] as const;

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

  /** The reader begins; false where it is not wanted any more. */
  begin(): boolean {
    return Atomics.compareExchange(this.#state, 0, waiting, running) === waiting;
  }

  /** The reader is done: it uses nothing any more. */
  end(): void {
    Atomics.store(this.#state, 0, over);
    Atomics.notify(this.#state, 0);
  }

  /**
   * Makes sure of the end: a reader that has not begun never will; one that has is told to stop, and waited
   * for. False where it does not answer.
   */
  stop(tell: () => void, patienceMs: number): boolean {
    if (Atomics.compareExchange(this.#state, 0, waiting, over) !== running) return true;
    tell();
    return Atomics.wait(this.#state, 0, running, patienceMs) !== 'timed-out';
  }
}
