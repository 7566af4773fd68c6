import { type Claim, isSameObject } from '../../model/claim/claim.ts';
import type { ClaimedPlace, ClaimRef } from '../../model/claim/claimed-pins.ts';
import { type ClaimOwner, ownerMembers } from '../../model/claim/owner.ts';
import {
  type ClaimWish,
  type PlannedClaim,
  planClaim,
  rememberedObjects,
} from '../../model/claim/plan-claim.ts';
import { PinfoldError } from '../../model/error.ts';
import { escapeBytes, type PinPath, pathMembers } from '../../model/path.ts';
import type { ClaimDocument } from '../../model/schema/claim.ts';
import type { ChangeContext, MountChoice, Observed, Page, PlanStep, Reads, Slice } from '../agent.ts';
import { matchesEtag } from '../etag.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { PinChanges } from '../operation/changes.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import { describeObject, quote } from '../operation/sentence.ts';
import type { ClaimBook, ClaimCounts } from './claim-book.ts';
import { recordClaim, reported } from './claim-journal.ts';
import type { ClaimAsked, ClaimQuery, ClaimResult, Claims, ReleaseResult } from './contract.ts';
import { claimDocument, etagOfClaim, type Sight } from './documents.ts';
import { listClaims } from './list-claims.ts';
import { type PlannedRelease, planRelease, releaseRequest } from './release.ts';
import { readSights, recallSights, type Seen } from './sights.ts';

/** What claims are asked about with. */
export interface ClaimParts {
  readonly book: ClaimBook;
  readonly environment: OperationEnvironment;
  readonly reads: Pick<Reads, 'pin'>;
  readonly inventory: Inventory;
  readonly changes: Pick<PinChanges, 'ask'>;
  readonly primaryMount: () => string | undefined;
  readonly observedAt: () => Date | undefined;
}

/** Claims as the API asks for them. */
export class AgentClaims implements Claims {
  readonly #parts: ClaimParts;

  constructor(parts: ClaimParts) {
    this.#parts = parts;
  }

  claimsOf(place: ClaimedPlace): readonly ClaimRef[] {
    return this.#parts.book.claimsOf(place);
  }

  counts(): ClaimCounts {
    return this.#parts.book.counts();
  }

  put(owner: ClaimOwner, asked: ClaimAsked, context: ChangeContext): Promise<ClaimResult> {
    return reported(this.#parts.environment, 'claim', () => this.#put(owner, asked, context));
  }

  async #put(owner: ClaimOwner, asked: ClaimAsked, context: ChangeContext): Promise<ClaimResult> {
    const { book, environment } = this.#parts;
    this.#assertMayChange(context);
    const wish = this.#wishOf(asked);
    const seen = await this.#look(wish, book.find(owner));
    // From here until it is recorded nothing else happens.
    const before = book.find(owner);
    checkPreconditions(owner, before, context);
    refuseUnreadable(seen, before);
    const operationId = environment.newOperationId();
    const at = environment.clock.now().toISOString();
    const moment = { operationId, actor: context.caller.actor, at, now: book.now() };
    const planned = planClaim(owner, before, { wish, sights: objectsOf(seen) }, moment);
    book.assertFits(planned);
    const created = before === undefined;
    if (context.dryRun) return { operationId: undefined, created, claim: undefined, plan: stepsOf(planned) };
    const isQuiet = book.isQuiet(planned);
    if (isQuiet) book.renew(planned);
    else {
      const subject = this.#subjectOf(planned.claim);
      const write: Parameters<typeof recordClaim>[1]['write'] = (origin) => book.put(planned, origin);
      recordClaim(environment, { kind: 'claim', operationId, context, subject, write });
    }
    // What is read now stays, because it is claimed; what was read before may have gone meanwhile.
    const claim = await this.#read(planned.claim);
    return { operationId: isQuiet ? undefined : operationId, created, claim, plan: undefined };
  }

  async get(owner: ClaimOwner): Promise<ClaimDocument> {
    return await this.#read(this.#find(owner));
  }

  /** A claim with what its paths hold, read from the kernel. */
  async #read(claim: Claim): Promise<ClaimDocument> {
    const observedAt = this.#parts.environment.clock.now();
    const paths = claim.pins.map(({ path }) => path);
    const lost = this.#lost(claim);
    const sights = lost ?? (await this.#readPaths(paths, claim.mount)).map(({ sight }) => sight);
    return this.#documentOf(claim, sights, observedAt);
  }

