import type { ClaimedPins } from '../../model/claim/claimed-pins.ts';
import { PinfoldError } from '../../model/error.ts';
import type { ObjectKind } from '../../model/kind.ts';
import type { PinPath } from '../../model/path.ts';
import type { NodeDocument } from '../../model/schema/node.ts';
import type { ObjectDocument } from '../../model/schema/object.ts';
import type { MountDocument, PinDocument, TreeEntry } from '../../model/schema/pin.ts';
import type {
  FindingReads,
  MountChoice,
  ObjectQuery,
  Observed,
  Page,
  PinQuery,
  Reads,
  Slice,
} from '../agent.ts';
import { MountNames } from '../inventory/mount-names.ts';
import { listObjects } from './list-objects.ts';
import { type DocumentCache, listPins } from './list-pins.ts';
import { listTree, type TreeChoice } from './list-tree.ts';
import { type LiveParts, readObject, readPin } from './live.ts';
import { type NodeParts, nodeDocument } from './node-document.ts';
import { assertUsesIds } from './uses-ids.ts';

/** What answers are made from. */
export interface ReadsParts extends LiveParts, NodeParts {
  /** The moment of the last observation; undefined before the first. */
  readonly observedAt: () => Date | undefined;
  readonly refresh: () => Promise<void>;
  readonly findings: Pick<FindingReads, 'objectsOf'>;
  readonly claims: ClaimedPins;
}

/** Every question the API asks of a node. */
export class AgentReads implements Reads {
  readonly #parts: ReadsParts;
  readonly #listing: { readonly cache: DocumentCache; readonly claims: ClaimedPins };

  constructor(parts: ReadsParts) {
    this.#parts = parts;
    this.#listing = { cache: new WeakMap(), claims: parts.claims };
  }

  node(): NodeDocument {
    return nodeDocument(this.#parts, this.#observedAt());
  }

  mounts(): Observed<readonly MountDocument[]> {
    return this.#observed(this.#parts.known.documents());
  }

  refresh(): Promise<void> {
    return this.#parts.refresh();
  }

  pins(query: PinQuery, slice: Slice): Observed<Page<PinDocument>> {
    return this.#observed(listPins(this.#namesOf(query.mount), query, slice, this.#listing));
  }

  pin(path: PinPath, mount: MountChoice): Observed<PinDocument> {
    return readPin(this.#parts, path, mount);
  }

  tree(query: TreeChoice & { readonly mount: MountChoice }, slice: Slice): Observed<Page<TreeEntry>> {
    return this.#observed(listTree(this.#namesOf(query.mount), query, slice));
  }

  objects(query: ObjectQuery, slice: Slice): Observed<Page<ObjectDocument>> {
    assertUsesIds(this.#parts.options.isPinsOnly);
    const { inventory, whyNoCounters, holders, findings } = this.#parts;
    const held = query.heldBy === undefined ? undefined : holders.heldBy(query.heldBy);
    const found = query.finding === undefined ? undefined : findings.objectsOf(query.finding);
    const among = held === undefined || found === undefined ? (held ?? found) : both(held, found);
    return this.#observed(listObjects(inventory, { ...query, among }, slice, whyNoCounters));
  }

  object(kind: ObjectKind, id: number): Observed<ObjectDocument> {
    assertUsesIds(this.#parts.options.isPinsOnly);
    return readObject(this.#parts, kind, id);
  }

  /**
   * The names of an instance as of the last observation. @throws PinfoldError mount_not_found,
   * mount_unavailable
   */
  #namesOf(choice: MountChoice): MountNames {
    const { known, inventory } = this.#parts;
    const id = choice ?? known.primaryId;
    const mount = id === undefined ? undefined : known.find(id)?.mount;
    if (mount === undefined) {
      throw choice === undefined
        ? new PinfoldError('mount_unavailable', {
            detail: 'No bpffs is mounted where the agent was told to look.',
          })
        : new PinfoldError('mount_not_found', {
            detail: `No bpffs instance ${choice} is mounted.`,
            mount: choice,
          });
    }
    if (mount.reachableBy === undefined) {
      const why = mount.unreachableReason ?? 'no path leads to it';
      throw new PinfoldError('mount_unavailable', {
        detail: `The bpffs ${mount.id} cannot be reached: ${why}.`,
        mount: mount.id,
      });
    }
    return inventory.findMount(mount.id) ?? new MountNames(mount.id, '');
  }

  #observed<Value>(value: Value): Observed<Value> {
    return { value, observedAt: this.#observedAt() };
  }

  /** @throws PinfoldError not_ready before the first observation */
  #observedAt(): Date {
    const at = this.#parts.observedAt();
    if (at === undefined)
      throw new PinfoldError('not_ready', { detail: 'The first observation is under way.' });
    return at;
  }
}

/** What is in both sets. */
function both(one: ReadonlySet<string>, other: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...one].filter((key) => other.has(key)));
}
