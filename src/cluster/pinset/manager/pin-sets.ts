import type { Clock } from '../../../model/clock.ts';
import type { ClusterName } from '../../../model/cluster/key.ts';
import type { NamedPinSet } from '../../../model/cluster/pinset/parse.ts';
import type { ClusterStore } from '../../../model/cluster/store.ts';
import type { Log } from '../../../model/log.ts';
import type { Caller } from '../../../model/role.ts';
import type { DesiredDocument } from '../../../model/schema/pinset.ts';
import type { AdoptablePinSet, PinSetDocument, PinSetOnNode } from '../../../model/schema/pinset-fleet.ts';
import type { NodeDirectory } from '../../membership/nodes.ts';
import { PinSetBoard } from './board.ts';
import { adoptable, nodesOf, pinSetDocument, type Seen } from './documents.ts';
import { Leadership } from './leadership.ts';
import { type EditParts, pauseRollout, resumeRollout } from './pause.ts';
import { Rollouts } from './rollouts.ts';
import { notFound, type WishContext, Wishes, type WishResult } from './wishes.ts';

/** What pin sets are managed with. */
export interface PinSetParts {
  readonly store: ClusterStore;
  readonly directory: NodeDirectory;
  /** The manager's own name. */
  readonly name: ClusterName;
  readonly clock: Clock;
  readonly log: Log;
}

/** Pin sets as the API sees them: what people want, where it is on its way, what became of it. */
export class PinSets {
  readonly #board: PinSetBoard;
  readonly #wishes: Wishes;
  readonly #rollouts: Rollouts;
  readonly #editing: EditParts;

  constructor({ store, directory, name, clock, log }: PinSetParts) {
    this.#board = new PinSetBoard({ store, directory, clock, log, onChange: () => this.#rollouts.wake() });
    this.#wishes = new Wishes({ store, board: this.#board, clock });
    const leadership = new Leadership({ store, name, clock, log });
    this.#editing = { store, clock, board: this.#board };
    this.#rollouts = new Rollouts({ store, board: this.#board, leadership, clock, log });
  }

  /** Why what is told may be old; undefined while the store is being watched. */
  get trouble(): string | undefined {
    return this.#board.trouble;
  }

  /** Begins, and resolves after the first reading of the store, or the first failure to read it. */
  async start(): Promise<void> {
    await this.#board.start();
    this.#rollouts.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#rollouts.stop(), this.#board.stop()]);
  }

  /** All that are wanted, by name. */
  list(): readonly PinSetDocument[] {
    return this.#board.names().flatMap((name) => {
      const document = this.#board.desired(name)?.document;
      if (document === undefined || document.deleted === true) return [];
      return [pinSetDocument(this.#see(name, document))];
    });
  }

  /** One, as the store has it now. @throws PinfoldError pinset_not_found, cluster_unavailable */
  async get(name: ClusterName): Promise<PinSetDocument> {
    return pinSetDocument(this.#see(name, await this.desired(name)));
  }

  /** What is wanted now. @throws PinfoldError pinset_not_found, cluster_unavailable */
  async desired(name: ClusterName): Promise<DesiredDocument> {
    const desired = await this.#wishes.find(name);
    if (desired === undefined || desired.deleted === true) throw notFound(name);
    return desired;
  }

  /** The same with what each node came to; of one that was deleted, too. @throws PinfoldError, as `get` */
  async status(name: ClusterName): Promise<Seen & { readonly items: readonly PinSetOnNode[] }> {
    const desired = await this.#wishes.find(name);
    if (desired === undefined) throw notFound(name);
    const seen = this.#see(name, desired);
    return { ...seen, items: nodesOf(seen) };
  }

  /** Those that only nodes know, or know better than the store. */
  adoptable(): readonly AdoptablePinSet[] {
    return adoptable(this.#board);
  }

  /** @throws PinfoldError precondition_failed, conflict, cluster_unavailable */
  async put(spec: NamedPinSet, context: WishContext): Promise<WishResult> {
    return await this.#wishes.put(spec, context);
  }

  /** @throws PinfoldError pinset_not_found, and as `put` */
  async delete(name: ClusterName, prune: boolean | undefined, context: WishContext): Promise<WishResult> {
    return await this.#wishes.delete(name, prune, context);
  }

  /** @throws PinfoldError pinset_not_found, no_former_generation, and as `put` */
  async rollBack(name: ClusterName, context: WishContext): Promise<WishResult> {
    return await this.#wishes.rollBack(name, context);
  }

  /** What a document of a change shows: as it is, or as it would be. */
  documentOf(name: ClusterName, desired: DesiredDocument): PinSetDocument {
    return pinSetDocument(this.#see(name, desired));
  }

  /** Opens no more nodes; those that change go on. @throws PinfoldError as `resume` */
  async pause(name: ClusterName, { actor }: Caller): Promise<PinSetDocument> {
    const { desired, rollout } = await pauseRollout(this.#editing, name, actor);
    return pinSetDocument({ ...this.#see(name, desired), rollout });
  }

  /** Goes on, over the failures there are now. @throws PinfoldError pinset_not_found, not_rolling_out, … */
  async resume(name: ClusterName, { actor }: Caller): Promise<PinSetDocument> {
    const { desired, rollout } = await resumeRollout(this.#editing, name, actor);
    return pinSetDocument({ ...this.#see(name, desired), rollout });
  }

  #see(name: ClusterName, desired: DesiredDocument): Seen {
    const rollout = this.#board.rollout(name)?.document;
    return { name, desired, rollout, nodes: this.#board.nodes(name) };
  }
}
