import { pathMembers } from '../../model/path.ts';
import type { EventDocument } from '../../model/schema/event.ts';
import type { PinThenDocument } from '../../model/schema/pin-then.ts';

/** What is kept about one name and one moment. */
export interface ThenFacts {
  /** Byte string. */
  readonly path: string;
  /** The last event of all up to that moment. */
  readonly seq: number;
  /** The last event of the name up to then, and the first one after. */
  readonly before: EventDocument | undefined;
  readonly after: EventDocument | undefined;
  /** The start of the agent that told of `after`. */
  readonly startOfAfter: EventDocument | undefined;
  /** The start between then and what came next: the agent was down. */
  readonly downUntil: EventDocument | undefined;
  /** What the path holds now: it counts where there is no event of the name at all. */
  readonly now: Record<string, unknown> | undefined;
}

type KnownState = NonNullable<PinThenDocument['last_known']>;

/** What is answered, but for the question. */
export type Then = Pick<
  PinThenDocument,
  'state' | 'pin' | 'since' | 'until' | 'reason' | 'last_known' | 'next_known'
>;

const absent: KnownState = { state: 'absent', pin: null };

/**
 * What a path held then. Where no event of the name is kept from before, the next one tells what it found.
 *
 * Two things nobody can know: what went on while the agent was down, and when in that time something
 * happened that its first look after it found (events of the actor `unknown`). Then the answer is what was
 * known before and after. Pure.
 */
export function heldThen(facts: ThenFacts): Then {
  const { before, after, startOfAfter, downUntil } = facts;
  const isFoundLater =
    after?.actor === 'unknown' && startOfAfter !== undefined && startOfAfter.seq <= facts.seq;
  if (downUntil !== undefined) {
    const isFoundThere =
      after !== undefined && startOfAfter?.seq === downUntil.seq && after.actor === 'unknown';
    const next = isFoundThere ? stateAfter(after, facts.path) : stateAt(facts);
    return unknown('the agent was not running then', stateAt(facts), next);
  }
  if (isFoundLater) {
    const isFirstRun = startOfAfter.after?.['down_since'] === undefined;
    const last = isFirstRun ? undefined : stateAt(facts);
    const reason = isFirstRun
      ? 'the agent had not looked yet'
      : 'it changed while the agent was not running, and the agent had not looked again yet';
    return unknown(reason, last, stateAfter(after, facts.path));
  }
  return {
    ...stateAt(facts),
    ...(before === undefined ? {} : { since: turnOf(before) }),
    ...(after === undefined ? {} : { until: turnOf(after) }),
  };
}

/** An answer that is none. */
export function unknown(reason: string, last?: KnownState, next?: KnownState): Then {
  return {
    state: 'unknown',
    pin: null,
    reason,
    ...(last === undefined ? {} : { last_known: last }),
    ...(next === undefined ? {} : { next_known: next }),
  };
}

function stateAt({ path, before, after, now }: ThenFacts): KnownState {
  if (before !== undefined) return stateAfter(before, path);
  if (after !== undefined) return stateBefore(after, path);
  return now === undefined ? absent : { state: 'present', pin: now };
}

function stateAfter(event: EventDocument, path: string): KnownState {
  if (event.after === null || !isAbout(event, path)) return absent;
  const { renamed_from: _, ...pin } = event.after;
  return { state: 'present', pin };
}

function stateBefore(event: EventDocument, path: string): KnownState {
  if (isAbout(event, path)) {
    const wasThere = event.type !== 'pin.renamed' && event.before !== null;
    return wasThere ? { state: 'present', pin: event.before } : absent;
  }
  if (event.type === 'pin.renamed') return { state: 'present', pin: event.before };
  const { renamed_from: _, path_bytes: __, ...pin } = event.after ?? {};
  return { state: 'present', pin: { ...pin, ...pathMembers(path) } };
}

/** Whether an event is of a pin by this name, and not of one that left it for another. */
function isAbout({ subject }: EventDocument, path: string): boolean {
  const { path: text, path_bytes: bytes } = pathMembers(path);
  return subject.path === text && subject.path_bytes === bytes;
}

function turnOf({ seq, time, type, actor }: EventDocument) {
  return { seq, time, type, actor };
}
