/** The first wait, and the longest: a store that is back is found soon, one that is not is spared. */
const firstMs = 100;
const longestMs = 2000;

/** Waits between tries, each twice as long as the one before, up to a bound; a part of each is by chance. */
export class Backoff {
  #nextMs = firstMs;

  /** What was tried worked: the next wait is the first again. */
  reset(): void {
    this.#nextMs = firstMs;
  }

  /** Resolves when it is time to try again, or when the signal is aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    const ms = this.#nextMs * (0.5 + Math.random() / 2);
    this.#nextMs = Math.min(2 * this.#nextMs, longestMs);
    await pause(ms, signal);
  }
}

/**
 * Resolves after a time, or when one of the signals is aborted. `AbortSignal.any` would not do where one of
 * them lives long: it goes on knowing every other that it was ever made one with.
 */
export function pause(ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    for (const signal of signals) signal.addEventListener('abort', finish, { once: true });
    if (signals.some(({ aborted }) => aborted)) finish();
  });
}
