/**
 * Does work with a signal that is aborted when the given one is, or when the time is over, whichever comes
 * first.
 *
 * The timer holds what it aborts. `AbortSignal.any([signal, AbortSignal.timeout(ms)])` does not: nobody but
 * the composite knows the timeout, and it knows it weakly, so after a garbage collection nothing fires.
 */
export async function withDeadline<T>(
  signal: AbortSignal,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  const timer = setTimeout(stop, ms);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await work(stopping.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
