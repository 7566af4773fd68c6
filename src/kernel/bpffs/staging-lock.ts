import { PinfoldError } from '../../model/error.ts';
import type { Calls } from '../sys/calls.ts';
import type { Fd } from '../sys/fd.ts';
import { pause } from '../sys/pause.ts';

/** A change takes milliseconds, a batch of a thousand lines less than this. */
const patienceMs = 2000;

/**
 * Takes the instance's turn: an exclusive flock(2) on the open staging directory, which ends when that is
 * closed, also by the death of the process. The thread sleeps meanwhile, since operations are synchronous.
 *
 * @throws PinfoldError overloaded where another agent has not finished in time
 */
export function lockStaging(calls: Calls, staging: Fd): void {
  const giveUpAt = performance.now() + patienceMs;
  while (!calls.tryLock(staging)) {
    if (performance.now() > giveUpAt) throw busy();
    pause(1);
  }
}

function busy(): PinfoldError {
  const detail = `Another agent has been changing this bpffs for more than ${patienceMs / 1000} seconds.`;
  return new PinfoldError('overloaded', { detail, retry_after: 1 });
}
