import { setImmediate } from 'node:timers/promises';
import type { Store } from '../../model/store.ts';

/** How often old rows are looked for. */
const everyMs = 10 * 60_000;

/**
 * Has the store forget what is too old or too much: at once, then now and then, in small steps. Made to be
 * stopped: call what it answers.
 */
export function startRetention(store: Store, onFailure: (error: unknown) => void): () => Promise<void> {
  let isStopping = false;
  const prune = async (): Promise<void> => {
    try {
      while (!isStopping && store.prune() > 0) await setImmediate();
    } catch (error) {
      onFailure(error);
    }
  };
  let running = prune();
  const timer = setInterval(() => {
    running = running.then(prune);
  }, everyMs).unref();
  return async () => {
    isStopping = true;
    clearInterval(timer);
    await running;
  };
}
