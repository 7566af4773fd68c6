import { setTimeout as pause } from 'node:timers/promises';
import { ClientError, isClientError, isOutOfReach } from '../../client/client-error.ts';
import type { Event } from '../../client/documents.ts';
import type { PinfoldClient } from '../../client/pinfold-client.ts';
import type { EventFilters } from './newest-events.ts';

/** Before a stream that has ended is opened again. */
const retryMs = 1000;

/**
 * Events after one, as they happen, each once and in order. An agent that restarts is waited for: the stream
 * goes on after the last event that came.
 *
 * @throws ClientError what the server refuses, unreachable where it was never reached, forgotten where events
 * in between are not kept any more
 */
export async function* followedEvents(
  client: PinfoldClient,
  filters: EventFilters,
  after: string,
): AsyncGenerator<Event, never, undefined> {
  let place = after;
  for (let isFirst = true; ; ) {
    try {
      for await (const { id, event, data } of client.follow(filters, place)) {
        isFirst = false;
        place = id ?? place;
        if (event === 'pinfold.gap') throw forgotten(data);
        if (data !== undefined) yield parseEvent(data);
      }
    } catch (error) {
      const isPassing = isOutOfReach(error) || passing.some((code) => isClientError(error, code));
      if (!isPassing || isFirst) throw error;
    }
    await pause(retryMs);
  }
}

/** What the server promises of a message that is neither a heartbeat nor a gap. */
function parseEvent(data: unknown): Event {
  return data as Event;
}

const passing = ['cut_short', 'timed_out', 'not_ready'] as const;

function forgotten(data: unknown): ClientError {
  const { after, next, reason }: { readonly [member: string]: unknown } = Object(data);
  const what =
    reason === 'other_log'
      ? `The history that event ${String(after)} is of was lost or replaced on this node; another begins`
      : `Events after ${String(after)} are not kept any more; history goes on`;
  return new ClientError('forgotten', `${what} with ${String(next)}.`);
}
