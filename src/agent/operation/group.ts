import { type PinPath, pathMembers } from '../../model/path.ts';
import type { ChangeResult } from '../agent.ts';
import { doneAnswer, dryAnswer } from './answer.ts';
import { findClaimed } from './claimed.ts';
import type { OperationEnvironment } from './environment.ts';
import { execute } from './execute.ts';
import { type CountedObjects, findHazards, refuseHazards } from './hazards.ts';
import { Holds } from './holds.ts';
import { isOfMany } from './moments.ts';
import type { Line, Planning } from './planning.ts';
import type { ChangeRequest } from './request.ts';
import { Site } from './site.ts';
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
  readonly counted: CountedObjects;
}

/** A change that is ready to be carried out, or what it came to where nothing is to be done. */
type Prepared =
  | { readonly outcome: Outcome }
  | {
      readonly operation: Operation;
      readonly conclude: (operationId: string) => ChangeResult;
    };

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
  const shared: Shared = { environment, site, holds, isAlone: requests.length === 1, counted: new Map() };
  const prepared = requests.map((request) => trying(() => prepare(shared, request)));
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

function trying(attempt: () => Prepared): Prepared {
  try {
    return attempt();
  } catch (error) {
    return { outcome: { error } };
  }
}

function prepare(shared: Shared, request: ChangeRequest): Prepared {
  const { environment, site, holds } = shared;
  const { context } = request;
  const { sink } = environment;
  const operationId = environment.newOperationId();
  const keptAs = (path: PinPath) => environment.store.quarantine.findAt(site.mount, path)?.id;
  const view = new View(site, holds, keptAs);
  const newSlot = slotNames(`${environment.agentUuid}-${operationId}`);
  const planning: Planning = { environment, site, holds, view, newSlot };
  const lines = request.plan(planning);
  if (view.concernsOthers && !shared.isAlone) return { outcome: 'postponed' };
  const moves = lines.flatMap((line) => line.moves);
  const arriving = moves.flatMap((move) => move.arriving() ?? []);
  const losing = moves.flatMap((move) => move.losing() ?? []);
  const stakes = { losing, arriving, oursOf: holds.countOf.bind(holds), counted: shared.counted };
  const claimed = findClaimed(environment.claims, site.mount, { lines, releases: request.releases });
  const findings = [...findHazards(environment, stakes), ...claimed];
  if (context.dryRun) return { outcome: { result: dryAnswer(request, lines, findings) } };
  refuseHazards(findings, context);
  const conclude = (id: string | undefined) => doneAnswer(request, lines, { sink, operationId: id });
  if (moves.length === 0) return { outcome: { result: conclude(undefined) } };
  const intent = intentOf(operationId, request, { site, lines });
  const { releases } = request;
  return { operation: { environment, site, holds, moves, acceptance: context, intent, releases }, conclude };
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
