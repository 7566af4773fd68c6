import type { Agent, ChangeContext } from '../../../agent/agent.ts';
import type { ObjectIdentity } from '../../../agent/aside/asides.ts';
import { isSameObject } from '../../../model/cluster/pinset/observed.ts';
import type { PlannedStep } from '../../../model/cluster/pinset/plan.ts';
import type { AsidePin } from '../../../model/cluster/pinset/records.ts';
import { isPinfoldError, PinfoldError } from '../../../model/error.ts';
import type { Hazard } from '../../../model/hazard.ts';
import type { DesiredPin } from '../../../model/schema/pinset.ts';
import type { PinRequest } from '../../../model/schema/request.ts';

/** For which set, and on behalf of which generation, steps are carried out. */
export interface Acting {
  readonly agent: Pick<Agent, 'pinsets' | 'store' | 'creation' | 'changes'>;
  readonly name: string;
  readonly generation: number;
}

/** A copy that is not done: somebody still has the old map. */
export interface Draining {
  readonly oldId: number;
  readonly changes: number;
}

/**
 * Carries one step out, by the operations that everybody may ask for. Answers that a copy is not done yet.
 *
 * @throws PinfoldError hazard, and whatever the operation is refused with; nothing was done then
 */
export async function carryOut(acting: Acting, step: PlannedStep): Promise<Draining | undefined> {
  switch (step.action) {
    case 'make_map':
      await makeMap(acting, step, false);
      return undefined;
    case 'replace_map':
      await makeMap(acting, step, true);
      return undefined;
    case 'copy_map':
      return await copyMap(acting, step);
    case 'pin_again':
      await pinAgain(acting, step);
      return undefined;
    case 'set_attributes':
      await setAttributes(acting, step);
      return undefined;
    case 'unpin':
      await unpin(acting, step);
      return undefined;
    case 'hold_aside':
      holdAside(acting, step);
      return undefined;
    case 'let_go':
      letGo(acting, step, []);
      return undefined;
    case 'forget_made':
      acting.agent.store.pinsets.removeMade(acting.name, step.path);
      return undefined;
  }
}

/** A map that is put in another's place is asked for by name: its contents are what the policy gives up. */
async function makeMap(acting: Acting, step: PlannedStep, isReplacing: boolean): Promise<void> {
  const { wanted, there, path } = step;
  if (wanted?.map === undefined) throw new TypeError('a map is made of what is wanted');
  const { agent } = acting;
  const pin = { path: wanted.path, parents: true, ...attributesOf(wanted) };
  const spec = { ...wanted.map, pin, ...(wanted.entries === undefined ? {} : { entries: wanted.entries }) };
  await making(acting, step, async () => {
    const context = contextOf(acting, isReplacing ? ['last_reference'] : [], there?.etag);
    const { mapId: id, fingerprint } = await agent.creation.create(spec, context, isReplacing);
    return { map: { kind: 'map', id, fingerprint } };
  });
  if (!isReplacing) return;
  const former = asidesOf(acting, path).filter(({ role }) => role === 'protect');
  for (const { slot, kind, objectId: id, fingerprint } of former) {
    letGo(acting, { ...step, aside: { slot, kind, id, fingerprint } }, ['last_reference']);
  }
}

async function copyMap(acting: Acting, step: PlannedStep): Promise<Draining | undefined> {
  const { agent, name } = acting;
  const { copies } = agent.pinsets;
  const { path, wanted, there } = step;
  const context = contextOf(acting);
  if (wanted?.map === undefined) {
    const ended = await copies.abandon(name, path, context);
    return ended.is === 'done' ? undefined : ended;
  }
  const { map, protect } = wanted;
  const attributes = attributesOf(wanted);
  const isProtected = protect === true;
  const wish = { pinset: name, path, spec: map, attributes, isProtected, from: there?.identity, context };
  const progress = await making(acting, step, async () => await copies.advance(wish));
  return progress.is === 'done' ? undefined : progress;
}

