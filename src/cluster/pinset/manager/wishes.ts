import type { ChangeContext } from '../../../agent/agent.ts';
import { matchesEtag } from '../../../agent/etag.ts';
import type { Clock } from '../../../model/clock.ts';
import type { ClusterName } from '../../../model/cluster/key.ts';
import { parseDesired } from '../../../model/cluster/pinset/documents.ts';
import { nextGeneration } from '../../../model/cluster/pinset/generation.ts';
import type { NamedPinSet } from '../../../model/cluster/pinset/parse.ts';
import type { ClusterStore } from '../../../model/cluster/store.ts';
import { PinfoldError } from '../../../model/error.ts';
import { limits } from '../../../model/limits.ts';
import type { DesiredDocument } from '../../../model/schema/pinset.ts';
import { desiredKey, type PinSetBoard } from './board.ts';

/** Who wants a change of a pin set, and what must be so. */
export type WishContext = Pick<ChangeContext, 'caller' | 'ifMatch' | 'createOnly' | 'dryRun'>;

/** What a change came to, or would. */
export interface WishResult {
  readonly desired: DesiredDocument;
  /** There was none, or one that was deleted. */
  readonly created: boolean;
  /** False where it was so already. */
  readonly changed: boolean;
}

/** How often a change is tried against others that come at the same time. */
const triesMax = 16;

/** What a change makes of what is there; undefined where it is so already. */
type Decide = (stored: DesiredDocument | undefined, generation: number) => DesiredDocument | undefined;

/**
 * The only writer of `desired/`. Each change is a transaction that compares what it has read; its generation
 * is newer than the stored one and than any that a node is known to have applied, so that after a restore of
 * the store from an older backup no two specifications share one.
 */
export class Wishes {
  readonly #store: ClusterStore;
  readonly #board: PinSetBoard;
  readonly #clock: Clock;

  constructor({ store, board, clock }: { store: ClusterStore; board: PinSetBoard; clock: Clock }) {
    this.#store = store;
    this.#board = board;
    this.#clock = clock;
  }

  /** What is wanted now, deletions too; read from the store. @throws PinfoldError cluster_unavailable */
  async find(name: ClusterName): Promise<DesiredDocument | undefined> {
    const { value } = await this.#store.get(desiredKey(name));
    return value === undefined ? undefined : parseDesired(value.value);
  }

