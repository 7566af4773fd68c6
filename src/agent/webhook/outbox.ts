import { limits } from '../../model/limits.ts';
import type { EventDocument } from '../../model/schema/event.ts';
import type { EventLog } from '../../model/store.ts';
import { type WebhookFilter, wantsEvent } from '../../model/webhook/filter.ts';

/** What comes next: an event that is wanted, or events that are not kept any more. */
export type Next =
  | { readonly kind: 'event'; readonly event: EventDocument }
  | { readonly kind: 'gap'; readonly after: number; readonly next: number };

/**
 * The event log after one webhook's place in it. Numbers have no holes, so whatever is missing between two
 * of them was removed by retention, and is told.
 */
export class Outbox {
  readonly #events: EventLog;
  readonly #filter: WebhookFilter;
  #place: number;
  #ahead: EventDocument[] = [];

  constructor(events: EventLog, filter: WebhookFilter, place: number) {
    this.#events = events;
    this.#filter = filter;
    this.#place = place;
  }

  /** Everything up to this number is done with. */
  get place(): number {
    return this.#place;
  }

  /** How many events are after that, wanted or not. */
  get backlog(): number {
    return Math.max(0, this.#events.lastSeq() - this.#place);
  }

  /** The first event after the place that is still kept. */
  first(): EventDocument | undefined {
    return this.#events.list({ afterSeq: this.#place, limit: 1 })[0];
  }

  /** Tells whether something was read that was not looked at yet. */
  get hasRead(): boolean {
    return this.#ahead.length > 0;
  }

  /** Reads what comes next, limits.webhookEventsAhead of it: about a millisecond. */
  read(): void {
    this.#ahead = [...this.#events.list({ afterSeq: this.#place, limit: limits.webhookEventsAhead })];
  }

  /**
   * What is to be sent next of what was read, passing over what is not wanted; undefined at its end, which is
   * not the end of the log while there is a backlog.
   */
  next(): Next | undefined {
    for (let event = this.#ahead[0]; event !== undefined; event = this.#ahead[0]) {
      if (event.seq !== this.#place + 1) return { kind: 'gap', after: this.#place, next: event.seq };
      if (wantsEvent(this.#filter, event)) return { kind: 'event', event };
      this.#ahead.shift();
      this.#place = event.seq;
    }
    const last = this.#events.lastSeq();
    const isAllRemoved = last > this.#place && this.first() === undefined;
    return isAllRemoved ? { kind: 'gap', after: this.#place, next: last + 1 } : undefined;
  }

  /** It has arrived. */
  done(next: Next): void {
    this.#place = next.kind === 'gap' ? next.next - 1 : next.event.seq;
    if (next.kind === 'event') this.#ahead.shift();
  }

  /** Reads again before the next attempt: what failed may have been removed meanwhile. */
  forget(): void {
    this.#ahead = [];
  }
}
