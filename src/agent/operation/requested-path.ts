import { PinfoldError } from '../../model/error.ts';
import { type PinPath, parsePath, parsePathBytes } from '../../model/path.ts';
import { forPart } from './about.ts';

/** A body's member for a path, or its `_bytes` twin with base64 of it. */
type Paths<Name extends string> = { readonly [Member in Name | `${Name}_bytes`]?: string };

/**
 * The path a body gives under a name; undefined where it gives none. `part` points to what of the body it is
 * given. @throws PinfoldError bad_path, invalid_input
 */
export function findRequestedPath<Name extends string>(
  body: Paths<Name>,
  name: Name,
  part = '/body',
): PinPath | undefined {
  const given: Readonly<Record<string, string | undefined>> = body;
  const text = given[name];
  const bytes = given[`${name}_bytes`];
  if (text !== undefined && bytes !== undefined)
    throw invalid(`${part}/${name}`, `${name} and ${name}_bytes exclude each other`);
  if (text !== undefined) return forPart(`${part}/${name}`, () => parsePath(text));
  if (bytes === undefined) return undefined;
  const decoded = Buffer.from(bytes, 'base64');
  if (decoded.toString('base64') !== bytes) throw invalid(`${part}/${name}_bytes`, 'it is not base64');
  return forPart(`${part}/${name}_bytes`, () => parsePathBytes(decoded));
}

/** The path a body must give under a name. @throws PinfoldError bad_path, invalid_input */
export function requestedPath<Name extends string>(body: Paths<Name>, name: Name, part?: string): PinPath {
  const path = findRequestedPath(body, name, part);
  if (path === undefined) throw invalid(part ?? '/body', `${name} or ${name}_bytes is required`);
  return path;
}

function invalid(pointer: string, detail: string): PinfoldError {
  return new PinfoldError('invalid_input', {
    detail: `The body is not valid: ${detail}.`,
    errors: [{ pointer, detail }],
  });
}
