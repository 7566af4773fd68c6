import { setTimeout } from 'node:timers/promises';
import { PinfoldError } from '../../model/error.ts';

/**
 * The time a measurement takes, in milliseconds; what is measured is counted by the kernel.
 *
 * @throws PinfoldError not_ready where the caller has gone or the agent stops
 */
export async function measuringTime(durationMs: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(durationMs, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new PinfoldError('not_ready', { detail: 'The measurement was cut short.' }, error);
  }
}
