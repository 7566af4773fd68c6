import { isPinfoldError } from '../../model/error.ts';
import { parsePathBytes } from '../../model/path.ts';
import type { Agent } from '../agent.ts';
import { ownContext } from '../quarantine/sweep.ts';

/**
 * Ends copies of maps that are under way: one whose old map nobody uses is finished, one that has not swapped
 * the names is taken back. What stays is released, or told, with the staging directory.
 */
export async function endCopies({ pinsets }: Pick<Agent, 'pinsets'>): Promise<void> {
  for (const { pinset, path } of pinsets.copies.list()) {
    try {
      await pinsets.copies.abandon(pinset, parsePathBytes(Buffer.from(path, 'latin1')), ownContext);
    } catch (error) {
      if (!isPinfoldError(error)) throw error;
    }
  }
}
