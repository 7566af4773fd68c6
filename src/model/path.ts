import { PinfoldError } from './error.ts';
import { limits } from './limits.ts';

declare const pinPathBrand: unique symbol;

/**
 * Where a pin is, relative to the root of its bpffs: names joined by `/`, without a leading slash.
 *
 * Names in bpffs are bytes. A PinPath is a *byte string*: each JavaScript character is one byte (latin1),
 * so that comparing, sorting and slicing work on what the kernel sees. Only the parsers of this file make
 * one,
 * and they accept what the kernel would: no NUL, no `.` (kernel/bpf/inode.c, bpf_lookup refuses dots),
 * 255 bytes a name, 4,095 in all.
 */
export type PinPath = string & { readonly [pinPathBrand]: true };

/** The name of the directory at a mount's root in which changes are prepared; hidden from every list. */
export const stagingName = 'pinfold-staging';

/** Makes a PinPath from the bytes of a path. @throws PinfoldError bad_path */
export function parsePathBytes(bytes: Uint8Array): PinPath {
  return parsePathText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'));
}

/** Makes a PinPath from text, as JSON bodies carry it (UTF-8). @throws PinfoldError bad_path */
export function parsePath(text: string): PinPath {
  // JSON can escape half of a character (RFC 8259, 8.2); written as UTF-8 it would become another name.
  if (/\p{Surrogate}/u.test(text)) throw badPath(bytesOfText(text), 'it has half of a character of UTF-16');
  return parsePathText(bytesOfText(text));
}

function bytesOfText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/**
 * Makes a PinPath from the percent-encoded part of a URL, byte by byte: `%FF` is the byte 255 and `%2F` a
 * slash.
 *
 * @throws PinfoldError bad_path
 */
export function parseUrlPath(encoded: string): PinPath {
  if (/%(?![0-9a-fA-F]{2})/.test(encoded)) {
    throw badPath(encoded, 'it has a % that is not followed by two hexadecimal digits');
  }
  const utf8 = bytesOfText(encoded);
  return parsePathText(
    utf8.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  );
}

function parsePathText(byteString: string): PinPath {
  if (byteString === '') throw badPath(byteString, 'it is empty');
  if (byteString.length > limits.pathBytesMax) {
    throw badPath(byteString, `it is longer than ${limits.pathBytesMax} bytes`, 'ENAMETOOLONG');
  }
  for (const name of byteString.split('/')) checkName(byteString, name);
  if (byteString === stagingName || byteString.startsWith(`${stagingName}/`)) {
    throw badPath(byteString, `${stagingName} is where Pinfold prepares changes; it is not open to requests`);
  }
  return byteString as PinPath;
}

function checkName(whole: string, name: string): void {
  if (name === '') throw badPath(whole, 'it begins or ends with a slash, or has two in a row');
  if (name.length > limits.nameBytesMax) {
    throw badPath(whole, `a name is longer than ${limits.nameBytesMax} bytes`, 'ENAMETOOLONG');
  }
  if (name.includes('.')) throw badPath(whole, 'bpffs reserves names with a dot', 'EPERM');
  if (name.includes('\0')) throw badPath(whole, 'it has a NUL byte');
}

function badPath(byteString: string, why: string, errno?: string): PinfoldError {
  const shown = escapeBytes(byteString.slice(0, 512));
  const detail = `"${shown}" is not a pin path: ${why}.`;
  const members = pathMembers(byteString.slice(0, limits.pathBytesMax));
  return new PinfoldError(
    'bad_path',
    errno === undefined ? { detail, ...members } : { detail, ...members, errno },
  );
}

/** Joins a directory and one name, both already known to be good; `''` is the root. */
export function joinPath(directory: PinPath | '', name: string): PinPath {
  return (directory === '' ? name : `${directory}/${name}`) as PinPath;
}

/** The directory a path is in; `''` is the root of the bpffs. */
export function parentOf(path: PinPath): PinPath | '' {
  const slash = path.lastIndexOf('/');
  return (slash < 0 ? '' : path.slice(0, slash)) as PinPath | '';
}

/** The last name of a path, as a byte string. */
export function nameOf(path: PinPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Whole components only: `a` is a prefix of `a/b` and of `a`, not of `ab`. */
export function isWithin(path: PinPath, prefix: PinPath | ''): boolean {
  return prefix === '' || path === prefix || path.startsWith(`${prefix}/`);
}

/** The bytes that system calls take. */
export function bytesOf(byteString: string): Buffer {
  return Buffer.from(byteString, 'latin1');
}

const fatalUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Tells whether a byte string is valid UTF-8, so that its text form loses nothing. */
export function isUtf8(byteString: string): boolean {
  if (isAscii(byteString)) return true;
  try {
    fatalUtf8.decode(bytesOf(byteString));
    return true;
  } catch {
    return false;
  }
}

/**
 * The text of a byte string; bytes that are not UTF-8 become U+FFFD, which is why answers then carry
 * `path_bytes` too.
 */
export function textOf(byteString: string): string {
  return isAscii(byteString) ? byteString : bytesOf(byteString).toString('utf8');
}

/**
 * The members a JSON document carries for a byte string: its text, and base64 where text would lose bytes.
 */
export function pathMembers(path: string): { path: string; path_bytes?: string } {
  return isUtf8(path)
    ? { path: textOf(path) }
    : { path: textOf(path), path_bytes: bytesOf(path).toString('base64') };
}

/** The path as a URL carries it: each name percent-encoded byte by byte, slashes kept. */
export function urlOf(path: PinPath): string {
  return path.replace(
    /[^A-Za-z0-9_~/-]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** A byte string for sentences and logs: printable ASCII stays, every other byte becomes `\xNN`. */
export function escapeBytes(byteString: string): string {
  return byteString.replace(/[^\x20-\x7e]|\\/g, (char) =>
    char === '\\' ? '\\\\' : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function isAscii(byteString: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: bytes are what this is about
  return /^[\x00-\x7f]*$/.test(byteString);
}
