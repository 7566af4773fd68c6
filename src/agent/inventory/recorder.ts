import { type PinPath, pathMembers } from '../../model/path.ts';
import type { EventDocument, NewEvent } from '../../model/schema/event.ts';
import type { PinDocument } from '../../model/schema/pin.ts';
import type { PinIdentity, PinRecord, Store } from '../../model/store.ts';
import type {
  Annotations,
  ChangeOrigin,
  ChangeSink,
  DirectoryChange,
  PinChange,
  PinState,
} from '../operation/sink.ts';
import type { AnnotationIndex } from './annotations.ts';
import { missedBefore } from './catch-up.ts';
import { modeText, pinDocument, pinSubject } from './documents.ts';
import { isSameInode, type PinEntry } from './entry.ts';
import type { Inventory } from './inventory.ts';
import type { KeptPin, SettledChange } from './pair-changes.ts';

/** Who is told of events once they are committed. */
export type Announce = (events: readonly EventDocument[]) => void;

/** Who changed something, and when; foreign changes have no operation. */
export type Origin = Omit<ChangeOrigin, 'operationId'> & { readonly operationId?: string };

/** A name that an operation of ours has just changed. */
export interface OwnChange {
  readonly mount: string;
  readonly path: PinPath;
  /** A directory was made: its attributes are still to be read. */
  readonly isNewDirectory: boolean;
}

/**
 * Writes what changed to the store, and then to memory. The one way by which pins enter and leave the
 * inventory.
 */
export class ChangeRecorder implements ChangeSink {
  readonly #store: Store;
  readonly #inventory: Inventory;
  readonly #annotations: AnnotationIndex;
  readonly #announce: Announce;
  #isObserving = false;
  #onOwnChange: (change: OwnChange) => void = () => undefined;

  constructor(parts: {
    readonly store: Store;
    readonly inventory: Inventory;
    readonly annotations: AnnotationIndex;
    readonly announce: Announce;
  }) {
    this.#store = parts.store;
    this.#inventory = parts.inventory;
    this.#annotations = parts.annotations;
    this.#announce = parts.announce;
  }

  /** From now on the inventory is what was seen: an operation that finds something else has found a change. */
  beginObserving(): void {
    this.#isObserving = true;
  }

  /**
   * Names the one who is told of each name an operation has changed, so that an observation under way does
   * not contradict it.
   */
  onOwnChange(listener: (change: OwnChange) => void): void {
    this.#onOwnChange = listener;
  }

  annotationsOf(pin: PinIdentity): Annotations {
    return this.#annotations.get(pin);
  }

  documentOf(pin: PinState): PinDocument {
    const firstSeen = this.#inventory.namesOfInode(pin)[0]?.firstSeen;
    return pinDocument(firstSeen === undefined ? pin : { ...pin, firstSeen });
  }

  record(changes: readonly (PinChange | DirectoryChange)[], origin: ChangeOrigin): () => void {
    const own = changes.filter((change) => !isOfDirectory(change));
    const missed = this.#isObserving ? missedBefore(own, this.#inventory) : [];
    const foreign = { actor: 'kernel', at: origin.at };
    const finishers = [
      ...missed.map((change) => this.write([{ change }], foreign)),
      ...own.map((change) => this.write([{ change }], origin)),
    ];
    return () => {
      for (const change of [...missed, ...changes]) this.#noteOwn(change);
      for (const finish of finishers) finish();
    };
  }

  /** The same for anybody's changes; call it in a transaction, and what it answers once that is committed. */
  write(changes: readonly SettledChange[], origin: Origin): () => void {
    if (changes.length === 0) return () => undefined;
    this.#markGone(changes, origin.at);
    this.#store.pins.put(changes.flatMap(({ change }) => this.#recordsOf(change, origin.at)));
    const events = this.#store.events.append(changes.map((settled) => this.#eventOf(settled, origin)));
    return () => {
      for (const settled of changes) this.#apply(settled, origin.at);
      this.#announce(events);
    };
  }

