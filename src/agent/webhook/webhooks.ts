import { randomBytes, randomUUID } from 'node:crypto';
import { PinfoldError } from '../../model/error.ts';
import type { NewEvent } from '../../model/schema/event.ts';
import type {
  DeliveryDocument,
  NewWebhook,
  WebhookDocument,
  WebhookRequest,
} from '../../model/schema/webhook.ts';
import type { Store } from '../../model/store.ts';
import { eventMessage, pingMessage } from '../../model/webhook/message.ts';
import type { WebhookRecord, WebhookState } from '../../model/webhook/records.ts';
import { secretBytes, showSecret } from '../../model/webhook/secret.ts';
import { matchesEtag } from '../etag.ts';
import type { Reach } from './connect.ts';
import { Courier, type CourierParts } from './courier.ts';
import { deliveryDocument, etagOf, webhookDocument } from './document.ts';
import { type AttemptResult, Sender } from './sender.ts';
import { assertDistinct, parseSettings, readSecret, secretRecord } from './settings.ts';

/** Who changes a webhook, and what they saw of it. */
export interface WebhookChange {
  readonly actor: string;
  readonly ifMatch: string | undefined;
  /** `If-None-Match: *`: create only. */
  readonly createOnly: boolean;
}

/** What metrics tell of one webhook. */
export interface WebhookNumbers {
  readonly webhook: string;
  readonly state: WebhookState;
  readonly backlog: number;
  /** When the oldest event of the backlog happened; undefined without one. */
  readonly oldest: string | undefined;
  readonly attempts: Readonly<Record<AttemptResult, number>>;
}

/** What webhooks stand on. */
export interface WebhookParts extends Omit<CourierParts, 'onAttempt' | 'onGone' | 'store'> {
  readonly store: Store;
  readonly reach: Reach;
  /** Tells whoever listens of events that were written. */
  readonly announce: (events: ReturnType<Store['events']['append']>) => void;
}

/** All webhooks of the agent: what they are, and a courier for each. */
export class Webhooks {
  readonly #parts: WebhookParts;
  readonly #couriers = new Map<string, Courier>();
  readonly #attempts = new Map<string, Record<AttemptResult, number>>();
  #isStopped = false;

  constructor(parts: WebhookParts) {
    this.#parts = parts;
    for (const record of parts.store.webhooks.list()) this.#employ(record);
  }