  list(query: ClaimQuery, slice: Slice): Observed<Page<ClaimDocument>> {
    const { book, inventory } = this.#parts;
    const observedAt = this.#parts.observedAt() ?? this.#parts.environment.clock.now();
    const { items, next, total } = listClaims(book.list(), query, slice);
    const documents = items.map((claim) => {
      const paths = claim.pins.map(({ path }) => path);
      const sights = this.#lost(claim) ?? recallSights(inventory, paths, this.#mountOf(claim));
      return this.#documentOf(claim, sights, observedAt);
    });
    return { value: { items: documents, next, total }, observedAt };
  }

  release(
    owner: ClaimOwner,
    { unpins }: { readonly unpins: boolean },
    context: ChangeContext,
  ): Promise<ReleaseResult> {
    const { environment } = this.#parts;
    if (unpins) return this.#releaseAndUnpin(owner, context);
    return reported(environment, 'release', async () => this.#releaseAlone(owner, context, noLines));
  }

  #releaseAlone(owner: ClaimOwner, context: ChangeContext, { kept }: PlannedRelease): ReleaseResult {
    const { book, environment } = this.#parts;
    this.#assertMayChange(context);
    const claim = this.#find(owner);
    checkPreconditions(owner, claim, context);
    if (context.dryRun) return { operationId: undefined, plan: [releaseStep(claim)], unpinned: [], kept };
    const operationId = environment.newOperationId();
    const subject = this.#subjectOf(claim);
    const write: Parameters<typeof recordClaim>[1]['write'] = (origin) => book.release(claim.id, origin);
    recordClaim(environment, { kind: 'release', operationId, context, subject, write });
    return { operationId, plan: undefined, unpinned: [], kept };
  }

  /** One operation: the claim ends in the transaction that records what was unpinned for it. */
  async #releaseAndUnpin(owner: ClaimOwner, context: ChangeContext): Promise<ReleaseResult> {
    const { book, changes } = this.#parts;
    const claim = this.#find(owner);
    checkPreconditions(owner, claim, context);
    const lost = this.#lost(claim);
    if (lost !== undefined) return this.#releaseAlone(owner, context, allKept(claim, lostReason));
    let planned = noLines;
    const request = releaseRequest(claim, context, (planning) => {
      // Others had their turn since it was asked for: the claim may be another, or more owners have one.
      const now = this.#find(owner);
      checkPreconditions(owner, now, context);
      if (now.id !== claim.id) throw isAnother(owner);
      planned = planRelease(planning, book, now);
      return planned.lines;
    });
    const result = await changes.ask(request);
    if (planned.lines.length === 0) return this.#releaseAlone(owner, context, planned);
    const unpinned = planned.lines.map(({ path }) => path);
    const { operationId } = result;
    const plan = result.plan === undefined ? undefined : [...result.plan, releaseStep(claim)];
    return { operationId, plan, unpinned: plan === undefined ? unpinned : [], kept: planned.kept };
  }

  #find(owner: ClaimOwner): Claim {
    const claim = this.#parts.book.find(owner);
    if (claim !== undefined) return claim;
    const detail = `"${escapeBytes(owner)}" claims nothing, or no longer: released, or its lease is over.`;
    throw new PinfoldError('claim_not_found', { detail });
  }

  #wishOf({ mount, paths, leaseMs, labels, adopts }: ClaimAsked): ClaimWish {
    const isPrimary = mount === this.#parts.primaryMount();
    return {
      adopts,
      ...(mount === undefined ? {} : { mount: isPrimary ? null : mount }),
      ...(paths === undefined ? {} : { paths }),
      ...(leaseMs === undefined ? {} : { leaseMs }),
      ...(labels === undefined ? {} : { labels }),
    };
  }

  /** What is at every path of which the claim does not know already what it is of. */
  async #look(wish: ClaimWish, before: Claim | undefined): Promise<ReadonlyMap<PinPath, Seen>> {
    const remembered = rememberedObjects(before, wish, this.#parts.book.now());
    const paths = new Set(wish.paths ?? before?.pins.map(({ path }) => path));
    const wanted = [...paths].filter((path) => !remembered.has(path));
    const mount = wish.mount === undefined ? (before?.mount ?? null) : wish.mount;
    const seen = await this.#readPaths(wanted, mount);
    return new Map(wanted.map((path, index) => [path, seen[index] ?? { sight: null }]));
  }

  #readPaths(paths: readonly PinPath[], mount: string | null): Promise<readonly Seen[]> {
    const { reads, environment } = this.#parts;
    const choice: MountChoice = mount ?? undefined;
    return readSights({ reads, clock: environment.clock }, paths, choice);
  }

  /** The same for all paths of a claim whose instance was named by a number that means nothing any more. */
  #lost({ bootId, pins }: Claim): readonly Sight[] | undefined {
    if (bootId === this.#parts.book.now().bootId) return undefined;
    return pins.map(() => ({ unknown: lostReason }));
  }

  #mountOf({ mount }: Claim): string | null {
    return mount ?? this.#parts.primaryMount() ?? null;
  }

  #documentOf(claim: Claim, sights: readonly Sight[], observedAt: Date): ClaimDocument {
    const { book, environment } = this.#parts;
    const now = { boot: book.now(), wall: environment.clock.now() };
    return claimDocument(claim, { mount: this.#mountOf(claim), sights, observedAt, now });
  }

  #subjectOf(claim: Claim): Readonly<Record<string, unknown>> {
    return { ...ownerMembers(claim.owner), claim: claim.id, mount: this.#mountOf(claim) };
  }

  #assertMayChange({ dryRun }: ChangeContext): void {
    if (!this.#parts.environment.isReadOnly || dryRun) return;
    throw new PinfoldError('read_only', { detail: 'This agent runs with --read-only and changes nothing.' });
  }
}