  /** @throws PinfoldError precondition_failed, conflict, cluster_unavailable */
  async put(spec: NamedPinSet, context: WishContext): Promise<WishResult> {
    return await this.#change(spec.name, context, (stored, generation) => {
      if (stored === undefined || stored.deleted === true) return this.#wish(spec, { generation }, context);
      const isNewest = generation === stored.generation + 1 && !this.#isAhead(spec.name);
      if (isNewest && isEqual(stored.spec, spec)) return undefined;
      return this.#wish(spec, { generation, former: formerOf(stored) }, context);
    });
  }

  /** Leaves a mark, by which nodes let go of it. @throws PinfoldError pinset_not_found, … as `put` */
  async delete(name: ClusterName, prune: boolean | undefined, context: WishContext): Promise<WishResult> {
    return await this.#change(name, context, (stored, generation) => {
      if (stored === undefined || stored.deleted === true) throw notFound(name);
      const spec = prune === undefined ? stored.spec : { ...stored.spec, prune };
      return this.#wish(spec, { generation, former: formerOf(stored), deleted: true }, context);
    });
  }

  /** Wants again what was wanted before, also before it was deleted. @throws PinfoldError, as `put` */
  async rollBack(name: ClusterName, context: WishContext): Promise<WishResult> {
    return await this.#change(name, context, (stored, generation) => {
      if (stored === undefined) throw notFound(name);
      if (stored.former === undefined) {
        const detail = `${name} has no former specification: this is the first that the store knows.`;
        throw new PinfoldError('no_former_generation', { detail });
      }
      const former = formerOf(stored);
      return this.#wish(stored.former.spec, { generation, former }, context);
    });
  }

  async #change(name: ClusterName, context: WishContext, decide: Decide): Promise<WishResult> {
    const key = desiredKey(name);
    for (let tries = 0; tries < triesMax; tries += 1) {
      const { value: entry } = await this.#store.get(key);
      const stored = entry === undefined ? undefined : parseDesired(entry.value);
      const isThere = stored !== undefined && stored.deleted !== true;
      checkPreconditions(name, isThere ? stored : undefined, context);
      const desired = decide(stored, this.#nextGeneration(name, stored));
      if (desired === undefined && stored !== undefined)
        return { desired: stored, created: false, changed: false };
      if (desired === undefined) break;
      const result = { desired, created: !isThere, changed: true };
      if (context.dryRun) return result;
      const { succeeded, revision } = await this.#store.txn({
        conditions: [{ key, modRevision: entry?.modRevision ?? 0 }],
        changes: [{ put: key, value: textOf(desired) }],
      });
      if (!succeeded) continue;
      await this.#board.untilSeen(name, revision);
      return result;
    }
    throw new PinfoldError('conflict', {
      detail: `Others change ${name} at the same time, again and again.`,
    });
  }

  #nextGeneration(name: ClusterName, stored: DesiredDocument | undefined): number {
    const applied = [...this.#board.statuses(name).values()].map(({ generation }) => generation);
    return nextGeneration(stored?.generation ?? 0, applied);
  }

  #isAhead(name: ClusterName): boolean {
    return [...this.#board.statuses(name).values()].some(({ ahead_of_store: isAhead }) => isAhead === true);
  }

  #wish(
    spec: DesiredDocument['spec'],
    more: Pick<DesiredDocument, 'generation' | 'former' | 'deleted'>,
    { caller }: WishContext,
  ): DesiredDocument {
    return { ...more, spec, time: this.#clock.now().toISOString(), actor: caller.actor.slice(0, 600) };
  }
}

/** The entity tag of a pin set: its generation. */
export function etagOfPinSet({ generation }: Pick<DesiredDocument, 'generation'>): string {
  return `"${generation}"`;
}

/** For a name that nobody has given, or whose pin set was deleted. */
export function notFound(name: ClusterName): PinfoldError {
  return new PinfoldError('pinset_not_found', { detail: `There is no pin set ${name}, or it was deleted.` });
}

/** @throws PinfoldError precondition_failed */
function checkPreconditions(
  name: ClusterName,
  stored: DesiredDocument | undefined,
  { ifMatch, createOnly }: WishContext,
): void {
  const etag = stored === undefined ? undefined : etagOfPinSet(stored);
  const failed = (why: string) =>
    new PinfoldError('precondition_failed', {
      detail: `Nothing was done to the pin set ${name}: ${why}.`,
      ...(etag === undefined ? {} : { etag }),
    });
  if (createOnly && etag !== undefined) throw failed('there is one already');
  if (ifMatch === undefined) return;
  if (etag === undefined) throw failed('there is none');
  if (!matchesEtag(ifMatch, etag)) throw failed('it is not what If-Match says');
}

function formerOf({ generation, spec }: DesiredDocument): NonNullable<DesiredDocument['former']> {
  return { generation, spec };
}

/** @throws PinfoldError invalid_input for what the store cannot take */
function textOf(desired: DesiredDocument): string {
  const text = JSON.stringify(desired);
  if (parseDesired(text) === undefined) {
    throw new PinfoldError('invalid_input', { detail: 'It could not be read again once it was stored.' });
  }
  if (Buffer.byteLength(text) <= limits.clusterValueBytesMax) return text;
  throw new PinfoldError('invalid_input', { detail: 'The pin set and its former generation are too large.' });
}

/** The same members with the same values, in whatever order they were written. */
function isEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(inOrder(one)) === JSON.stringify(inOrder(other));
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return members.map(([key, member]) => [key, inOrder(member)]);
}
