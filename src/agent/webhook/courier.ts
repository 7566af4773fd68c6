import { setImmediate as nextRound } from 'node:timers/promises';
import type { Clock } from '../../model/clock.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { Store } from '../../model/store.ts';
import { retryDelayMs } from '../../model/webhook/backoff.ts';
import {
  eventMessage,
  gapMessage,
  type MessageOrigin,
  type WebhookMessage,
} from '../../model/webhook/message.ts';
import type { DeliveryRecord, WebhookRecord } from '../../model/webhook/records.ts';
import { Deliveries } from './deliveries.ts';
import { type Next, Outbox } from './outbox.ts';
import type { Attempt, AttemptResult, Sender } from './sender.ts';
import type { Slots } from './slots.ts';

/** What all couriers share. */
export interface CourierParts {
  readonly store: Pick<Store, 'events' | 'webhooks' | 'transaction'>;
  readonly clock: Clock;
  readonly origin: MessageOrigin;
  readonly sends: Slots;
  readonly reads: Slots;
  /** In [0, 1). */
  readonly random: () => number;
  readonly onAttempt: (webhook: string, result: AttemptResult) => void;
  /** The receiver has asked for no more (410). */
  readonly onGone: (webhook: string) => void;
  readonly onFailure: (error: unknown) => void;
}

/** The clock is looked at this often while something waits for its time: it may be a test's. */
const lookMs = 250;

/**
 * Carries events to one receiver, one at a time, each until it has arrived; in between pings and repetitions
 * that somebody waits for.
 *
 * It is made for one state of its webhook. When that changes it is stopped, and another made in its place.
 */
export class Courier {
  readonly #record: WebhookRecord;
  readonly #sender: Sender;
  readonly #parts: CourierParts;
  readonly #outbox: Outbox;
  readonly #deliveries: Deliveries;
  readonly #stopping = new AbortController();
  readonly #errands: (() => Promise<void>)[] = [];
  readonly #ended: Promise<void>;
  #failures = 0;
  #error: string | null = null;
  #dueMs = 0;
  #wakeUp: () => void = () => undefined;

  constructor(record: WebhookRecord, sender: Sender, parts: CourierParts) {
    this.#record = record;
    this.#sender = sender;
    this.#parts = parts;
    this.#outbox = new Outbox(parts.store.events, record, record.afterSeq);
    this.#deliveries = new Deliveries(parts.store.webhooks, record.name, parts.clock);
    this.#ended = this.#work();
  }

  /** There may be something to carry. */
  wake(): void {
    this.#wakeUp();
  }

