import type { Clock } from '../../model/clock.ts';
import type { WebhookMessage } from '../../model/webhook/message.ts';
import type { DeliveryRecord, WebhookRecords } from '../../model/webhook/records.ts';
import type { Attempt } from './sender.ts';

/** Writes down what is sent to one webhook. */
export class Deliveries {
  readonly #records: WebhookRecords;
  readonly #webhook: string;
  readonly #clock: Clock;

  constructor(records: WebhookRecords, webhook: string, clock: Clock) {
    this.#records = records;
    this.#webhook = webhook;
    this.#clock = clock;
  }

  /**
   * An attempt at what is in turn; it stays one row until it succeeds. A row of something else that was in
   * turn before, and never arrived, is closed: a person has moved the place, or a gap took it in.
   */
  inTurn(message: WebhookMessage, attempt: Attempt): DeliveryRecord {
    const pending = this.#records.findPending(this.#webhook);
    const isSame = pending?.message === message.id;
    if (pending !== undefined && !isSame) this.#records.record({ ...pending, state: 'failed' }, pending.id);
    const state = attempt.result === 'delivered' ? 'delivered' : 'pending';
    return this.#write({ message, attempt, state }, isSame ? pending : undefined);
  }

  /** An attempt that is made once, whatever comes of it. */
  once(message: WebhookMessage, attempt: Attempt): DeliveryRecord {
    return this.#write({ message, attempt, state: attempt.result === 'delivered' ? 'delivered' : 'failed' });
  }

  #write(
    {
      message,
      attempt,
      state,
    }: Pick<DeliveryRecord, 'state'> & {
      readonly message: WebhookMessage;
      readonly attempt: Attempt;
    },
    before?: DeliveryRecord,
  ): DeliveryRecord {
    const now = this.#clock.now().toISOString();
    const delivery = {
      webhook: this.#webhook,
      message: message.id,
      kind: message.kind,
      seq: message.seq,
      type: message.type,
      state,
      attempts: (before?.attempts ?? 0) + 1,
      firstAt: before?.firstAt ?? now,
      lastAt: now,
      durationMs: attempt.durationMs,
      status: attempt.status,
      error: attempt.error,
    };
    return { id: this.#records.record(delivery, before?.id), ...delivery };
  }
}
