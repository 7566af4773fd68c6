import { type ClaimedPins, ownersOf } from '../../model/claim/claimed-pins.ts';
import { type PinPath, pathMembers } from '../../model/path.ts';
import type { EventDocument, NewEvent } from '../../model/schema/event.ts';
import type { PinDocument } from '../../model/schema/pin.ts';
import type { PinIdentity, PinRecord, Store } from '../../model/store.ts';
import type {
  Annotations,
  ChangeOrigin,
  ChangeSink,
  DirectoryChange,
  OperationChanges,
  PinChange,
  PinState,
} from '../operation/sink.ts';
import { type AnnotationIndex, isSameSaying } from './annotations.ts';
import { missedBefore, type ToldPins } from './catch-up.ts';
import { modeText, pinDocument, pinSubject } from './documents.ts';
import { hasOtherAttributes, hasOtherFacts, isSameInode, type PinEntry } from './entry.ts';
import type { Inventory } from './inventory.ts';
import type { KeptPin, SettledChange } from './pair-changes.ts';
import { toldByInventory, toldByRows, unmarked } from './told-pins.ts';

/** Who is told of events once they are committed. */
export type Announce = (events: readonly EventDocument[]) => void;

/** Who changed something, and when; foreign changes have no operation. */
export type Origin = Omit<ChangeOrigin, 'operationId'> & {
  readonly operationId?: string;
  /** The systemd unit of the process that `actor` names. */
  readonly unit?: string;
};

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
  readonly #claims: ClaimedPins;
  readonly #announce: Announce;
  /** Pins that events have just told of, as they were told: whoever asked for the change is told the same. */
  readonly #shown = new WeakMap<PinState, PinDocument>();
  /** What history has told so far, and who is said to have done what it has missed. */
  #told: { readonly pins: ToldPins; readonly actor: string };
  #onOwnChange: (change: OwnChange) => void = () => undefined;

  constructor(parts: {
    readonly store: Store;
    readonly inventory: Inventory;
    readonly annotations: AnnotationIndex;
    readonly claims: ClaimedPins;
    readonly announce: Announce;
  }) {
    this.#store = parts.store;
    this.#inventory = parts.inventory;
    this.#annotations = parts.annotations;
    this.#claims = parts.claims;
    this.#announce = parts.announce;
    // What recovery finds was found by the agent that died.
    this.#told = { pins: toldByRows(parts.store), actor: 'kernel' };
  }

  /** The first look begins: what operations find from now on may have happened while nobody looked. */
  beginLooking(): void {
    this.#told = { pins: this.#told.pins, actor: 'unknown' };
  }

  /** The first look is over: the inventory is what was seen. */
  beginObserving(): void {
    this.#told = { pins: toldByInventory(this.#inventory), actor: 'kernel' };
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

  pinsOf({ kind, id }: Pick<PinState['object'], 'kind' | 'id'>): Iterable<PinState> {
    return this.#inventory.walkPinsOf(kind, id);
  }

  documentOf(pin: PinState): PinDocument {
    const shown = this.#shown.get(pin);
    if (shown !== undefined) return shown;
    const firstSeen = this.#inventory.namesOfInode(pin)[0]?.firstSeen;
    return this.#document(pin, firstSeen);
  }

  #document(pin: PinState, firstSeen: string | undefined): PinDocument {
    return pinDocument(pin, ownersOf(this.#claims, pin), firstSeen);
  }

  record(operations: readonly OperationChanges[]): () => void {
    const own = operations.flatMap(({ changes, origin }) =>
      changes.flatMap((change) => (isOfDirectory(change) ? [] : { settled: { change }, origin })),
    );
    const { pins, actor } = this.#told;
    const missed = missedBefore(
      own.map(({ settled }) => settled.change),
      pins,
    );
    const foreign = { actor, at: operations[0]?.origin.at ?? '' };
    const finish = this.#writeInOrder([
      ...missed.map((change) => ({ settled: { change }, origin: foreign })),
      ...own,
    ]);
    return () => {
      for (const change of missed) this.#noteOwn(change);
      for (const { changes } of operations) for (const change of changes) this.#noteOwn(change);
      finish();
    };
  }

  /** The same for anybody's changes; call it in a transaction, and what it answers once that is committed. */
  write(changes: readonly SettledChange[], originOf: (settled: SettledChange) => Origin): () => void {
    return this.#writeInOrder(changes.map((settled) => ({ settled, origin: originOf(settled) })));
  }

  #writeInOrder(changes: readonly AttributedChange[]): () => void {
    const [first] = changes;
    if (first === undefined) return () => undefined;
    this.#writeRows(changes, first.origin.at);
    const documents = changes.map(({ settled, origin }) => this.#eventOf(settled, origin));
    const events = this.#store.events.append(documents);
    return () => {
      for (const { settled, origin } of changes) this.#apply(settled, origin.at);
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

  /**
   * Brings the rows to what holds after the last of the changes. Other names of an inode share its
   * attributes, labels and owner; those that go in the same breath are left out.
   */
  #writeRows(changes: readonly AttributedChange[], at: string): void {
    const names = new Map<string, { readonly pin: PinState; readonly record: PinRecord | undefined }>();
    for (const { settled } of changes) {
      for (const pin of leftBy(settled)) names.set(keyOf(pin), { pin, record: undefined });
      const { change } = settled;
      if (change.type === 'removed') continue;
      const record = recordOf(change.after, this.#firstSeen(change) ?? at, at);
      names.set(keyOf(change.after), { pin: change.after, record });
    }
    const gone: RowName[] = [];
    const there: PinRecord[] = [];
    for (const { pin, record } of names.values()) {
      if (record === undefined) gone.push(pin);
      else there.push(record);
    }
    for (const { pin, record } of names.values()) {
      const former = this.#oldRow(pin);
      if (former !== undefined) gone.push(former);
      if (record !== undefined && pin.inode.links > 1) there.push(...this.#otherRecords(pin, record, names));
    }
    this.#store.pins.markGone(gone, at);
    this.#store.pins.put(there);
  }

  /**
   * The row a name has under its instance's former name: the marker appears with the first operation. Where
   * that operation is finished after a restart, nothing is observed yet, and only the row knows.
   */
  #oldRow({ mount, path, instance }: PinState): RowName | undefined {
    const known = this.#inventory.findMount(mount)?.findPin(path);
    const former = known?.instance ?? unmarked(instance);
    return former === instance ? undefined : { instance: former, path };
  }

  #otherRecords(
    pin: PinState,
    record: PinRecord,
    changed: ReadonlyMap<string, unknown>,
  ): readonly PinRecord[] {
    const others = this.#inventory
      .namesOfInode(pin)
      .filter((other) => !changed.has(keyOf(other)) && hasOtherRow(other, pin));
    return others.map(({ path, firstSeen, instance }) => ({ ...record, instance, path, firstSeen }));
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
      if (!hasOtherFacts(other.inode, pin.inode) && isSameSaying(other.annotations, pin.annotations))
        continue;
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
    return seenSince(before) ?? this.#inventory.namesOfInode(before)[0]?.firstSeen;
  }

  #eventOf({ change, vacated }: SettledChange, origin: Origin): NewEvent {
    const pin = change.type === 'removed' ? change.before : change.after;
    const firstSeen = this.#firstSeen(change) ?? origin.at;
    const after = 'after' in change ? this.#document(change.after, firstSeen) : undefined;
    if (after !== undefined) this.#shown.set(pin, after);
    const event: NewEvent = {
      time: origin.at,
      type: eventTypeOf(change),
      subject: pinSubject(pin),
      before:
        'before' in change ? this.#document(change.before, seenSince(change.before) ?? firstSeen) : null,
      after: after === undefined ? null : afterFrom(after, vacated),
      actor: origin.actor,
    };
    if (origin.unit !== undefined) event.unit = origin.unit;
    if (origin.operationId !== undefined) event.operation_id = origin.operationId;
    return event;
  }
}

