import { PinfoldError } from '../error.ts';
import { limits } from '../limits.ts';
import { bytesOf, escapeBytes, isUtf8, textOf } from '../path.ts';

declare const ownerBrand: unique symbol;

/**
 * Who claims pins: a pod's uid, the name of a unit, whatever an orchestrator calls its workload.
 *
 * A byte string as PinPath is one: any bytes but NUL, limits.claimOwnerBytesMax at most. Two owners are the
 * same where their bytes are. Only the parsers of this file make one.
 */
export type ClaimOwner = string & { readonly [ownerBrand]: true };

/** Makes an owner from text (UTF-8). @throws PinfoldError invalid_input */
export function parseOwner(text: string): ClaimOwner {
  return parseBytes(Buffer.from(text, 'utf8').toString('latin1'));
}

/**
 * Makes an owner from the percent-encoded last part of a URL, byte by byte: `%FF` is the byte 255, and a
 * slash may stand as it is or as `%2F`. @throws PinfoldError invalid_input
 */
export function parseUrlOwner(encoded: string): ClaimOwner {
  if (/%(?![0-9a-fA-F]{2})/.test(encoded)) {
    throw invalid(encoded, 'it has a % that is not followed by two hexadecimal digits');
  }
  const utf8 = Buffer.from(encoded, 'utf8').toString('latin1');
  return parseBytes(
    utf8.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  );
}

/** Makes an owner of bytes that were stored. @throws PinfoldError invalid_input */
export function parseOwnerBytes(bytes: Uint8Array): ClaimOwner {
  return parseBytes(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'));
}

function parseBytes(byteString: string): ClaimOwner {
  if (byteString === '') throw invalid(byteString, 'it is empty');
  if (byteString.length > limits.claimOwnerBytesMax) {
    throw invalid(byteString, `it is longer than ${limits.claimOwnerBytesMax} bytes`);
  }
  if (byteString.includes('\0')) throw invalid(byteString, 'it has a NUL byte');
  return byteString as ClaimOwner;
}

function invalid(byteString: string, why: string): PinfoldError {
  const detail = `"${escapeBytes(byteString.slice(0, 512))}" is not the name of an owner: ${why}.`;
  return new PinfoldError('invalid_input', { detail, errors: [{ pointer: '/params/owner', detail: why }] });
}

/** The members a document carries for an owner: the text, and base64 where that would lose bytes. */
export function ownerMembers(owner: string): { owner: string; owner_bytes?: string } {
  const text = { owner: textOf(owner) };
  return isUtf8(owner) ? text : { ...text, owner_bytes: bytesOf(owner).toString('base64') };
}

/** The owner as a URL carries it, byte by byte; slashes are encoded too. */
export function urlOfOwner(owner: string): string {
  return owner.replace(
    /[^A-Za-z0-9_~-]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
