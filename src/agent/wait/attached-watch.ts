import { limits } from '../../model/limits.ts';

/** Looking may take one part in so many of the time. */
const share = 20;

/**
 * Looks again and again while somebody waits for a thing to be attached: no event tells of it.
 *
 * Every limits.holderReadingMs, which is how old a reading of holders may be; less often where a look takes
 * long.
 */
export class AttachedWatch {
  readonly #monotonicMs: () => number;
  readonly #look: () => void;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(monotonicMs: () => number, look: () => void) {
    this.#monotonicMs = monotonicMs;
    this.#look = look;
  }

  enter(): void {
    this.#count++;
    this.#timer ??= this.#after(limits.holderReadingMs);
  }

  leave(): void {
    this.#count--;
    if (this.#count > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #after(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      const began = this.#monotonicMs();
      this.#look();
      const tookMs = this.#monotonicMs() - began;
      const nextMs = Math.max(limits.holderReadingMs, tookMs * share);
      this.#timer = this.#count === 0 ? undefined : this.#after(nextMs);
    }, ms);
  }
}
