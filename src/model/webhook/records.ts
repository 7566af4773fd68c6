import type { WebhookFilter } from './filter.ts';
import type { MessageKind } from './message.ts';

/** Whether a webhook is sent to; `disabled` is what its receiver asked for by 410. */
export const webhookStates = ['active', 'paused', 'disabled'] as const;
/** One of them. */
export type WebhookState = (typeof webhookStates)[number];

/** How a delivery stands: `pending` is tried again, `failed` is not. */
export const deliveryStates = ['pending', 'delivered', 'failed'] as const;
/** One of them. */
export type DeliveryState = (typeof deliveryStates)[number];

/** One key that messages are signed with. */
export interface WebhookSecret {
  /** The first 12 hexadecimal digits of its SHA-256: all of it that is ever shown again. */
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly createdAt: string;
}

/** One receiver of events. */
export interface WebhookRecord extends WebhookFilter {
  readonly name: string;
  readonly url: string;
  readonly secrets: readonly WebhookSecret[];
  readonly state: WebhookState;
  readonly stateReason: string | null;
  readonly stateSince: string;
  /** Everything up to this number is delivered, not wanted, or told as a gap. */
  readonly afterSeq: number;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly updatedAt: string;
  readonly updatedBy: string;
}

/** What was sent to a webhook, and how that went last. */
export interface DeliveryRecord {
  readonly id: number;
  readonly webhook: string;
  /** `webhook-id`, the same at every attempt. */
  readonly message: string;
  readonly kind: MessageKind;
  readonly seq: number | null;
  readonly type: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly firstAt: string;
  readonly lastAt: string;
  readonly durationMs: number;
  /** What the receiver answered last; null where it did not. */
  readonly status: number | null;
  readonly error: string | null;
}

/** The webhooks there are, and what was last sent to each. */
export interface WebhookRecords {
  /** Inserts, or replaces everything. @throws PinfoldError too_many_requests beyond limits.webhooksMax */
  put(record: WebhookRecord): void;
  find(name: string): WebhookRecord | undefined;
  /** By name. */
  list(): readonly WebhookRecord[];
  /** With all that was sent to it; false where there is none. */
  remove(name: string): boolean;
  moveTo(name: string, afterSeq: number): void;
  /** Writes how an attempt went, as a new row where `id` is undefined; answers the row's number. */
  record(delivery: Omit<DeliveryRecord, 'id'>, id?: number): number;
  /** The row of the message that is being tried again and again. */
  findPending(webhook: string): DeliveryRecord | undefined;
  findDelivery(webhook: string, id: number): DeliveryRecord | undefined;
  /** Newest first; limits.webhookDeliveriesMax are kept of each. */
  deliveries(webhook: string): readonly DeliveryRecord[];
}
