import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../model/clock.ts';
import { limits } from '../../model/limits.ts';

/**
 * Cuts long work into slices, so that requests are answered in between.
 *
 * Whoever works asks `isOver` after each small step, closes every descriptor when it says yes, and awaits
 * `rest`: no descriptor of ours may be open while somebody else's operation counts references.
 */
export class Pace {
  readonly #clock: Clock;
  #began: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#began = clock.monotonicMs();
  }

  isOver(): boolean {
    return this.#clock.monotonicMs() - this.#began >= limits.observeSliceMs;
  }

  /** Lets everything that waits have its turn, then begins the next slice. */
  async rest(): Promise<void> {
    await setImmediate();
    this.#began = this.#clock.monotonicMs();
  }

  /** Rests if the slice is over. */
  async restIfOver(): Promise<void> {
    if (this.isOver()) await this.rest();
  }
}
