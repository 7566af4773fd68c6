import type { HistoryVerdict } from '../../model/local.ts';
import { type Check, fail, ok, warn } from './check.ts';

/** Whether history is what was written (docs/history.md). */
export function checkHistory({ verified, unchained, fault }: HistoryVerdict): Check[] {
  if (fault !== undefined) {
    const { seq, what } = fault;
    const finding = `event ${seq} was tampered with: ${what}; ${verified} before it are as written`;
    const advice =
      'Compare with a backup or with what was streamed elsewhere; what follows it proves nothing.';
    return [fail('history', finding, advice)];
  }
  const whole = ok('history', `all ${verified} events are as they were written`);
  if (unchained === 0) return [whole];
  const finding = `${unchained} events of an older Pinfold have no hash to be verified by`;
  return [whole, warn('history', finding, 'They go with time, as --retention says.')];
}