  /** How far it is, and how it does. */
  progress(): { readonly backlog: number; readonly failures: number; readonly error: string | null } & {
    readonly retryInMs: number | null;
    readonly oldest: string | undefined;
  } {
    const { backlog } = this.#outbox;
    const waitMs = Math.max(0, Math.ceil(this.#dueMs - this.#parts.clock.bootMs()));
    const isRetrying = this.#failures > 0 && this.#record.state === 'active';
    return {
      backlog,
      failures: this.#failures,
      error: this.#error,
      retryInMs: isRetrying ? waitMs : null,
      oldest: backlog === 0 ? undefined : this.#outbox.first()?.time,
    };
  }

  /** Tries to send something once, out of turn. @throws PinfoldError too_many_requests, not_ready */
  attempt(message: WebhookMessage): Promise<DeliveryRecord> {
    if (this.#errands.length >= limits.webhookErrandsMax) {
      const detail = `${limits.webhookErrandsMax} requests wait for this receiver already.`;
      throw new PinfoldError('too_many_requests', { detail, limit: 'webhook_errands', retry_after: 1 });
    }
    return new Promise((resolve, reject) => {
      this.#errands.push(async () => {
        const attempt = await this.#send(message);
        if (attempt === undefined) return reject(changed());
        try {
          resolve(this.#deliveries.once(message, attempt));
        } catch (error) {
          reject(error);
        }
      });
      this.#wakeUp();
    });
  }

  /** Breaks off what is under way, which is sent again by whoever comes next. Resolves when all has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#sender.close();
    this.#wakeUp();
    await this.#ended;
  }

  async #work(): Promise<void> {
    await nextRound();
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#step();
      } catch (error) {
        // The disk may be full, or the database locked: what could not be read or written is tried later.
        this.#parts.onFailure(error);
        this.#outbox.forget();
        await this.#sleep(limits.webhookRetryMs);
      }
    }
    for (const errand of this.#errands.splice(0)) await errand();
  }

  async #step(): Promise<void> {
    const errand = this.#errands.shift();
    if (errand !== undefined) return await errand();
    const waitMs = this.#waitMs();
    return waitMs > 0 ? await this.#sleep(waitMs) : await this.#carryNext();
  }

  #waitMs(): number {
    if (this.#record.state !== 'active' || this.#outbox.backlog === 0) return Number.POSITIVE_INFINITY;
    return this.#dueMs - this.#parts.clock.bootMs();
  }

  async #carryNext(): Promise<void> {
    const before = this.#outbox.place;
    if (!this.#outbox.hasRead) await this.#parts.reads.run(() => this.#read());
    if (this.#stopping.signal.aborted) return;
    const next = this.#outbox.next();
    if (next === undefined) {
      if (this.#outbox.place !== before) this.#keepPlace();
      return;
    }
    const message = this.#messageOf(next);
    const attempt = await this.#send(message);
    if (attempt !== undefined) this.#settle(next, message, attempt);
  }

  /** The slot is given back in the next round, so that many couriers do not read in the same one. */
  async #read(): Promise<void> {
    this.#outbox.read();
    await nextRound();
  }

  #messageOf(next: Next): WebhookMessage {
    const { origin, clock } = this.#parts;
    if (next.kind === 'event') return eventMessage(origin, next.event);
    return gapMessage(origin, { after: next.after, next: next.next, time: clock.now().toISOString() });
  }

  /** Undefined where it was broken off: whatever became of it, it is sent again by whoever comes next. */
  async #send(message: WebhookMessage): Promise<Attempt | undefined> {
    const { signal } = this.#stopping;
    return await this.#parts.sends.run(async () => {
      if (signal.aborted) return undefined;
      const attempt = await this.#sender.send(message, signal);
      if (signal.aborted) return undefined;
      this.#parts.onAttempt(this.#record.name, attempt.result);
      return attempt;
    });
  }

  /** Place and delivery are written together; where that fails the place is kept here, and written later. */
  #settle(next: Next, message: WebhookMessage, attempt: Attempt): void {
    const { store, clock, random, onGone } = this.#parts;
    const isDelivered = attempt.result === 'delivered';
    this.#error = attempt.error === null ? null : errorOf(attempt);
    if (isDelivered) this.#outbox.done(next);
    else this.#outbox.forget();
    this.#failures = isDelivered ? 0 : this.#failures + 1;
    const { retryAfterMs } = attempt;
    this.#dueMs = isDelivered
      ? 0
      : clock.bootMs() + retryDelayMs({ failures: this.#failures, random: random(), retryAfterMs });
    store.transaction(() => {
      this.#deliveries.inTurn(message, attempt);
      if (isDelivered) this.#keepPlace();
    });
    if (attempt.status === 410) onGone(this.#record.name);
  }

  #keepPlace(): void {
    this.#parts.store.webhooks.moveTo(this.#record.name, this.#outbox.place);
  }

  async #sleep(waitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const isBounded = Number.isFinite(waitMs);
      const timer = isBounded ? setTimeout(resolve, Math.min(waitMs, lookMs)) : undefined;
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#stopping.signal.aborted || this.#errands.length > 0) this.#wakeUp();
    });
    this.#wakeUp = () => undefined;
  }
}

function errorOf({ status, error }: Attempt): string {
  return status === null ? (error ?? '') : `answered ${status}: ${error}`;
}

function changed(): PinfoldError {
  return new PinfoldError('not_ready', {
    detail: 'The webhook was changed, or the agent is stopping; nothing more is sent.',
    retry_after: 1,
  });
}
