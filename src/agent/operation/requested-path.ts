import { PinfoldError } from '../../model/error.ts';
import { type PinPath, parsePath, parsePathBytes } from '../../model/path.ts';

/** A body's member for a path, or its `_bytes` twin with base64 of it. */
type Paths<Name extends string> = { readonly [Member in Name | `${Name}_bytes`]?: string };

/**
 * The path a body gives under a name; undefined where it gives none. @throws PinfoldError bad_path,
 * invalid_input
 */
export function findRequestedPath<Name extends string>(body: Paths<Name>, name: Name): PinPath | undefined {
  const given: Readonly<Record<string, string | undefined>> = body;
  const text = given[name];
  const bytes = given[`${name}_bytes`];
  if (text !== undefined && bytes !== undefined)
    throw invalid(name, `${name} and ${name}_bytes exclude each other`);
  if (text !== undefined) return parsePath(text);
  if (bytes === undefined) return undefined;
  const decoded = Buffer.from(bytes, 'base64');
  if (decoded.toString('base64') !== bytes) throw invalid(`${name}_bytes`, 'it is not base64');
  return parsePathBytes(decoded);
}

/** The path a body must give under a name. @throws PinfoldError bad_path, invalid_input */
export function requestedPath<Name extends string>(body: Paths<Name>, name: Name): PinPath {
  const path = findRequestedPath(body, name);
  if (path === undefined) throw invalid(name, `${name} or ${name}_bytes is required`);
  return path;
}

function invalid(member: string, detail: string): PinfoldError {
  return new PinfoldError('invalid_input', {
    detail: `The body is not valid: ${detail}.`,
    errors: [{ pointer: `/${member}`, detail }],
  });
}
