import { PinfoldError } from '../../model/error.ts';
import { isObjectKind, type ObjectKind } from '../../model/kind.ts';
import { bytesOf, type PinPath, parsePathBytes } from '../../model/path.ts';

/** The position after a path. */
export function pathCursor(path: PinPath): string {
  return `p${bytesOf(path).toString('base64url')}`;
}

/** Reads what pathCursor wrote. @throws PinfoldError bad_cursor */
export function parsePathCursor(cursor: string): PinPath {
  try {
    const path = parsePathBytes(Buffer.from(cursor.slice(1), 'base64url'));
    if (pathCursor(path) === cursor) return path;
  } catch (error) {
    throw badCursor(error);
  }
  throw badCursor();
}

/** The position of an object in the list of all objects. */
export interface ObjectPosition {
  readonly kind: ObjectKind;
  readonly id: number;
}

/** The position after an object. */
export function objectCursor({ kind, id }: ObjectPosition): string {
  return `o${Buffer.from(`${kind}:${id}`).toString('base64url')}`;
}

/** Reads what objectCursor wrote. @throws PinfoldError bad_cursor */
export function parseObjectCursor(cursor: string): ObjectPosition {
  const text = cursor.startsWith('o') ? Buffer.from(cursor.slice(1), 'base64url').toString('latin1') : '';
  const [, kind, id] = /^([a-z]+):(\d{1,10})$/.exec(text) ?? [];
  if (kind === undefined || !isObjectKind(kind)) throw badCursor();
  const position = { kind, id: Number(id) };
  // Base64 has bits to spare, and numbers may begin with zeros: only what was written is read.
  if (objectCursor(position) !== cursor) throw badCursor();
  return position;
}

function badCursor(cause?: unknown): PinfoldError {
  return new PinfoldError(
    'bad_cursor',
    { detail: 'The cursor is not one this list gave; begin without one.' },
    cause,
  );
}
