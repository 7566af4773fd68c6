import { type PinPath, pathMembers } from '../../model/path.ts';
import type { ChangeResult } from '../agent.ts';
import { about } from './about.ts';
import { doneAnswer, dryAnswer } from './answer.ts';
import { findClaimed } from './claimed.ts';
import { CountedObjects } from './counted.ts';
import type { OperationEnvironment } from './environment.ts';
import { execute } from './execute.ts';
import { acceptsAll, findHazards, refuseHazards } from './hazards.ts';
import { Holds } from './holds.ts';
import { isOfMany } from './moments.ts';
import { mismatch } from './move.ts';
import type { Line } from './planning.ts';
import type { ChangeRequest } from './request.ts';
import { isInode, Site } from './site.ts';
import { losingOf, type Pointers, pointersOf, type Stakes } from './stakes.ts';
import { View } from './view.ts';
import type { Operation } from './work.ts';

/** What a change of a group came to; `postponed` where it must be asked for again, alone. */
export type Outcome = { readonly result: ChangeResult } | { readonly error: unknown } | 'postponed';

/** What the changes of a group share. */
interface Shared {
  readonly environment: OperationEnvironment;
  readonly site: Site;
  readonly holds: Holds;
  readonly isAlone: boolean;
}

/** A change that is planned: everything it names is held, and nothing has been judged. */
interface Planned {
  readonly request: ChangeRequest;
  readonly operationId: string;
  readonly lines: readonly Line[];
  readonly pointers: Pointers;
  readonly stakes: Stakes;
}

/** A change that is ready to be carried out. */
interface Ready {
  readonly operation: Operation;
  readonly conclude: (operationId: string) => ChangeResult;
}

/** What a change came to where nothing is to be done. */
interface Over {
  readonly outcome: Outcome;
}

/**
 * Carries out changes of one instance that do not concern each other, in one critical section on the calling
 * thread: it plans each on what it holds, refuses what would lose something, and when it returns all are
 * applied, recorded and seen by reads, or refused. All descriptors are closed by then.
 *
 * What they hold is counted as ours in each of them, and intents and outcomes share a transaction each
 * (docs/adr/0011-changes-share-transactions.md).
 *
 * @throws PinfoldError that concerns all: mount_not_found, mount_unavailable, read_only, storage_full…
 */
export function carryOutGroup(
  environment: OperationEnvironment,
  requests: readonly [ChangeRequest, ...ChangeRequest[]],
): readonly Outcome[] {
  const [{ mount, context }] = requests;
  using site = Site.open(environment, mount, !context.dryRun);
  using holds = new Holds();
  const shared: Shared = { environment, site, holds, isAlone: requests.length === 1 };
  const prepared = prepareAll(shared, requests);
  const errors = execute(
    environment,
    prepared.flatMap((one) => ('operation' in one ? [one.operation] : [])),
  );
  let executed = 0;
  return prepared.map((one) => {
    if ('outcome' in one) return one.outcome;
    const error = errors[executed++];
    return error === undefined ? { result: one.conclude(one.operation.intent.operationId) } : { error };
  });
}

/** Plans all before any is judged: where counting takes time, it does so once for all. */
function prepareAll(shared: Shared, requests: readonly ChangeRequest[]): readonly (Ready | Over)[] {
  const planned = requests.map((request) => trying(() => plan(shared, request)));
  const counted = new CountedObjects(shared.environment);
  counted.countAgain(
    planned.flatMap((one) => ('outcome' in one ? [] : [refusable(one)])),
    shared.site,
  );
  return planned.map((one) => ('outcome' in one ? one : trying(() => judge(shared, one, counted))));
}

/** What may yet be refused. */
function refusable({ stakes, request }: Planned): Stakes {
  const losing = stakes.losing.filter(({ subject }) => !acceptsAll(request.context, subject.object));
  return { ...stakes, losing };
}

