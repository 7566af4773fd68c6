import { PinfoldError } from '../model/error.ts';
import { limits } from '../model/limits.ts';
import { bytesOf, parsePathBytes } from '../model/path.ts';
import type { MessageKind } from '../model/webhook/message.ts';
import type {
  DeliveryRecord,
  DeliveryState,
  WebhookRecord,
  WebhookRecords,
  WebhookSecret,
  WebhookState,
} from '../model/webhook/records.ts';
import type { Connection, Statement } from './connection.ts';
import { parseTextList } from './json.ts';

interface WebhookRow {
  readonly name: string;
  readonly url: string;
  readonly types: string;
  readonly prefix: Uint8Array | null;
  readonly state: WebhookState;
  readonly state_reason: string | null;
  readonly state_since: string;
  readonly after_seq: number;
  readonly created_at: string;
  readonly created_by: string;
  readonly updated_at: string;
  readonly updated_by: string;
}

interface SecretRow {
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly created_at: string;
}

interface DeliveryRow {
  readonly id: number;
  readonly webhook: string;
  readonly message: string;
  readonly kind: MessageKind;
  readonly seq: number | null;
  readonly type: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly first_at: string;
  readonly last_at: string;
  readonly duration_ms: number;
  readonly status: number | null;
  readonly error: string | null;
}

/** After so many new rows of a webhook those beyond what is kept of it are removed, together. */
const surplusRows = 100;

/** Webhooks in the tables `webhook`, `webhook_secret` and `webhook_delivery`. */
export class SqliteWebhookRecords implements WebhookRecords {
  readonly #connection: Connection;
  readonly #statements: ReturnType<typeof prepare>;
  /** Rows of each webhook that were added since its oldest were removed. */
  readonly #added = new Map<string, number>();

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#statements = prepare(connection);
  }

  put(record: WebhookRecord): void {
    const { name, url, types, prefix, state, stateReason, stateSince, afterSeq, secrets } = record;
    const { createdAt, createdBy, updatedAt, updatedBy } = record;
    const { put, count, removeSecrets, putSecret } = this.#statements;
    this.#connection.transaction(() => {
      put.run(
        ...[name, url, JSON.stringify(types), prefix === null ? null : bytesOf(prefix), state, stateReason],
        ...[stateSince, afterSeq, createdAt, createdBy, updatedAt, updatedBy],
      );
      removeSecrets.run(name);
      for (const [position, { id, bytes, createdAt: at }] of secrets.entries())
        putSecret.run(name, position, id, bytes, at);
      if ((count.get()?.count ?? 0) <= limits.webhooksMax) return;
      const detail = `There are ${limits.webhooksMax} webhooks already; remove one first.`;
      throw new PinfoldError('too_many_requests', { detail });
    });
  }

  find(name: string): WebhookRecord | undefined {
    const row = this.#statements.find.get(name);
    return row === undefined ? undefined : this.#recordOf(row);
  }

  list(): readonly WebhookRecord[] {
    return this.#statements.list.all().map((row) => this.#recordOf(row));
  }

  remove(name: string): boolean {
    const { removeSecrets, removeDeliveries, remove } = this.#statements;
    return this.#connection.transaction(() => {
      removeSecrets.run(name);
      removeDeliveries.run(name);
      return remove.run(name) > 0;
    });
  }

  moveTo(name: string, afterSeq: number): void {
    this.#statements.moveTo.run(afterSeq, name);
  }

  record(delivery: Omit<DeliveryRecord, 'id'>, id?: number): number {
    const { webhook, message, kind, seq, type, state, attempts } = delivery;
    const { firstAt, lastAt, durationMs, status, error } = delivery;
    const row = [id ?? null, webhook, message, kind, seq, type, state, attempts, firstAt, lastAt];
    const written = this.#statements.record.get(...row, durationMs, status, error)?.id ?? 0;
    if (id === undefined) this.#pruneNowAndThen(webhook);
    return written;
  }

  #pruneNowAndThen(webhook: string): void {
    const added = (this.#added.get(webhook) ?? 0) + 1;
    this.#added.set(webhook, added % surplusRows);
    if (added === surplusRows) this.#statements.prune.run(webhook, webhook);
  }

  findPending(webhook: string): DeliveryRecord | undefined {
    const row = this.#statements.findPending.get(webhook);
    return row === undefined ? undefined : deliveryOf(row);
  }

  findDelivery(webhook: string, id: number): DeliveryRecord | undefined {
    const row = this.#statements.findDelivery.get(webhook, id);
    return row === undefined ? undefined : deliveryOf(row);
  }

  deliveries(webhook: string): readonly DeliveryRecord[] {
    return this.#statements.deliveries.all(webhook, limits.webhookDeliveriesMax).map(deliveryOf);
  }

  #recordOf(row: WebhookRow): WebhookRecord {
    return {
      name: row.name,
      url: row.url,
      types: parseTextList(row.types),
      prefix: row.prefix === null ? null : parsePathBytes(row.prefix),
      secrets: this.#statements.secrets.all(row.name).map(secretOf),
      state: row.state,
      stateReason: row.state_reason,
      stateSince: row.state_since,
      afterSeq: row.after_seq,
      createdAt: row.created_at,
      createdBy: row.created_by,
      updatedAt: row.updated_at,
      updatedBy: row.updated_by,
    };
  }
}

