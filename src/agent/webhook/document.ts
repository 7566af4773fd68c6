import { hash } from 'node:crypto';
import { pathMembers } from '../../model/path.ts';
import type { DeliveryDocument, WebhookDocument } from '../../model/schema/webhook.ts';
import type { DeliveryRecord, WebhookRecord } from '../../model/webhook/records.ts';
import type { Courier } from './courier.ts';

/** What is shown of a webhook: everything but its secrets. */
export function webhookDocument(
  record: WebhookRecord,
  progress: ReturnType<Courier['progress']>,
): WebhookDocument {
  const { path: prefix, ...bytes } = record.prefix === null ? { path: null } : prefixMembers(record.prefix);
  return {
    name: record.name,
    url: record.url,
    types: [...record.types],
    prefix,
    ...bytes,
    state: record.state,
    state_reason: record.stateReason,
    state_since: record.stateSince,
    secrets: record.secrets.map(({ id, createdAt }) => ({ id, created_at: createdAt })),
    after_seq: record.afterSeq,
    backlog: progress.backlog,
    failures: progress.failures,
    last_error: progress.error,
    retry_in_ms: progress.retryInMs,
    created_at: record.createdAt,
    created_by: record.createdBy,
    updated_at: record.updatedAt,
    updated_by: record.updatedBy,
    etag: etagOf(record),
  };
}

/** The strong entity tag of what people decide about a webhook: how far it has come is no part of it. */
export function etagOf(record: WebhookRecord): string {
  const { name, url, types, prefix, state, secrets, createdAt } = record;
  const facts = [name, url, types, prefix, state, secrets.map(({ id }) => id), createdAt];
  return `"${hash('sha256', JSON.stringify(facts), 'base64url').slice(0, 27)}"`;
}

/** What is shown of a delivery. */
export function deliveryDocument(record: DeliveryRecord): DeliveryDocument {
  return {
    id: record.id,
    webhook: record.webhook,
    message_id: record.message,
    kind: record.kind,
    seq: record.seq,
    type: record.type,
    state: record.state,
    attempts: record.attempts,
    first_at: record.firstAt,
    last_at: record.lastAt,
    duration_ms: record.durationMs,
    status: record.status,
    error: record.error,
  };
}

function prefixMembers(prefix: string): { path: string; prefix_bytes?: string } {
  const { path, path_bytes: bytes } = pathMembers(prefix);
  return { path, ...(bytes === undefined ? {} : { prefix_bytes: bytes }) };
}
