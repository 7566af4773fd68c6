import { hash } from 'node:crypto';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import { type PinPath, parsePath, parsePathBytes } from '../../model/path.ts';
import { eventTypes } from '../../model/schema/event.ts';
import type { WebhookRequest } from '../../model/schema/webhook.ts';
import type { AddressRange } from '../../model/webhook/address.ts';
import { isTypePattern, type WebhookFilter } from '../../model/webhook/filter.ts';
import type { WebhookSecret } from '../../model/webhook/records.ts';
import { parseSecret } from '../../model/webhook/secret.ts';
import { parseTarget } from '../../model/webhook/target.ts';

/** What a request says of a webhook, judged. */
export interface WebhookSettings extends WebhookFilter {
  readonly url: string;
  /** In place of those there are; undefined to keep them. */
  readonly secrets: readonly Uint8Array[] | undefined;
}

/** @throws PinfoldError invalid_input, bad_path */
export function parseSettings(request: WebhookRequest, allowed: readonly AddressRange[]): WebhookSettings {
  const { url, types = [], secrets } = request;
  parseTarget(url, allowed);
  for (const [index, type] of types.entries()) {
    if (!isTypePattern(type))
      throw invalid(`types/${index}`, `must be of ${eventTypes.join(', ')}, or end in .*`);
  }
  return {
    url,
    types,
    prefix: parsePrefix(request),
    secrets: secrets?.map((text, index) => readSecret(text, `secrets/${index}`)),
  };
}

/** A secret that a request brings. @throws PinfoldError invalid_input */
export function readSecret(text: string, pointer: string): Uint8Array {
  const bytes = parseSecret(text);
  if (bytes === undefined) throw invalid(pointer, 'must be whsec_ and base64 of 24 to 64 bytes');
  return bytes;
}

/** A secret as it is kept. */
export function secretRecord(bytes: Uint8Array, createdAt: string): WebhookSecret {
  return { id: hash('sha256', bytes).slice(0, 12), bytes, createdAt };
}

/** Secrets that differ, as many as are kept. @throws PinfoldError invalid_input, too_many_requests */
export function assertDistinct(secrets: readonly WebhookSecret[]): readonly WebhookSecret[] {
  if (new Set(secrets.map(({ id }) => id)).size < secrets.length)
    throw invalid('secrets', 'must differ from each other');
  if (secrets.length <= limits.webhookSecretsMax) return secrets;
  throw new PinfoldError('too_many_requests', {
    detail: `The webhook has ${limits.webhookSecretsMax} secrets already; remove one first.`,
  });
}

function parsePrefix({ prefix, prefix_bytes: bytes }: WebhookRequest): PinPath | null {
  if (bytes !== undefined) return parsePathBytes(Buffer.from(bytes, 'base64'));
  return prefix === undefined || prefix === '' ? null : parsePath(prefix);
}

function invalid(pointer: string, detail: string): PinfoldError {
  return new PinfoldError('invalid_input', {
    detail: `${pointer} ${detail}.`,
    errors: [{ pointer: `/body/${pointer}`, detail }],
  });
}
