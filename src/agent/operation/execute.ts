import { PinfoldError } from '../../model/error.ts';
import { CountedObjects } from './counted.ts';
import type { OperationEnvironment } from './environment.ts';
import { acceptsAll, findHazards } from './hazards.ts';
import type { Losing } from './move.ts';
import { settle } from './settle.ts';
import type { Site } from './site.ts';
import { objectKey } from './stakes.ts';
import { type Operation, stakesOf, Work } from './work.ts';

/**
 * Carries a group of operations out: all intents in one transaction; then part by part, each part for one
 * operation after another: new pins staged and names changed, what goes checked again, displaced pins
 * unlinked, counted, and looked for; then all outcomes in one transaction. What fails in one is taken back in
 * reverse, and the journal says so; the others go on.
 *
 * Answers what each failed with, undefined where it was applied: PinfoldError of the step that failed, with
 * operation_id; outcome_unknown where taking back failed too, or where it could not be recorded.
 *
 * @throws PinfoldError storage_full, storage_failed where no intent could be written; nothing was done
 */
export function execute(environment: OperationEnvironment, operations: readonly Operation[]): unknown[] {
  const works = operations.map((operation) => new Work(operation));
  const [first] = works;
  if (first === undefined) return [];
  for (const work of works) work.ready();
  environment.store.transaction(() => {
    for (const work of works) work.begin();
  });
  for (const work of works) work.make();
  // Before anything goes for good; where nothing does, the look at the end is the same.
  if (works.some((work) => work.isOn && work.losing().length > 0)) untilAllStand(works);
  for (const work of works) work.commit();
  for (const work of works) work.unlink();
  untilAllStand(works, 'last');
  for (const work of works) work.retire();
  return settleAll(environment, works);
}

/**
 * Counts and looks until all that are left stand together: one that is taken back may have made what others
 * were counting on. The last time decides: what is counted then has to stay.
 */
function untilAllStand(works: readonly Work[], time?: 'last'): void {
  for (let left = works.filter(isOn); left.length > 0; ) {
    assertAllHarmless(left, time === 'last');
    if (time === 'last') for (const work of left) work.counted();
    const sight = left[0]?.operation.site.look();
    if (sight !== undefined) for (const work of left) work.assertSeen(sight);
    const still = left.filter(isOn);
    if (still.length === left.length) return;
    left = still;
  }
}

function isOn({ isOn }: Work): boolean {
  return isOn;
}

/**
 * Refuses each operation that would, after those before it, cost what its caller has not agreed to. The
 * counters of each object are read once for all: what is unlinked is still open, and so still counted.
 */
function assertAllHarmless(works: readonly Work[], mustLast: boolean): void {
  const [first] = works;
  if (first === undefined) return;
  const { environment, site } = first.operation;
  const counted = new CountedObjects(environment);
  if (areHarmless(works, counted, mustLast ? site : undefined)) return;
  const before: Losing[] = [];
  for (const work of works) {
    const own = work.losing();
    const rivals = before.filter((one) => own.some((other) => isOneObject(one, other)));
    work.assertHarmless(rivals, counted);
    if (work.isOn) before.push(...own);
  }
}

/**
 * Whether they cost nothing together. What cannot be found out here, each is told of that needs it. With a
 * site, what keeps the objects must stay.
 */
function areHarmless(works: readonly Work[], counted: CountedObjects, site: Site | undefined): boolean {
  const losing = works.flatMap((work) => work.losing());
  const [first] = works;
  if (losing.length === 0 || first === undefined) return true;
  const stakes = stakesOf(first.operation, losing);
  try {
    if (site !== undefined) counted.countAgain([{ ...stakes, losing: refusable(works) }], site);
    return findHazards(counted, stakes).every(({ hazards }) => hazards.length === 0);
  } catch {
    return false;
  }
}

/** The names of all objects of which any may yet be refused. */
function refusable(works: readonly Work[]): readonly Losing[] {
  const objects = works.flatMap((work) => {
    const { acceptance } = work.operation;
    return work
      .losing()
      .flatMap(({ subject: { object } }) => (acceptsAll(acceptance, object) ? [] : [object]));
  });
  const keys = new Set(objects.map(objectKey));
  return works.flatMap((work) => work.losing()).filter(({ subject }) => keys.has(objectKey(subject.object)));
}

function isOneObject({ subject: { object: one } }: Losing, { subject: { object: other } }: Losing): boolean {
  return one.id === other.id && one.kind === other.kind;
}

/** Where outcomes cannot be recorded their intents stay open, and recovery is asked to settle them. */
function settleAll(environment: OperationEnvironment, works: readonly Work[]): unknown[] {
  const ended = works.map((work) => work.end());
  try {
    settle(
      environment,
      ended.map(({ settlement }) => settlement),
    );
  } catch (failure) {
    environment.onUnsettled();
    return works.map(({ operation }, index) => ended[index]?.error ?? unrecorded(operation, failure));
  }
  for (const work of works) work.settled();
  return ended.map(({ error }) => error);
}

function unrecorded({ intent }: Operation, failure: unknown): PinfoldError {
  const detail = 'The change was made, but could not be recorded; the agent settles it as soon as it can.';
  return new PinfoldError('outcome_unknown', { detail, operation_id: intent.operationId }, failure);
}
