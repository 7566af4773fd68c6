import { Type } from 'typebox';
import type { EventPlace } from '../model/event-place.ts';
import { oneOf } from '../model/schema/common.ts';
import type { EventLog } from '../model/store.ts';

/** What a reader is told whose place history cannot go on from. */
export const EventGap = Type.Object(
  {
    after: Type.Integer({ minimum: 0, description: 'the event the reader knew last' }),
    next: Type.Integer({ minimum: 1, description: 'the number from which on it is told everything' }),
    reason: oneOf(['not_kept', 'other_log']),
  },
  {
    description:
      'events are missing: `not_kept` where retention has removed them, `other_log` where the place is of ' +
      'a history that was lost or replaced, for example by a restored backup',
  },
);
export type EventGap = Type.Static<typeof EventGap>;

/** Why what comes after a place is not all that came after it; undefined where nothing is missing. */
export function gapAfter(events: EventLog, { seq, hash }: EventPlace): EventGap | undefined {
  if (seq === 0) return undefined;
  const last = events.lastSeq();
  const next = events.list({ limit: 1 })[0]?.seq ?? last + 1;
  const known = seq > last ? undefined : events.hashAt(seq);
  const isOther = seq > last || (hash !== undefined && known !== undefined && !known.startsWith(hash));
  if (!isOther && seq >= next - 1) return undefined;
  return { after: seq, next, reason: isOther ? 'other_log' : 'not_kept' };
}
