import type { EventType, NewEvent } from '../../schema/event.ts';
import type { DesiredDocument, RolloutDocument } from '../../schema/pinset.ts';

/** What history was told last of a pin set. */
export interface ToldPinSet {
  readonly generation: number;
  readonly isDeleted: boolean;
  /** Of this generation: `progressing`, `done`, or `paused` and by whom. */
  readonly rollout: string;
}

/** What a node hears of a pin set. */
export interface HeardPinSet {
  readonly name: string;
  readonly desired: DesiredDocument;
  readonly rollout: RolloutDocument | undefined;
  /** When it is heard. */
  readonly time: string;
}

/**
 * What is new of a pin set, as events: wanted first, anew or no more, and where its rollout paused, went on
 * and ended, each with who did it. What was told is not told again, and of a store that knows less than
 * history nothing is: generations never go back.
 */
export function newsOfPinSet(
  told: ToldPinSet | undefined,
  heard: HeardPinSet,
): { readonly told: ToldPinSet; readonly events: readonly NewEvent[] } {
  const { desired, rollout } = heard;
  if (told !== undefined && desired.generation < told.generation) return { told, events: [] };
  const wish = told?.generation === desired.generation ? undefined : newsOfWish(told, heard);
  const isDeleted = desired.deleted === true;
  const known = wish === undefined && told !== undefined ? told : begun(desired);
  const isOfIt = rollout?.generation === desired.generation && !isDeleted;
  const progress = isOfIt ? newsOfRollout(known, rollout, heard) : [];
  return {
    told: { ...known, rollout: isOfIt ? wordOf(rollout) : known.rollout },
    events: [...(wish === undefined ? [] : [wish]), ...progress],
  };
}

function begun({ generation, deleted }: DesiredDocument): ToldPinSet {
  return { generation, isDeleted: deleted === true, rollout: 'progressing' };
}

function newsOfWish(told: ToldPinSet | undefined, heard: HeardPinSet): NewEvent | undefined {
  const { generation, deleted, time: wanted_at, actor } = heard.desired;
  const isThere = told !== undefined && !told.isDeleted;
  const before = isThere ? { generation: told.generation } : null;
  if (deleted === true) {
    if (!isThere) return undefined;
    return eventOf('pinset.deleted', heard, { before, after: null, actor });
  }
  const type = isThere ? 'pinset.updated' : 'pinset.created';
  return eventOf(type, heard, { before, after: { generation, wanted_at }, actor });
}

/** A node that hears of two steps at once tells both. */
function newsOfRollout(
  { rollout: word }: ToldPinSet,
  rollout: RolloutDocument,
  heard: HeardPinSet,
): readonly NewEvent[] {
  if (wordOf(rollout) === word) return [];
  const { generation, state, reason, paused_by: pausedBy, resumed_by: resumedBy } = rollout;
  const itself = `pinset:${heard.name}@${generation}`;
  const [former = ''] = word.split(' ', 1);
  const before = { generation, state: former };
  const after = { generation, state, ...(reason === undefined ? {} : { reason }) };
  if (state === 'paused')
    return [eventOf('pinset.paused', heard, { before, after, actor: pausedBy ?? itself })];
  const resumed = eventOf('pinset.resumed', heard, { before, after, actor: resumedBy ?? itself });
  const done = eventOf('pinset.rolled_out', heard, { before, after, actor: heard.desired.actor });
  return [...(former === 'paused' ? [resumed] : []), ...(state === 'done' ? [done] : [])];
}

/** How a rollout is; who has paused it belongs to that. */
function wordOf({ state, paused_by: by }: RolloutDocument): string {
  return state === 'paused' && by !== undefined ? `paused ${by}` : state;
}

function eventOf(
  type: EventType,
  { name, time }: HeardPinSet,
  what: Pick<NewEvent, 'before' | 'after' | 'actor'>,
): NewEvent {
  return { time, type, subject: { name }, ...what };
}
