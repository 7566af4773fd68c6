import { PinfoldError } from '../../error.ts';

/** Far more changes than a store can be behind its nodes: what a node says beyond that is not believed. */
const aheadMax = 1_000_000;

/** Beyond it a few more could not be counted exactly. */
const generationMax = 2 ** 52;

/**
 * The generation of the next change: newer than the stored one, and than any that nodes say to have applied
 * and can have. A single node that says anything at all does not use the numbers up.
 *
 * @throws PinfoldError conflict where there is no number left
 */
export function nextGeneration(stored: number, applied: Iterable<number>): number {
  const most = Math.min(stored + aheadMax, generationMax);
  let newest = stored;
  for (const one of applied) if (one > newest && one <= most) newest = one;
  if (newest < generationMax) return newest + 1;
  throw new PinfoldError('conflict', { detail: 'There is no newer generation: delete this pin set’s key.' });
}
