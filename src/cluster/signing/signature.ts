import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { type Role, roles } from '../../model/role.ts';

/** The header that carries a signature, and those that say for whom a manager asks. */
export const signatureHeaders = {
  signature: 'pinfold-signature',
  actor: 'pinfold-actor',
  role: 'pinfold-role',
} as const;

/** What else of a request decides what it does, in the order in which it is signed. */
const meaningHeaders = ['if-match', 'if-none-match', 'idempotency-key', 'content-type'] as const;

/** These headers of a request; null for one that it has not. */
export function meaningOf(headers: Readonly<Record<string, unknown>>): readonly (string | null)[] {
  return meaningHeaders.map((name) => (headers[name] === undefined ? null : String(headers[name])));
}

/** Everything a signature vouches for. */
export interface SignedFacts {
  /** The node that is asked: a request for one node is refused by all others, though they share the key. */
  readonly node: string;
  readonly method: string;
  /** Path and query as they stand in the request line. */
  readonly target: string;
  readonly manager: string;
  readonly timeMs: number;
  readonly nonce: string;
  readonly actor: string;
  readonly role: Role;
  /** SHA-256 of the body, base64url. */
  readonly body: string;
  /** See `meaningOf`. */
  readonly meaning: readonly (string | null)[];
}

/** What of a signature stands in its header; the rest the receiver sees for itself. */
export interface SignatureHeader {
  readonly manager: string;
  readonly timeMs: number;
  readonly nonce: string;
  readonly body: string;
  readonly mac: Buffer;
}

/** HMAC-SHA-256 (RFC 2104) over the facts as one JSON array, which can be read in one way only. */
export function macOf(key: Uint8Array, facts: SignedFacts): Buffer {
  const { node, method, target, manager, timeMs, nonce, actor, role, body, meaning } = facts;
  const text = JSON.stringify([
    'pinfold-request-v2',
    node,
    method,
    target,
    manager,
    timeMs,
    nonce,
    actor,
    role,
    body,
    meaning,
  ]);
  return createHmac('sha256', key).update(text, 'utf8').digest();
}

/** The headers of a signed request. */
export function signedHeaders(key: Uint8Array, facts: SignedFacts): Record<string, string> {
  const { manager, timeMs, nonce, body, actor, role } = facts;
  const mac = macOf(key, facts).toString('base64url');
  return {
    [signatureHeaders.signature]: `v2;${manager};${timeMs};${nonce};${body};${mac}`,
    [signatureHeaders.actor]: actor,
    [signatureHeaders.role]: role,
  };
}

/** Whether a signature is of the first form, which did not cover conditions: nobody signs so any more. */
export function isFirstForm(text: unknown): boolean {
  return typeof text === 'string' && text.startsWith('v1;');
}

/** Reads such a header; undefined for what is none. */
export function parseSignature(text: string): SignatureHeader | undefined {
  const [, manager, time, nonce, body, mac] =
    /^v2;([A-Za-z0-9._-]{1,253});(\d{13});([A-Za-z0-9_-]{22});([A-Za-z0-9_-]{43});([A-Za-z0-9_-]{43})$/.exec(
      text,
    ) ?? [];
  if (
    manager === undefined ||
    time === undefined ||
    nonce === undefined ||
    body === undefined ||
    mac === undefined
  ) {
    return undefined;
  }
  return { manager, timeMs: Number(time), nonce, body, mac: Buffer.from(mac, 'base64url') };
}

/** Compares in constant time. */
export function isMac(expected: Buffer, given: Buffer): boolean {
  return expected.length === given.length && timingSafeEqual(expected, given);
}

/** The hash of a body as signatures carry it. */
export function bodyHash(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('base64url');
}

/** What no body hashes to. */
export const emptyBodyHash: string = bodyHash(new Uint8Array());

/** A role by its name. */
export function parseRole(text: string): Role | undefined {
  return roles.find((role) => role === text);
}

/** Characters a header can carry: what an actor is called, with everything else replaced. */
export function actorText(actor: string): string {
  return actor.replace(/[^\x21-\x7e ]/g, '?').slice(0, 256);
}
