import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../model/clock.ts';
import { limits } from '../../model/limits.ts';

/** Lets others have the event loop in between. */
export class Slices {
  readonly #clock: Clock;
  #from: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#from = clock.monotonicMs();
  }

  /** Waits for a turn of the event loop where this one has had its time. */
  async pause(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#from < limits.editSliceMs) return;
    await setImmediate();
    this.#from = this.#clock.monotonicMs();
  }
}