  /** Events were committed. */
  wake(): void {
    for (const courier of this.#couriers.values()) courier.wake();
  }

  /** By name. */
  list(): readonly WebhookDocument[] {
    return this.#records.list().map((record) => this.#documentOf(record));
  }

  /** @throws PinfoldError webhook_not_found */
  get(name: string): WebhookDocument {
    return this.#documentOf(this.#find(name));
  }

  /**
   * Makes a webhook, which is sent what happens from now on, or changes one, which goes on where it is. One
   * that its receiver had disabled is active again if it leads elsewhere now.
   *
   * @throws PinfoldError invalid_input, bad_path, precondition_failed, already_exists, too_many_requests
   */
  put(
    name: string,
    request: WebhookRequest,
    change: WebhookChange,
  ): { readonly created: boolean; readonly webhook: NewWebhook } {
    const { url, types, prefix, secrets: given } = parseSettings(request, this.#parts.reach.allowed);
    const known = this.#records.find(name);
    assertMayChange(name, known, change);
    const now = this.#now();
    const made = given === undefined && known === undefined ? randomBytes(secretBytes.min + 8) : undefined;
    const fresh = (given ?? (made === undefined ? undefined : [made]))?.map((bytes) =>
      secretRecord(bytes, now),
    );
    const record: WebhookRecord = {
      ...(known ?? this.#unmade(name, change.actor)),
      ...{ url, types, prefix },
      ...(fresh === undefined ? {} : { secrets: assertDistinct(fresh) }),
      ...{ updatedAt: now, updatedBy: change.actor },
    };
    const leadsElsewhere = known?.state === 'disabled' && known.url !== url;
    this.#replace(leadsElsewhere ? this.#inState(record, 'active', null) : record);
    const secret = made === undefined ? null : showSecret(made);
    return { created: known === undefined, webhook: { ...this.get(name), secret } };
  }

  /** With everything that was sent to it. @throws PinfoldError webhook_not_found, precondition_failed */
  remove(name: string, change: WebhookChange): void {
    assertMayChange(name, this.#find(name), change);
    this.#records.remove(name);
    void this.#couriers.get(name)?.stop();
    this.#couriers.delete(name);
    this.#attempts.delete(name);
  }

  /** @throws PinfoldError webhook_not_found, precondition_failed */
  setState(
    name: string,
    wanted: { readonly state: WebhookState; readonly reason: string | null },
    change: WebhookChange,
  ): WebhookDocument {
    const known = this.#find(name);
    assertMayChange(name, known, change);
    const record = { ...known, updatedAt: this.#now(), updatedBy: change.actor };
    this.#replace(this.#inState(record, wanted.state, wanted.reason));
    return this.get(name);
  }

  /** From now on this one signs too. @throws PinfoldError webhook_not_found, invalid_input, … */
  addSecret(name: string, text: string | undefined, change: WebhookChange): NewWebhook {
    const known = this.#find(name);
    assertMayChange(name, known, change);
    const bytes = text === undefined ? randomBytes(secretBytes.min + 8) : readSecret(text, 'secret');
    const now = this.#now();
    const secrets = assertDistinct([...known.secrets, secretRecord(bytes, now)]);
    this.#replace({ ...known, secrets, updatedAt: now, updatedBy: change.actor });
    return { ...this.get(name), secret: text === undefined ? showSecret(bytes) : null };
  }

  /** The last one stays. @throws PinfoldError webhook_not_found, not_found, conflict */
  removeSecret(name: string, id: string, change: WebhookChange): void {
    const known = this.#find(name);
    assertMayChange(name, known, change);
    const secrets = known.secrets.filter((secret) => secret.id !== id);
    if (secrets.length === known.secrets.length)
      throw new PinfoldError('not_found', { detail: `${name} has no secret ${id}.` });
    if (secrets.length === 0)
      throw new PinfoldError('conflict', { detail: 'The last secret stays: give it another one first.' });
    this.#replace({ ...known, secrets, updatedAt: this.#now(), updatedBy: change.actor });
  }

  /** Sends something that means nothing, once, whatever state it is in. @throws PinfoldError */
  async ping(name: string): Promise<DeliveryDocument> {
    const courier = this.#courierOf(name);
    const message = pingMessage(this.#parts.origin, {
      nonce: randomUUID(),
      time: this.#now(),
      webhook: name,
    });
    return deliveryDocument(await courier.attempt(message));
  }

  /**
   * Sends the event of a delivery again, once, under the same id.
   *
   * @throws PinfoldError webhook_not_found, delivery_not_found where it is not kept any more
   */
  async repeat(name: string, id: number): Promise<DeliveryDocument> {
    const courier = this.#courierOf(name);
    const delivery = this.#records.findDelivery(name, id);
    if (delivery === undefined) throw noDelivery(`${name} has no delivery ${id}.`);
    if (delivery.kind !== 'event' || delivery.seq === null) throw noDelivery('This was not an event.');
    const [event] = this.#parts.store.events.list({ afterSeq: delivery.seq - 1, limit: 1 });
    if (event?.seq !== delivery.seq) throw noDelivery('Its event is not kept any more.');
    return deliveryDocument(await courier.attempt(eventMessage(this.#parts.origin, event)));
  }

  /** Goes on after another event than it would. @throws PinfoldError webhook_not_found, invalid_input */
  replay(name: string, since: number, change: WebhookChange): WebhookDocument {
    const known = this.#find(name);
    assertMayChange(name, known, change);
    const last = this.#parts.store.events.lastSeq();
    if (since > last) {
      throw new PinfoldError('invalid_input', {
        detail: `The last event is ${last}.`,
        errors: [{ pointer: '/body/since', detail: `must be at most ${last}` }],
      });
    }
    this.#replace({ ...known, afterSeq: since });
    return this.get(name);
  }

  /** Newest first. @throws PinfoldError webhook_not_found */
  deliveries(name: string): readonly DeliveryDocument[] {
    this.#find(name);
    return this.#records.deliveries(name).map(deliveryDocument);
  }

  /** What metrics tell. */
  numbers(): readonly WebhookNumbers[] {
    return [...this.#couriers].map(([webhook, courier]) => {
      const { backlog, oldest } = courier.progress();
      const state = this.#find(webhook).state;
      return { webhook, state, backlog, oldest, attempts: this.#attemptsOf(webhook) };
    });
  }

  /** Breaks off what is under way; it is sent again when the agent is back. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#couriers.values()].map((courier) => courier.stop()));
  }

  get #records(): Store['webhooks'] {
    return this.#parts.store.webhooks;
  }

  #now(): string {
    return this.#parts.clock.now().toISOString();
  }

  #find(name: string): WebhookRecord {
    const record = this.#records.find(name);
    if (record !== undefined) return record;
    throw new PinfoldError('webhook_not_found', { detail: `There is no webhook ${name}.` });
  }

  #courierOf(name: string): Courier {
    this.#find(name);
    const courier = this.#couriers.get(name);
    if (courier !== undefined && !this.#isStopped) return courier;
    throw new PinfoldError('not_ready', { detail: 'The agent is stopping.' });
  }

  #unmade(name: string, actor: string): Omit<WebhookRecord, Told> {
    const now = this.#now();
    return {
      name,
      secrets: [],
      state: 'active',
      stateReason: null,
      stateSince: now,
      afterSeq: this.#parts.store.events.lastSeq(),
      createdAt: now,
      createdBy: actor,
    };
  }

  #inState(record: WebhookRecord, state: WebhookState, stateReason: string | null): WebhookRecord {
    if (record.state === state) return { ...record, stateReason };
    return { ...record, state, stateReason, stateSince: this.#now() };
  }

  #documentOf(record: WebhookRecord): WebhookDocument {
    const progress = this.#couriers.get(record.name)?.progress();
    const idle = { backlog: 0, failures: 0, error: null, retryInMs: null, oldest: undefined };
    return webhookDocument(record, progress ?? idle);
  }

  #replace(record: WebhookRecord): void {
    this.#records.put(record);
    this.#employ(record);
  }

  /** Has a new courier go on, in place of the one there was. */
  #employ(record: WebhookRecord): void {
    void this.#couriers.get(record.name)?.stop();
    if (this.#isStopped) return;
    const { reach, clock } = this.#parts;
    const secrets = record.secrets.map(({ bytes }) => bytes);
    const sender = new Sender({ url: record.url, secrets, reach, clock });
    const courier = new Courier(record, sender, {
      ...this.#parts,
      onAttempt: (name, result) => {
        this.#attemptsOf(name)[result] += 1;
      },
      onGone: (name) => this.#disable(name),
    });
    this.#couriers.set(record.name, courier);
  }

  /** What its receiver asks for by 410, told as an event to whoever else listens. */
  #disable(name: string): void {
    const { store, announce } = this.#parts;
    const reason = 'the receiver answered 410 Gone: it wants nothing more';
    const known = this.#find(name);
    const event: NewEvent = {
      time: this.#now(),
      type: 'webhook.disabled',
      subject: { name },
      before: { state: known.state },
      after: { state: 'disabled', reason },
      actor: `webhook:${name}`,
    };
    const record = this.#inState(known, 'disabled', reason);
    const events = store.transaction(() => {
      store.webhooks.put(record);
      return store.events.append([event]);
    });
    this.#employ(record);
    announce(events);
  }

  #attemptsOf(name: string): Record<AttemptResult, number> {
    const known = this.#attempts.get(name) ?? { delivered: 0, rejected: 0, failed: 0, blocked: 0 };
    this.#attempts.set(name, known);
    return known;
  }
}

/** What a request says, and who says it. */
type Told = 'url' | 'types' | 'prefix' | 'updatedAt' | 'updatedBy';

/** @throws PinfoldError precondition_failed, already_exists */
function assertMayChange(
  name: string,
  known: WebhookRecord | undefined,
  { ifMatch, createOnly }: WebhookChange,
): void {
  if (createOnly && known !== undefined)
    throw new PinfoldError('already_exists', { detail: `There is a webhook ${name} already.` });
  if (ifMatch === undefined || (known !== undefined && matchesEtag(ifMatch, etagOf(known)))) return;
  throw new PinfoldError('precondition_failed', {
    detail: known === undefined ? `There is no webhook ${name}.` : `The webhook ${name} has changed.`,
  });
}

function noDelivery(detail: string): PinfoldError {
  return new PinfoldError('delivery_not_found', { detail });
}
