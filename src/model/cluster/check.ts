import { PinfoldError } from '../error.ts';
import { limits } from '../limits.ts';
import type { ClusterTransaction } from './store.ts';

/**
 * What every backend refuses before it begins: too many conditions or changes, a value that is too large, a
 * key that is changed twice.
 *
 * @throws PinfoldError invalid_input
 */
export function assertTransaction({ conditions, changes }: ClusterTransaction): void {
  const most = limits.clusterTxnOperationsMax;
  if (conditions.length > most || changes.length > most) {
    throw refused(`A transaction has at most ${most} conditions and ${most} changes.`);
  }
  const keys = changes.map((change) => ('put' in change ? change.put : change.delete));
  if (new Set(keys).size < keys.length) throw refused('A transaction changes each key once at most.');
  for (const change of changes) {
    if ('put' in change && Buffer.byteLength(change.value) > limits.clusterValueBytesMax) {
      throw refused(`A value of the cluster store has at most ${limits.clusterValueBytesMax} bytes.`);
    }
  }
}

/** Whole seconds a lease can last. @throws PinfoldError invalid_input */
export function assertLeaseSeconds(ttlSeconds: number): void {
  if (Number.isInteger(ttlSeconds) && ttlSeconds >= 1 && ttlSeconds <= 3600) return;
  throw refused('A lease lasts from 1 to 3,600 whole seconds.');
}

function refused(detail: string): PinfoldError {
  return new PinfoldError('invalid_input', { detail });
}