function prepare(connection: Connection) {
  const deliveryColumns =
    'id, webhook, message, kind, seq, type, state, attempts, first_at, last_at, duration_ms, status, error';
  const count: Statement<{ readonly count: number }> = connection.prepare(
    'SELECT count(*) AS count FROM webhook',
  );
  const record: Statement<{ readonly id: number }> = connection.prepare(`
    INSERT OR REPLACE INTO webhook_delivery (${deliveryColumns})
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`);
  const find: Statement<WebhookRow> = connection.prepare('SELECT * FROM webhook WHERE name = ?');
  const list: Statement<WebhookRow> = connection.prepare('SELECT * FROM webhook ORDER BY name');
  const secrets: Statement<SecretRow> = connection.prepare(
    'SELECT id, bytes, created_at FROM webhook_secret WHERE webhook = ? ORDER BY position',
  );
  const findPending: Statement<DeliveryRow> = connection.prepare(
    `SELECT * FROM webhook_delivery WHERE webhook = ? AND state = 'pending' ORDER BY id DESC LIMIT 1`,
  );
  const findDelivery: Statement<DeliveryRow> = connection.prepare(
    'SELECT * FROM webhook_delivery WHERE webhook = ? AND id = ?',
  );
  const deliveries: Statement<DeliveryRow> = connection.prepare(
    'SELECT * FROM webhook_delivery WHERE webhook = ? ORDER BY id DESC LIMIT ?',
  );
  return {
    ...{ count, record, find, list, secrets, findPending, findDelivery, deliveries },
    put: connection.prepare(`
      INSERT OR REPLACE INTO webhook (name, url, types, prefix, state, state_reason, state_since, after_seq,
        created_at, created_by, updated_at, updated_by)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    putSecret: connection.prepare(
      'INSERT INTO webhook_secret (webhook, position, id, bytes, created_at) VALUES (?, ?, ?, ?, ?)',
    ),
    removeSecrets: connection.prepare('DELETE FROM webhook_secret WHERE webhook = ?'),
    removeDeliveries: connection.prepare('DELETE FROM webhook_delivery WHERE webhook = ?'),
    remove: connection.prepare('DELETE FROM webhook WHERE name = ?'),
    moveTo: connection.prepare('UPDATE webhook SET after_seq = ? WHERE name = ?'),
    prune: connection.prepare(`
      DELETE FROM webhook_delivery WHERE webhook = ? AND id <= (
        SELECT id FROM webhook_delivery WHERE webhook = ? ORDER BY id DESC
        LIMIT 1 OFFSET ${limits.webhookDeliveriesMax})`),
  };
}

function secretOf(row: SecretRow): WebhookSecret {
  return { id: row.id, bytes: row.bytes, createdAt: row.created_at };
}

function deliveryOf(row: DeliveryRow): DeliveryRecord {
  return {
    id: row.id,
    webhook: row.webhook,
    message: row.message,
    kind: row.kind,
    seq: row.seq,
    type: row.type,
    state: row.state,
    attempts: row.attempts,
    firstAt: row.first_at,
    lastAt: row.last_at,
    durationMs: row.duration_ms,
    status: row.status,
    error: row.error,
  };
}
