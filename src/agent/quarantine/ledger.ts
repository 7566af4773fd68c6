import type { EventDocument, NewEvent } from '../../model/schema/event.ts';
import type { Store } from '../../model/store.ts';
import type {
  AnyChanges,
  Change,
  ChangeOrigin,
  QuarantineChange,
  QuarantineSink,
} from '../operation/sink.ts';
import { quarantineDocument, recordOf } from './records.ts';

/** How many pins went into quarantine, got their names back, and went for good, since the agent started. */
export interface QuarantineTotals {
  readonly quarantined: number;
  readonly restored: number;
  readonly discarded: number;
}

/** Writes the rows of pins in quarantine with the outcome of each operation, and counts. */
export class QuarantineLedger implements QuarantineSink {
  readonly #store: Store;
  readonly #bootId: string;
  readonly #announce: (events: readonly EventDocument[]) => void;
  #totals: QuarantineTotals = { quarantined: 0, restored: 0, discarded: 0 };

  constructor(store: Store, bootId: string, announce: (events: readonly EventDocument[]) => void) {
    this.#store = store;
    this.#bootId = bootId;
    this.#announce = announce;
  }

  get totals(): QuarantineTotals {
    return this.#totals;
  }

  record(operations: readonly AnyChanges[]): () => void {
    const totals = { ...this.#totals };
    const events: NewEvent[] = [];
    for (const { changes, origin } of operations) {
      for (const change of changes) {
        const done = this.#write(change);
        if (done !== undefined) totals[done] += 1;
        if (change.type === 'discarded') events.push(eventOf(change, this.#bootId, origin));
      }
    }
    const written = events.length === 0 ? [] : this.#store.events.append(events);
    return () => {
      this.#totals = totals;
      if (written.length > 0) this.#announce(written);
    };
  }

  #write(change: Change): keyof QuarantineTotals | undefined {
    const { quarantine } = this.#store;
    switch (change.type) {
      case 'created':
        if (change.restored === undefined) return undefined;
        quarantine.remove(change.restored.note.id);
        return 'restored';
      case 'removed':
        if (change.quarantined === undefined) return undefined;
        quarantine.put(recordOf(change.before, change.quarantined, this.#bootId));
        return 'quarantined';
      case 'kept':
        quarantine.put(recordOf(change.pin, change, this.#bootId));
        return undefined;
      case 'discarded':
        quarantine.remove(change.note.id);
        return 'discarded';
      default:
        return undefined;
    }
  }
}

/** Its subject has no path: what is at that path by now is another pin, or none. */
function eventOf(change: QuarantineChange, bootId: string, origin: ChangeOrigin): NewEvent {
  const { pin } = change;
  const { kind, id, type, name } = pin.object;
  const now = { wallMs: Date.parse(origin.at), boottimeMs: change.note.dueBoottimeMs ?? 0 };
  return {
    time: origin.at,
    type: 'pin.discarded',
    subject: { mount: pin.mount, kind, id, type, name },
    before: quarantineDocument(recordOf(pin, change, bootId), now),
    after: null,
    actor: origin.actor,
    operation_id: origin.operationId,
  };
}
