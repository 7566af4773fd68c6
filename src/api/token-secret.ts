import { hash, randomBytes } from 'node:crypto';

/** A new bearer token: 256 random bits, with a prefix by which people and secret scanners know what it is. */
export function newSecret(): string {
  return `pinfold_${randomBytes(32).toString('base64url')}`;
}

/** What is kept of a token. It has 256 bits of its own, so a slow hash would add nothing. */
export function hashOfSecret(secret: string): Uint8Array {
  return hash('sha256', secret, 'buffer');
}
