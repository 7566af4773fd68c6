import { createHmac } from 'node:crypto';

/** What a signature is made over; `timestamp` is in seconds since 1970. */
export interface Signed {
  readonly id: string;
  readonly timestamp: number;
  readonly body: string;
}

/**
 * The header `webhook-signature` (Standard Webhooks 1.0): for each secret `v1,` and the base64 of HMAC-SHA256
 * over id, timestamp and body joined by dots. A receiver accepts a message when any of them is its own.
 */
export function signatureOf({ id, timestamp, body }: Signed, secrets: readonly Uint8Array[]): string {
  const content = `${id}.${timestamp}.${body}`;
  return secrets
    .map((secret) => `v1,${createHmac('sha256', secret).update(content, 'utf8').digest('base64')}`)
    .join(' ');
}