/** The new document, with the name that the pin has left for its own. */
function afterFrom(after: PinDocument, vacated: PinState | undefined): NewEvent['after'] {
  return vacated === undefined ? after : { ...after, renamed_from: pathMembers(vacated.path) };
}

/** Since when a pin has been known that comes from the inventory. */
function seenSince(pin: PinState): string | undefined {
  return isEntry(pin) ? pin.firstSeen : undefined;
}

/** Which row a name has. */
type RowName = Pick<PinState, 'instance' | 'path'>;

function isEntry(pin: PinState): pin is PinEntry {
  return 'firstSeen' in pin;
}

/** A name that went into quarantine, or came out of it, is told so. */
function eventTypeOf(change: PinChange): NewEvent['type'] {
  if (change.type === 'removed' && change.quarantined !== undefined) return 'pin.quarantined';
  if (change.type === 'created' && change.restored !== undefined) return 'pin.restored';
  return `pin.${change.type}`;
}

/** One change and who made it. */
interface AttributedChange {
  readonly settled: SettledChange;
  readonly origin: Origin;
}

/** The names a change took away, whatever came there. */
function leftBy({ change, vacated }: SettledChange): readonly PinState[] {
  return [
    ...('before' in change && change.type !== 'changed' ? [change.before] : []),
    ...(vacated === undefined ? [] : [vacated]),
  ];
}

/** Whether what the names of an inode share in their rows is other than it was. */
function hasOtherRow(before: PinState, after: PinState): boolean {
  return (
    hasOtherAttributes(before.inode, after.inode) || !isSameSaying(before.annotations, after.annotations)
  );
}

function keyOf({ mount, path }: PinState): string {
  return `${mount}/${path}`;
}

/** Which inode a pin is, as the store keys it. */
export function identityOf(pin: PinState): PinIdentity {
  return { instance: pin.instance, inode: pin.inode.inode, mtimeNs: String(pin.inode.mtimeNs) };
}

function recordOf(pin: PinState, firstSeen: string, at: string): PinRecord {
  const { inode, object, annotations } = pin;
  return {
    instance: pin.instance,
    inode: inode.inode,
    mtimeNs: String(inode.mtimeNs),
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
