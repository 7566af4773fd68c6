import { inspect } from 'node:util';

/** How long to wait and how often to look. */
export interface Patience {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

/**
 * Looks again and again until `isDone` accepts what `probe` gave, and gives that.
 *
 * This is how tests wait: a condition with a deadline, never a sleep. Kernel frees take 10–300 ms,
 * observations 1 s.
 * @throws Error that names `what` was waited for and the last value seen.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  isDone: (value: T) => boolean = Boolean,
  patience: Patience = {},
): Promise<T> {
  const { timeoutMs = 30_000, everyMs = 20 } = patience;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (isDone(value)) return value;
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs} ms for ${what}; last seen: ${inspect(value, { depth: 6 })}`);
    }
    await pause(everyMs);
  }
}

/**
 * Runs assertions again and again until they pass.
 *
 * @throws the last assertion error, when the deadline has passed.
 */
export async function untilPasses(check: () => void | Promise<void>, patience: Patience = {}): Promise<void> {
  const { timeoutMs = 30_000, everyMs = 20 } = patience;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await pause(everyMs);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