function trying<Result>(attempt: () => Result): Result | Over {
  try {
    return attempt();
  } catch (error) {
    return { outcome: { error } };
  }
}

function plan({ environment, site, holds, isAlone }: Shared, request: ChangeRequest): Planned | Over {
  const operationId = environment.newOperationId();
  const keptAs = (path: PinPath) => environment.store.quarantine.findAt(site.mount, path)?.id;
  const view = new View(site, holds, keptAs);
  const newSlot = slotNames(`${environment.agentUuid}-${operationId}`);
  const lines = request.plan({ environment, site, holds, view, newSlot, around: request.around });
  if (view.concernsOthers && !isAlone) return { outcome: 'postponed' };
  const moves = movesOf(lines);
  const arriving = moves.flatMap((move) => move.arriving() ?? []);
  const pointers = pointersOf(lines);
  const losing = losingOf(moves, pointers);
  const stakes = { losing, arriving, oursOf: holds.countOf.bind(holds) };
  return { request, operationId, lines, pointers, stakes };
}

function judge(
  { environment, site, holds }: Shared,
  { request, operationId, lines, pointers, stakes }: Planned,
  counted: CountedObjects,
): Ready | Over {
  const { context, releases } = request;
  const { sink } = environment;
  const claimed = findClaimed(environment.claims, site.mount, { lines, releases });
  const findings = [...findHazards(counted, stakes), ...claimed];
  if (context.dryRun) return { outcome: { result: dryAnswer(request, lines, findings) } };
  if (findings.some(({ hazards }) => hazards.length > 0)) assertStillThere(site, lines);
  refuseHazards(findings, context);
  const conclude = (id: string | undefined) => doneAnswer(request, lines, { sink, operationId: id });
  const moves = movesOf(lines);
  if (moves.length === 0) return { outcome: { result: conclude(undefined) } };
  const intent = intentOf(operationId, request, { site, lines });
  const acceptance = context;
  const operation = { environment, site, holds, moves, pointers, acceptance, intent, releases };
  return { operation, conclude };
}

/**
 * A pin that somebody removed after it was planned on is missing in the counters, too: that is what there is
 * to say, and no hazard. @throws PinfoldError identity_mismatch
 */
function assertStillThere(site: Site, lines: readonly Line[]): void {
  // What is discarded has no name but in the staging directory.
  const named = lines.filter(({ kind }) => kind !== 'discard');
  for (const { vacates = [], pointer } of named) {
    for (const { path, subject } of vacates) {
      const { state } = subject;
      if (state?.path === path && !isInode(site.findInode(path), state)) throw about(pointer, mismatch(path));
    }
  }
}

function movesOf(lines: readonly Line[]) {
  return lines.flatMap((line) => line.moves);
}

/** Names of staging entries that no other operation of any agent has. */
function slotNames(first: string): () => string {
  let count = 0;
  return () => (count++ === 0 ? first : `${first}-${count}`);
}

function intentOf(
  operationId: string,
  request: ChangeRequest,
  planned: { readonly site: Site; readonly lines: readonly Line[] },
): Operation['intent'] {
  const { context, kind } = request;
  return {
    operationId,
    kind: isOfMany(kind) ? kind : (planned.lines[0]?.kind ?? kind),
    actor: context.caller.actor,
    requestId: context.requestId,
    accepted: context.force ? ['force'] : [...context.accept],
    subject: subjectOf(planned.site, planned.lines),
  };
}

/** What `GET /v1/operations/{id}` tells of an operation's aim. */
function subjectOf(site: Site, lines: readonly Line[]): Readonly<Record<string, unknown>> {
  const [first] = lines;
  if (lines.length === 1 && first !== undefined) return { mount: site.mount, ...pathMembers(first.path) };
  return {
    mount: site.mount,
    operations: lines.map((line) => ({ op: line.kind, ...pathMembers(line.path) })),
  };
}
