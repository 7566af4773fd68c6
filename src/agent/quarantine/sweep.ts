import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../../model/clock.ts';
import { isPinfoldError } from '../../model/error.ts';
import type { Hazard } from '../../model/hazard.ts';
import { limits } from '../../model/limits.ts';
import type { QuarantineRecord, Store } from '../../model/store.ts';
import type { ChangeContext, ChangeResult } from '../agent.ts';
import type { ChangeRequest } from '../operation/request.ts';
import { discardRequest, restoreRequest } from './plan-quarantine.ts';
import { kinIn, pinOf } from './records.ts';
import { stillOf, type Unwanted } from './unwanted.ts';

/** What the end of the time of grace needs. */
export interface SweepParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly bootId: string;
  readonly ask: (request: ChangeRequest) => Promise<ChangeResult>;
  readonly ageMs: (wallMs: number) => number;
}

/** What becomes of nobody's pins costs only what nobody misses; a claim is never accepted. */
const accepted: ReadonlySet<Hazard> = new Set(['last_reference', 'prog_array_emptied', 'link_detached']);

/** Most who hold it then only look at it in passing: how long it rests until it is tried again. */
const againMs = [50, 200, 500];

/** After what could not be done now, the next try is as far off. */
const postponeMs = 60_000;

/** What Pinfold itself asks for, under its own name in the history. */
export const ownContext: ChangeContext = {
  caller: { actor: 'gc', role: 'operator' },
  requestId: null,
  ifMatch: undefined,
  createOnly: false,
  accept: accepted,
  force: false,
  dryRun: false,
};

/**
 * Ends the time of grace of some pins: each goes for good if nobody needs it at that moment, and otherwise
 * gets its name back. Answers how many it looked at; 0 means that none is due.
 */
export async function sweep(parts: SweepParts): Promise<number> {
  const { store, clock, bootId } = parts;
  const due = store.quarantine.listDue(bootId, clock.bootMs(), limits.gcChunkPins);
  const seen = new Set<string>();
  const later: QuarantineRecord[] = [];
  const together = due.filter((record) => {
    const isFirst = !seen.has(objectOf(record));
    seen.add(objectOf(record));
    if (!isFirst) later.push(record);
    return isFirst;
  });
  let held = (await Promise.all(together.map((record) => endOne(parts, record, false)))).flat();
  // Pins of one object count on each other: one after the other.
  for (const record of later) held.push(...(await endOne(parts, record, false)));
  for (const [round, restMs] of againMs.entries()) {
    if (held.length === 0) break;
    await pause(restMs);
    const still: QuarantineRecord[] = [];
    const isLast = round === againMs.length - 1;
    for (const record of held) still.push(...(await endOne(parts, record, isLast)));
    held = still;
  }
  return due.length;
}

/** Answers the record where somebody holds its object, and this was not the last try. */
async function endOne(
  parts: SweepParts,
  record: QuarantineRecord,
  isLast: boolean,
): Promise<readonly QuarantineRecord[]> {
  const asked = { mount: record.mount, context: ownContext };
  try {
    await parts.ask(discardRequest(record, termsOf(parts, record), asked));
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
    const still = stillOf(error);
    const current = parts.store.quarantine.find(record.id);
    if (current !== undefined && still === 'held' && !isLast) return [current];
    const isNeeded = still !== undefined || error.code === 'identity_mismatch' || error.code === 'hazard';
    if (isNeeded) await giveNameBack(parts, record, error.message);
    else settleOtherwise(parts, record, error.code);
  }
  return [];
}

/** Somebody needs it. Where its name is somebody else's by now, it stays until a person decides. */
async function giveNameBack(parts: SweepParts, record: QuarantineRecord, why: string): Promise<void> {
  const { store, ask } = parts;
  const current = store.quarantine.find(record.id);
  if (current === undefined) return;
  try {
    await ask(restoreRequest({ ...current, why }, { mount: record.mount, context: ownContext }));
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
    const isTaken = [
      'pin_exists',
      'is_a_directory',
      'symlink',
      'not_a_directory',
      'not_a_pin',
      'crosses_mount',
    ];
    if (!isTaken.includes(error.code)) return settleOtherwise(parts, current, error.code);
    store.quarantine.put({ ...current, dueBoottimeMs: null, why: `${why} ${error.message}` });
  }
}

/** What is no longer there is forgotten; what cannot be reached now is tried again. */
function settleOtherwise({ store, clock }: SweepParts, record: QuarantineRecord, code: string): void {
  if (code === 'quarantine_not_found' || code === 'mount_not_found') store.quarantine.remove(record.id);
  else store.quarantine.put({ ...record, dueBoottimeMs: Math.ceil(clock.bootMs()) + postponeMs });
}

function termsOf({ store, bootId, ageMs }: SweepParts, record: QuarantineRecord): Unwanted {
  const pin = pinOf(record);
  const kin = pin === undefined ? [] : kinIn(store, pin, { bootId, except: record.id });
  return { minAgeMs: record.minAgeMs, ageMs, kin };
}

function objectOf({ kind, objectId }: QuarantineRecord): string {
  return `${kind}:${objectId}`;
}
