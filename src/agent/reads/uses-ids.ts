import { PinfoldError } from '../../model/error.ts';

/**
 * Refuses what only ids lead to: without them only pins are known, and an empty answer would be untrue.
 *
 * @throws PinfoldError not_supported with `--pins-only`
 */
export function assertUsesIds(isPinsOnly: boolean): void {
  if (!isPinsOnly) return;
  throw new PinfoldError('not_supported', {
    detail: 'This agent runs with --pins-only and never uses ids: it knows pins, and no other objects.',
  });
}
