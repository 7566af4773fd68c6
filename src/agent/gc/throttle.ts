import type { Clock } from '../../model/clock.ts';

/** Keeps work at so much a second, without bursts. */
export class Throttle {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #freeAtMs = 0;
  #wake: () => void = () => undefined;
  #isStopped = false;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /** Waits until so much may be done; answers false where it was stopped. One caller at a time waits. */
  async take(count: number): Promise<boolean> {
    const now = this.#clock.monotonicMs();
    const from = Math.max(now, this.#freeAtMs);
    this.#freeAtMs = from + (count * 1000) / this.#perSecond;
    if (from > now && !this.#isStopped) await this.#wait(from - now);
    return !this.#isStopped;
  }

  /** Lets whoever waits go on, and nobody wait any more. */
  stop(): void {
    this.#isStopped = true;
    this.#wake();
  }

  async #wait(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