const noLines: PlannedRelease = { lines: [], kept: [] };

const lostReason = 'The machine was restarted, and the instance that was claimed went with its kernel.';

function allKept({ pins }: Claim, detail: string): PlannedRelease {
  return { lines: [], kept: pins.map(({ path }) => ({ path, reason: 'unknown', detail })) };
}

/** @throws PinfoldError precondition_failed */
function checkPreconditions(
  owner: ClaimOwner,
  claim: Claim | undefined,
  { ifMatch, createOnly }: ChangeContext,
): void {
  const failed = (why: string) => {
    const detail = `Nothing was done to the claim of "${escapeBytes(owner)}": ${why}.`;
    return new PinfoldError('precondition_failed', {
      detail,
      ...(claim === undefined ? {} : { etag: etagOfClaim(claim) }),
    });
  };
  if (createOnly && claim !== undefined) throw failed('there is one already');
  if (ifMatch === undefined) return;
  if (claim === undefined) throw failed('there is none');
  if (!matchesEtag(ifMatch, etagOfClaim(claim))) throw failed('it is not what If-Match says');
}

/** A path that was claimed stays claimed, whatever became of it; a new one must be one that can be read. */
function refuseUnreadable(seen: ReadonlyMap<PinPath, Seen>, before: Claim | undefined): void {
  const known = new Set(before?.pins.map(({ path }) => path));
  for (const [path, { error }] of seen) if (error !== undefined && !known.has(path)) throw error;
}

function objectsOf(seen: ReadonlyMap<PinPath, Seen>) {
  return new Map(
    [...seen].flatMap(([path, { sight }]) =>
      sight !== null && 'unknown' in sight ? [] : [[path, sight] as const],
    ),
  );
}

/** What a dry run would have done, path by path. */
function stepsOf({ claim, before }: PlannedClaim): readonly PlanStep[] {
  const had = new Map(before?.pins.map(({ path, object }) => [path, object]));
  const has = new Set(claim.pins.map(({ path }) => path));
  const dropped = [...had.keys()].filter((path) => !has.has(path));
  return [
    ...claim.pins.map(({ path, object }) => {
      const known = had.get(path);
      const isKept = had.has(path) && (object === known || (object && known && isSameObject(object, known)));
      const what = object === null ? 'where nothing is yet' : describeObject(object);
      return step(isKept === true ? 'renew' : 'claim', path, `${quote(path)}, ${what}`);
    }),
    ...dropped.map((path) => step('unclaim', path, quote(path))),
  ];
}

function step(action: string, path: PinPath, what: string): PlanStep {
  return { action, ...pathMembers(path), detail: `${action} ${what}`, hazards: [] };
}

function releaseStep({ owner }: Claim): PlanStep {
  return { action: 'release', path: '', detail: `end the claim of "${escapeBytes(owner)}"`, hazards: [] };
}

function isAnother(owner: ClaimOwner): PinfoldError {
  const detail = `The claim of "${escapeBytes(owner)}" was released and made anew meanwhile.`;
  return new PinfoldError('conflict', { detail });
}
