import type { BpffsMount, InodeFacts } from '../../kernel/kernel.ts';
import type { PinnableKind } from '../../model/kind.ts';
import type { PinPath } from '../../model/path.ts';
import type { PinDocument } from '../../model/schema/pin.ts';
import type { PinIdentity } from '../../model/store.ts';
import type { MountChoice } from '../agent.ts';
import type { SavedNote } from '../journal/plan.ts';

/**
 * What Pinfold itself stores about a pin. It belongs to the inode: it follows renames and ends with the
 * inode.
 */
export interface Annotations {
  readonly labels: Readonly<Record<string, string>>;
  readonly owner: string | null;
  /** Made or replaced through Pinfold. */
  readonly managed: boolean;
}

/** Which object a pin holds; the fingerprint tells it from another that gets the same id. */
export interface PinnedObject {
  readonly kind: PinnableKind;
  readonly id: number;
  readonly type: string;
  readonly name: string;
  readonly fingerprint: string;
}

/** One pin at one moment, as an operation has read it from the kernel while holding it. */
export interface PinState {
  readonly mount: string;
  /**
   * `BpffsRoot.instance`, with the marker: operations make the staging directory before they read anything.
   */
  readonly instance: string;
  readonly path: PinPath;
  readonly inode: InodeFacts;
  readonly object: PinnedObject;
  readonly annotations: Annotations;
}

/** A pin in the staging directory that is meant to stay there for now, and why. */
export interface Quarantined {
  readonly slot: string;
  readonly note: SavedNote;
}

/**
 * What became of a pin in quarantine, of which no name tells: it is gone for good, or it is there now, with
 * this inode.
 */
export interface QuarantineChange extends Quarantined {
  readonly type: 'discarded' | 'kept';
  readonly pin: PinState;
}

/** Anything an operation can have changed. */
export type Change = PinChange | DirectoryChange | QuarantineChange;

/** Whether a change is one of names, which is what the inventory shows. */
export function isOfNames(change: Change): change is PinChange | DirectoryChange {
  return change.type !== 'discarded' && change.type !== 'kept';
}

/**
 * What one settled operation did to one name. A hard-linked inode has other names too: `changed` holds for
 * all of them, and after `removed` or `renamed` their `links` count differs.
 *
 * `replaced` may have the same object on both sides: the pin is then another inode (an unpin that was taken
 * back).
 */
export type PinChange =
  | { readonly type: 'created'; readonly after: PinState; readonly restored?: Quarantined }
  | { readonly type: 'removed'; readonly before: PinState; readonly quarantined?: Quarantined }
  | {
      readonly type: 'replaced' | 'renamed' | 'changed';
      readonly before: PinState;
      readonly after: PinState;
    };

/** A directory that an operation made or removed; no event, but the observer's tree must know. */
export interface DirectoryChange {
  readonly type: 'directory_made' | 'directory_removed';
  readonly mount: string;
  readonly path: PinPath;
}

/** Who did it, for the events: the actor and the operation that `GET /v1/operations/{id}` tells of. */
export interface ChangeOrigin {
  readonly actor: string;
  readonly operationId: string;
  /** RFC 3339, the moment of settling. */
  readonly at: string;
}

/** What one operation has changed, in the order in which it was done. */
export interface OperationChanges {
  readonly changes: readonly (PinChange | DirectoryChange)[];
  readonly origin: ChangeOrigin;
}

/** What operations and recovery need of the inventory, so that reads and events are exact at once. */
export interface ChangeSink {
  /**
   * What is stored about the pin with this inode; no labels, no owner and not managed where nothing is.
   * Works before the first observation too: recovery asks.
   */
  annotationsOf(pin: PinIdentity): Annotations;
  /** The pins of an object that were seen last, in all instances, oldest first. */
  pinsOf(object: Pick<PinnedObject, 'kind' | 'id'>): Iterable<PinState>;
  /** The pin as the API shows it. Its `etag` is etagOfPin (../etag.ts). */
  documentOf(pin: PinState): PinDocument;
  /**
   * Writes the records and events of operations; called once inside the transaction that settles them. The
   * changes are in the order they were made: a later one may undo the name that an earlier one has made.
   *
   * The answered function is called once that transaction has committed, and never if it has not: it brings
   * the inventory in memory up to date and tells listeners, so that the observer's next pass sees no
   * difference.
   */
  record(operations: readonly OperationChanges[]): () => void;
}

/** Keeps account of the pins in quarantine. */
export interface QuarantineSink {
  /**
   * Writes the records of what went in and out, and the events of what no name tells; called like
   * `ChangeSink.record`, in the same transaction.
   */
  record(operations: readonly AnyChanges[]): () => void;
}

/** What one operation has changed, of whatever kind. */
export interface AnyChanges {
  readonly changes: readonly Change[];
  readonly origin: ChangeOrigin;
}

/** Finds the instance a request means, from the last scan of the mounts. */
export interface MountFinder {
  /** @throws PinfoldError mount_not_found, mount_unavailable where no path reaches it now */
  findMount(choice: MountChoice): BpffsMount;
}