  /**
   * Takes note of a pin that is what it was, or that only has fresher facts; rows only where its instance
   * got a marker.
   */
  keep(pins: readonly KeptPin[], at: string): () => void {
    const moved = pins.filter(({ before, after }) => before.instance !== after.instance);
    this.#store.pins.markGone(
      moved.map(({ before }) => ({ instance: before.instance, path: before.path })),
      at,
    );
    this.#store.pins.put(moved.map(({ before, after }) => recordOf(after, before.firstSeen, at)));
    return () => {
      for (const { before, after } of pins) this.#enter(after, before.firstSeen);
    };
  }

  /** Names go before others come, so that a name that one left and another took stays present. */
  #markGone(changes: readonly SettledChange[], at: string): void {
    const left = changes.flatMap(({ change, vacated }) => [
      ...('before' in change && change.type !== 'changed' ? [change.before] : []),
      ...(vacated === undefined ? [] : [vacated]),
    ]);
    if (left.length === 0) return;
    this.#store.pins.markGone(
      left.map(({ instance, path }) => ({ instance, path })),
      at,
    );
    const retaken = left.flatMap((pin) => {
      const now = this.#inventory.findMount(pin.mount)?.findPin(pin.path);
      return now === undefined || isSameInode(now.inode, pin.inode) ? [] : [recordOf(now, now.firstSeen, at)];
    });
    if (retaken.length > 0) this.#store.pins.put(retaken);
  }

  /** The rows of a pin, those of its other names too: its attributes, labels and owner are theirs as well. */
  #recordsOf(change: PinChange, at: string): readonly PinRecord[] {
    if (change.type === 'removed') return [];
    const pin = change.after;
    const own = recordOf(pin, this.#firstSeen(change) ?? at, at);
    if (pin.inode.links < 2) return [own];
    const others = this.#inventory.namesOfInode(pin).filter((other) => other.path !== pin.path);
    return [own, ...others.map((other) => ({ ...own, path: other.path, firstSeen: other.firstSeen }))];
  }

  #apply({ change, vacated }: SettledChange, at: string): void {
    const firstSeen = this.#firstSeen(change) ?? at;
    if (vacated !== undefined) this.#leave(vacated);
    if ('before' in change) this.#leave(change.before);
    if ('after' in change) this.#enter(change.after, firstSeen);
    if (change.type === 'removed' || change.type === 'replaced') this.#forgetAnnotations(change.before);
  }

  #leave(pin: PinState): void {
    const mount = this.#inventory.findMount(pin.mount);
    const there = mount?.findPin(pin.path);
    if (mount !== undefined && there !== undefined && isSameInode(there.inode, pin.inode)) {
      this.#inventory.remove(mount, pin.path);
    }
  }

  #enter(pin: PinState, firstSeen: string): void {
    const mount = this.#inventory.openMount(pin.mount, pin.instance);
    this.#annotations.set(identityOf(pin), pin.annotations);
    this.#inventory.set(mount, pin.path, { entry: 'pin', pin: { ...pin, firstSeen } });
    if (pin.inode.links < 2) return;
    for (const other of this.#inventory.namesOfInode(pin)) {
      const fresher = { ...other, inode: pin.inode, annotations: pin.annotations };
      this.#inventory.set(mount, other.path, { entry: 'pin', pin: fresher });
    }
  }

  #forgetAnnotations(pin: PinState): void {
    if (this.#inventory.namesOfInode(pin).length === 0) this.#annotations.remove(identityOf(pin));
  }

  #noteOwn(change: PinChange | DirectoryChange): void {
    if (isOfDirectory(change)) {
      const { mount, path } = change;
      const names = this.#inventory.findMount(mount);
      if (change.type === 'directory_removed' && names !== undefined) this.#inventory.remove(names, path);
      this.#onOwnChange({ mount, path, isNewDirectory: change.type === 'directory_made' });
      return;
    }
    if ('before' in change) this.#onOwnChange({ ...change.before, isNewDirectory: false });
    if ('after' in change) this.#onOwnChange({ ...change.after, isNewDirectory: false });
  }

  /** Since when the inode has been known; undefined where this change brings it. */
  #firstSeen(change: PinChange): string | undefined {
    if (change.type === 'created') return this.#inventory.namesOfInode(change.after)[0]?.firstSeen;
    if (change.type === 'replaced') return this.#inventory.namesOfInode(change.after)[0]?.firstSeen;
    const { before } = change;
    return isEntry(before) ? before.firstSeen : this.#inventory.namesOfInode(before)[0]?.firstSeen;
  }

  #eventOf({ change, vacated }: SettledChange, origin: Origin): NewEvent {
    const pin = change.type === 'removed' ? change.before : change.after;
    const from = vacated === undefined ? {} : { renamed_from: pathMembers(vacated.path) };
    const firstSeen = this.#firstSeen(change) ?? origin.at;
    return {
      time: origin.at,
      type: `pin.${change.type}`,
      subject: pinSubject(pin),
      before: 'before' in change ? pinDocument({ firstSeen, ...change.before }) : null,
      after: 'after' in change ? { ...pinDocument({ ...change.after, firstSeen }), ...from } : null,
      actor: origin.actor,
      ...(origin.operationId === undefined ? {} : { operation_id: origin.operationId }),
    };
  }
}

function isEntry(pin: PinState): pin is PinEntry {
  return 'firstSeen' in pin;
}

/** Which inode a pin is, as the store keys it. */
export function identityOf(pin: PinState): PinIdentity {
  return { instance: pin.instance, inode: pin.inode.inode, mtimeNs: String(pin.inode.mtimeNs) };
}

function recordOf(pin: PinState, firstSeen: string, at: string): PinRecord {
  const { inode, object, annotations } = pin;
  return {
    ...identityOf(pin),
    mount: pin.mount,
    path: pin.path,
    kind: object.kind,
    objectId: object.id,
    fingerprint: object.fingerprint,
    mode: modeText(inode.mode),
    uid: inode.uid,
    gid: inode.gid,
    firstSeen,
    lastSeen: at,
    goneAt: null,
    labels: annotations.labels,
    owner: annotations.owner,
    managed: annotations.managed,
  };
}

function isOfDirectory(change: PinChange | DirectoryChange): change is DirectoryChange {
  return change.type === 'directory_made' || change.type === 'directory_removed';
}
