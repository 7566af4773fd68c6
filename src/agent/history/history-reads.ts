import type { Clock } from '../../model/clock.ts';
import { PinfoldError } from '../../model/error.ts';
import { type PinPath, pathMembers } from '../../model/path.ts';
import type { EventDocument } from '../../model/schema/event.ts';
import type { PinThenDocument } from '../../model/schema/pin-then.ts';
import type { Store } from '../../model/store.ts';
import type { HistoryReads, MountChoice, ThenQuestion } from '../agent.ts';
import { pinDocument } from '../inventory/documents.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { KnownMounts } from '../observer/known-mounts.ts';
import { heldThen, type Then, unknown } from './held-then.ts';

/** What questions about the past are answered from. */
export interface HistoryParts {
  readonly store: Pick<Store, 'events' | 'paths'>;
  readonly clock: Clock;
  readonly inventory: Inventory;
  readonly known: KnownMounts;
  /** The moment of the last observation; undefined before the first. */
  readonly observedAt: () => Date | undefined;
}

/** Finds the events around a moment and has them decided upon. */
export class AgentHistory implements HistoryReads {
  readonly #parts: HistoryParts;

  constructor(parts: HistoryParts) {
    this.#parts = parts;
  }

  pinAt(path: PinPath, choice: MountChoice, at: ThenQuestion): PinThenDocument {
    const { store, clock, observedAt } = this.#parts;
    if (observedAt() === undefined)
      throw new PinfoldError('not_ready', { detail: 'The first observation is under way.' });
    const isToCome = 'time' in at && Date.parse(at.time) > clock.now().getTime();
    const seq = this.#seqOf(at);
    const mount = this.#mountOf(choice, seq);
    const { floor } = store.events.extent();
    const moment = seq === undefined ? undefined : store.paths.find(seq);
    const then = (): Then => {
      if (isToCome) return unknown('that time has not come');
      if (seq === undefined || seq < floor || seq === 0) return unknown('history of then is not kept');
      return this.#heldThen({ mount, path, seq, at });
    };
    return {
      mount,
      ...pathMembers(path),
      at: 'time' in at ? at.time : `seq:${at.seq}`,
      ...(seq === undefined || isToCome ? {} : { as_of_seq: seq }),
      ...(moment === undefined || isToCome ? {} : { as_of_time: moment.time }),
      ...then(),
    };
  }

  #heldThen({ mount, path, seq, at }: Asked): Then {
    const { paths } = this.#parts.store;
    const name = { mount, path };
    const after = paths.after(name, seq);
    const now = this.#parts.inventory.findMount(mount)?.findPin(path);
    return heldThen({
      path,
      seq,
      before: paths.before(name, seq),
      after,
      startOfAfter: after === undefined ? undefined : paths.startBefore(after.seq),
      downUntil: 'time' in at ? this.#downAt(at.time, seq) : undefined,
      now: now === undefined ? undefined : pinDocument(now),
    });
  }

  /** The start before which the agent was down at this time; undefined where it was up. */
  #downAt(time: string, seq: number): EventDocument | undefined {
    const query = { afterSeq: seq, types: ['node.started'], limit: 1 };
    const [start] = this.#parts.store.events.list(query);
    const since = start?.after?.['down_since'];
    if (start === undefined || typeof since !== 'string') return undefined;
    const asked = Date.parse(time);
    return asked >= Date.parse(since) && asked < Date.parse(start.time) ? start : undefined;
  }

  /** @throws PinfoldError invalid_input for events that have not been written */
  #seqOf(at: ThenQuestion): number | undefined {
    const { events, paths } = this.#parts.store;
    if ('time' in at) return paths.seqAt(at.time);
    const last = events.lastSeq();
    if (at.seq <= last) return at.seq;
    const detail = `History has come to event ${last}; there is no event ${at.seq} yet.`;
    throw new PinfoldError('invalid_input', { detail, errors: [{ pointer: '/query/at', detail }] });
  }

  /** The instance that is asked about: the agent's own is not the same after a reboot. */
  #mountOf(choice: MountChoice, seq: number | undefined): string {
    const { store, known } = this.#parts;
    if (choice === undefined) {
      const own = (seq === undefined ? undefined : store.paths.primaryAt(seq)) ?? known.primaryId;
      if (own !== undefined) return own;
      const detail = 'No bpffs is mounted where the agent was told to look.';
      throw new PinfoldError('mount_unavailable', { detail });
    }
    if (known.has(choice) || store.events.list({ mount: choice, limit: 1 }).length > 0) return choice;
    const detail = `No bpffs instance ${choice} is mounted, and history does not know of one.`;
    throw new PinfoldError('mount_not_found', { detail, mount: choice });
  }
}

interface Asked {
  readonly mount: string;
  readonly path: PinPath;
  readonly seq: number;
  readonly at: ThenQuestion;
}
