import { setTimeout as pause } from 'node:timers/promises';
import { isClientError, isOutOfReach } from '../client/client-error.ts';
import type { Claim } from '../client/documents.ts';
import { readAnswer } from '../client/pinfold-client.ts';
import { parseDuration } from './argument.ts';
import type { Cli } from './cli.ts';
import { UsageError } from './exit.ts';

/** How an agent that restarts, or is asked too much, may answer. */
const passing = ['not_ready', 'too_many_requests', 'timed_out', 'cut_short'];

/** Between two tries while an agent that was there restarts: it leaves each claim one interval at least. */
const retryMs = 500;

/** Which claim is meant, as its route takes it. */
export interface ClaimPlace {
  readonly path: { readonly owner: string };
  readonly query: { readonly mount?: string };
}

/**
 * Renews a claim at its interval until the command is ended, or the claim: one that is over is not made anew,
 * because whoever released it did not mean it to come back.
 *
 * @throws UsageError for a claim without a lease; ClientError precondition_failed once it is over, and what
 * else refuses
 */
export async function renewClaim(cli: Cli, place: ClaimPlace, claim: Claim): Promise<never> {
  if (claim.renew_interval === null)
    throw new UsageError('The claim has no lease that could be renewed; give it one with --lease.');
  const everyMs = parseDuration(claim.renew_interval);
  const { api } = await cli.client();
  const params = { path: place.path, query: place.query, header: { 'if-match': '*' } };
  for (let restMs = everyMs; ; ) {
    await pause(restMs);
    try {
      await readAnswer(api.PUT('/v1/claims/{owner}', { params, body: {} }));
      restMs = everyMs;
    } catch (error) {
      const isPassing = isOutOfReach(error) || passing.some((code) => isClientError(error, code));
      if (!isPassing) throw error;
      restMs = Math.min(retryMs, everyMs);
    }
  }
}
