import { hash } from 'node:crypto';

/** The strong entity tag of an entry: of the bytes of its value, since its key is in its URL. */
export function etagOfValue(value: Buffer): string {
  return `"${hash('sha256', value, 'base64url').slice(0, 27)}"`;
}
