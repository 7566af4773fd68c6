import type { NewEvent } from '../../model/schema/event.ts';
import type { ObjectRecord, Store } from '../../model/store.ts';
import { objectHistory, objectSubject } from './documents.ts';
import type { ObjectEntry, ObjectInventory } from './objects.ts';
import type { Announce, Origin } from './recorder.ts';

/** One object that came, went, or is described differently. */
export type ObjectChange =
  | { readonly type: 'appeared' | 'gone'; readonly entry: ObjectEntry }
  /** No event: some of what the kernel tells of an object changes while it lives. */
  | { readonly type: 'refreshed'; readonly entry: ObjectEntry };

/** Writes which objects came and went to the store, and then to memory. */
export class ObjectRecorder {
  readonly #store: Store;
  readonly #objects: ObjectInventory;
  readonly #bootId: string;
  readonly #announce: Announce;

  constructor(parts: {
    readonly store: Store;
    readonly objects: ObjectInventory;
    readonly bootId: string;
    readonly announce: Announce;
  }) {
    this.#store = parts.store;
    this.#objects = parts.objects;
    this.#bootId = parts.bootId;
    this.#announce = parts.announce;
  }

  /** Call it in a transaction, and what it answers once that is committed. */
  write(changes: readonly ObjectChange[], origin: Origin): () => void {
    const gone = changes
      .filter(({ type }) => type === 'gone')
      .map(({ entry }) => this.#recordOf(entry, origin.at));
    if (gone.length > 0) this.#store.objects.markGone(gone, origin.at);
    const alive = changes.filter((change) => change.type !== 'gone' && !this.#isRecorded(change));
    if (alive.length > 0) this.#store.objects.put(alive.map(({ entry }) => this.#recordOf(entry, origin.at)));
    const events = this.#store.events.append(changes.flatMap((change) => eventOf(change, origin)));
    return () => {
      for (const { type, entry } of changes) {
        if (type !== 'gone') this.#objects.set(entry);
        else if (this.#objects.find(entry.kind, entry.id)?.fingerprint === entry.fingerprint) {
          this.#objects.remove(entry.kind, entry.id);
        }
      }
      if (events.length > 0) this.#announce(events);
    };
  }

  #isRecorded({ type, entry }: ObjectChange): boolean {
    const known = this.#objects.find(entry.kind, entry.id);
    return type === 'refreshed' && JSON.stringify(known?.info) === JSON.stringify(entry.info);
  }

  #recordOf({ kind, id, fingerprint, info, firstSeen }: ObjectEntry, at: string): ObjectRecord {
    return { bootId: this.#bootId, kind, id, fingerprint, info, firstSeen, lastSeen: at, goneAt: null };
  }
}

function eventOf({ type, entry }: ObjectChange, { at, actor }: Origin): readonly NewEvent[] {
  if (type === 'refreshed') return [];
  const document = objectHistory(entry);
  return [
    {
      time: at,
      type: `object.${type}`,
      subject: objectSubject(entry),
      before: type === 'gone' ? document : null,
      after: type === 'appeared' ? document : null,
      actor,
    },
  ];
}
