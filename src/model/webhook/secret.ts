/** How many bytes a secret has (Standard Webhooks 1.0, "Signature scheme": 24 to 64). */
export const secretBytes = { min: 24, max: 64 } as const;

const prefix = 'whsec_';

/** Reads `whsec_` and base64 of 24 to 64 bytes; undefined for anything else. */
export function parseSecret(text: string): Uint8Array | undefined {
  if (!text.startsWith(prefix)) return undefined;
  const encoded = text.slice(prefix.length);
  const bytes = Buffer.from(encoded, 'base64');
  const isWhole = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '');
  return isWhole && bytes.length >= secretBytes.min && bytes.length <= secretBytes.max ? bytes : undefined;
}

/** The text of a secret, as receivers are given it. */
export function showSecret(bytes: Uint8Array): string {
  return `${prefix}${Buffer.from(bytes).toString('base64')}`;
}
