import { Type } from 'typebox';
import type { Fleet, NodeChoice } from '../cluster/fleet.ts';
import type { FleetTokens } from '../cluster/tokens/fleet-tokens.ts';
import { parseSelector } from '../model/cluster/selector.ts';
import { parseDurationMs } from '../model/duration.ts';
import { PinfoldError } from '../model/error.ts';
import { limits } from '../model/limits.ts';
import type { ServiceParts } from './app.ts';

/** Which nodes of the fleet a request is about. */
export const nodeChoiceQuery = {
  node: Type.Optional(
    Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: limits.pageItemsMax })], {
      description: 'of this node only; may be repeated',
    }),
  ),
  selector: Type.Optional(
    Type.String({
      maxLength: limits.selectorCharsMax,
      description: 'of nodes with these labels: `role=edge,zone!=b,ssd,!gpu`',
    }),
  ),
};

/** How long each node is waited for. */
export const deadlineQuery = {
  deadline: Type.Optional(
    Type.String({
      maxLength: 16,
      description:
        `how long each node is waited for, ${limits.nodeDeadlineMs / 1000}s unless told, ` +
        `at most ${limits.nodeDeadlineMsMax / 1000}s`,
    }),
  ),
};

/** The nodes such a query chooses. @throws PinfoldError invalid_input */
export function nodeChoiceOf(query: {
  readonly node?: string | readonly string[];
  readonly selector?: string;
}): NodeChoice {
  const selector = parseSelector(query.selector ?? '');
  return query.node === undefined ? { selector } : { selector, nodes: [query.node].flat() };
}

/** The deadline such a query sets, in milliseconds. @throws PinfoldError invalid_input */
export function deadlineOf({ deadline }: { readonly deadline?: string }): number {
  if (deadline === undefined) return limits.nodeDeadlineMs;
  const ms = parseDurationMs(deadline);
  if (ms !== undefined && ms >= 1 && ms <= limits.nodeDeadlineMsMax) return ms;
  const detail = `deadline takes a time such as 2s, at most ${limits.nodeDeadlineMsMax / 1000}s.`;
  throw new PinfoldError('invalid_input', { detail, errors: [{ pointer: '/query/deadline', detail }] });
}

/** The fleet this process manages. @throws PinfoldError not_a_manager */
export function fleetOf({ fleet }: Pick<ServiceParts, 'fleet'>): Fleet {
  if (fleet !== undefined) return fleet;
  throw notManager();
}

/** The tokens of the fleet this process manages. @throws PinfoldError not_a_manager */
export function fleetTokensOf({ fleetTokens }: Pick<ServiceParts, 'fleetTokens'>): FleetTokens {
  if (fleetTokens !== undefined) return fleetTokens;
  throw notManager();
}

function notManager(): PinfoldError {
  return new PinfoldError('not_a_manager', {
    detail:
      'This agent is a node of a fleet, not a manager of it: ask a manager, or start it with --manager.',
  });
}
