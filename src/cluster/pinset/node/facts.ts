import type { Agent } from '../../../agent/agent.ts';
import type { AsideObject, ObservedPath } from '../../../model/cluster/pinset/observed.ts';
import { type PlanFacts, pathsOf } from '../../../model/cluster/pinset/plan.ts';
import type { AppliedPinSet, MadePin } from '../../../model/cluster/pinset/records.ts';
import { isMeantFor } from '../../../model/cluster/pinset/select.ts';
import { type PinPath, parsePathBytes, textOf } from '../../../model/path.ts';
import type { Labels } from '../../../model/schema/common.ts';
import type { PinSet } from '../../../model/schema/pinset.ts';

/** What facts are gathered from. */
export interface FactParts {
  readonly agent: Pick<Agent, 'pinsets' | 'store'>;
  readonly labels: Labels;
}

/** A set that is planned for: one that was applied, or one that somebody asks about. */
export interface Subject {
  readonly name: string;
  readonly spec: PinSet;
  readonly isWanted: boolean;
  /** Of one that was applied. */
  readonly generation?: number;
}

/** How an applied set is planned for on a node with these labels. */
export function subjectOf({ name, spec, state, generation }: AppliedPinSet, labels: Labels): Subject {
  return { name, spec, generation, isWanted: state === 'wanted' && isMeantFor(spec, labels) };
}

/**
 * Gathers everything that decides what is done for a set, paths read from the kernel.
 *
 * @throws PinfoldError mount_not_found, mount_unavailable, overloaded…: nothing can be said now
 */
export async function gatherFacts({ agent, labels }: FactParts, subject: Subject): Promise<PlanFacts> {
  const { name, spec, isWanted, generation } = subject;
  const { pinsets, store } = agent;
  const aside = new Map<PinPath, AsideObject>(
    pinsets.asides
      .list()
      .filter(({ pinset, role }) => pinset === name && role === 'protect')
      .map(({ path, slot, kind, objectId: id, fingerprint }) => [
        pathOfBytes(path),
        { slot, kind, id, fingerprint },
      ]),
  );
  const copies = new Set(
    pinsets.copies
      .list()
      .filter(({ pinset }) => pinset === name)
      .map(({ path }) => pathOfBytes(path)),
  );
  const made = store.pinsets.listMade(name);
  const paths = new Set([
    ...pathsOf(spec),
    ...made.map(({ path }) => pathOfBytes(path)),
    ...aside.keys(),
    ...copies,
  ]);
  const observed = await pinsets.look([...paths]);
  const applied = store.pinsets.list();
  return {
    spec,
    isWanted,
    ...(generation === undefined ? {} : { generation }),
    made: made.flatMap((pin) => resolveMade(agent, pin, observed) ?? []),
    aside,
    copies,
    observed,
    takenBy: takenBy(applied, name, labels),
    othersWant: othersWant(applied, name, labels),
  };
}

/** Which set with an earlier name wants a path on this node. */
function takenBy(
  applied: readonly AppliedPinSet[],
  name: string,
  labels: Labels,
): ReadonlyMap<PinPath, string> {
  const taken = new Map<PinPath, string>();
  for (const set of applied) {
    if (set.name >= name || !subjectOf(set, labels).isWanted) continue;
    for (const path of pathsOf(set.spec)) if (!taken.has(path)) taken.set(path, set.name);
  }
  return taken;
}

function othersWant(applied: readonly AppliedPinSet[], name: string, labels: Labels): ReadonlySet<PinPath> {
  const others = applied.filter((set) => set.name !== name && subjectOf(set, labels).isWanted);
  return new Set(others.flatMap(({ spec }) => pathsOf(spec)));
}

/**
 * A pin that was about to be made when the agent was killed: history tells whether it was, since recovery
 * settles what was begun in the name of who asked for it.
 */
function resolveMade(
  { store }: FactParts['agent'],
  made: MadePin,
  observed: ReadonlyMap<PinPath, ObservedPath>,
): MadePin | undefined {
  if (made.identity !== undefined) return made;
  const seen = observed.get(pathOfBytes(made.path));
  if (seen === undefined || seen.is === 'blocked') return made;
  const identity = seen.is === 'pin' ? seen.pin.identity : undefined;
  const mount = identity?.instance.split('/')[1];
  const last =
    mount === undefined
      ? undefined
      : store.paths.before({ mount, path: made.path }, store.events.lastSeq() + 1);
  const isOurs = last?.actor.startsWith(`pinset:${made.name}@`) === true && last.subject.id === identity?.id;
  if (!isOurs || identity === undefined) {
    store.pinsets.removeMade(made.name, made.path);
    return undefined;
  }
  const resolved = { ...made, identity };
  store.pinsets.putMade(resolved);
  return resolved;
}

/** What is stored was a PinPath when it was stored. */
export function pathOfBytes(byteString: string): PinPath {
  return parsePathBytes(Buffer.from(byteString, 'latin1'));
}

/** A path as documents have it; pin sets name none that is not UTF-8. */
export function shownPath(path: PinPath): string {
  return textOf(path);
}