async function pinAgain(acting: Acting, step: PlannedStep): Promise<void> {
  const { aside, wanted, path } = step;
  if (aside === undefined || wanted === undefined) throw new TypeError('what is aside is pinned again');
  const { kind, id, fingerprint } = aside;
  // A link's fingerprint changes with its program; it is the same link.
  const expect = kind === 'link' ? {} : { fingerprint };
  const request: PinRequest = { source: { kind, id, expect }, parents: true, ...attributesOf(wanted) };
  const wasMade = acting.agent.store.pinsets.listMade(acting.name).some((made) => made.path === path);
  const pin = async () => {
    await acting.agent.changes.pin(path, undefined, request, contextOf(acting));
    return { map: aside };
  };
  if (wasMade) await making(acting, step, pin);
  else await pin();
}

async function setAttributes(acting: Acting, { path, wanted, there }: PlannedStep): Promise<void> {
  if (wanted === undefined) throw new TypeError('attributes are set to what is wanted');
  await acting.agent.changes.patch(path, undefined, attributesOf(wanted), contextOf(acting, [], there?.etag));
}

async function unpin(acting: Acting, { path, there }: PlannedStep): Promise<void> {
  await acting.agent.changes.unpin(path, undefined, contextOf(acting, [], there?.etag));
  acting.agent.store.pinsets.removeMade(acting.name, path);
}

function holdAside({ agent, name }: Acting, { path, there }: PlannedStep): void {
  agent.pinsets.asides.hold({ pinset: name, path, role: 'protect' }, there?.identity);
}

function letGo(acting: Acting, { aside }: PlannedStep, accept: readonly Hazard[]): void {
  const { asides } = acting.agent.pinsets;
  const pin = asides.list().find(({ slot }) => slot === aside?.slot);
  if (pin !== undefined) asides.letGo(pin, { accept: new Set(accept), force: false });
}

/** What was pinned; undefined where nothing was, or it is not known. */
interface Making {
  readonly map: ObjectIdentity | undefined;
}

/**
 * Does what makes a pin, and notes which pin it was: that it is about to be made first, so that a set never
 * forgets what it made. Something else that somebody has put there meanwhile is never noted as made.
 */
async function making<Result extends Making>(
  acting: Acting,
  { path, action }: PlannedStep,
  make: () => Promise<Result>,
): Promise<Result> {
  const { agent, name, generation } = acting;
  const { pinsets } = agent.store;
  const before = pinsets.listMade(name).find((made) => made.path === path);
  pinsets.putMade({ name, path, identity: undefined });
  let result: Result;
  try {
    result = await make();
  } catch (error) {
    if (!isPinfoldError(error, 'outcome_unknown')) {
      if (before === undefined) pinsets.removeMade(name, path);
      else pinsets.putMade(before);
    }
    throw error;
  }
  const seen = (await agent.pinsets.look([path])).get(path);
  // What is pinned again, or was copied in the time of several generations, is of whichever shape it is.
  const isNew = action === 'make_map' || action === 'replace_map';
  if (seen?.is === 'pin' && result.map !== undefined && isSameObject(seen.pin.identity, result.map)) {
    const identity = { ...seen.pin.identity, ...(isNew ? { generation } : {}) };
    pinsets.putMade({ name, path, identity });
  } else if (before !== undefined) pinsets.putMade(before);
  else pinsets.removeMade(name, path);
  return result;
}

function asidesOf({ agent, name }: Acting, path: string): readonly AsidePin[] {
  return agent.pinsets.asides.list().filter((pin) => pin.pinset === name && pin.path === path);
}

/** The members of a request that a desired pin can say something of. */
function attributesOf({ mode, uid, gid, labels, owner }: DesiredPin) {
  return {
    ...(mode === undefined ? {} : { mode }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(labels === undefined ? {} : { labels }),
    ...(owner === undefined ? {} : { owner }),
  };
}

/** History and the audit log show which generation of which set did it. */
function contextOf(
  { name, generation }: Acting,
  accept: readonly Hazard[] = [],
  ifMatch?: string,
): ChangeContext {
  return {
    caller: { actor: `pinset:${name}@${generation}`, role: 'operator' },
    requestId: null,
    ifMatch,
    createOnly: false,
    accept: new Set(accept),
    force: false,
    dryRun: false,
  };
}

/** What an operation was refused with, for a person; a defect goes on its way. */
export function refusalOf(error: unknown): PinfoldError {
  if (error instanceof PinfoldError) return error;
  throw error;
}
