import { PinfoldError } from '../model/error.ts';
import type { EventDocument } from '../model/schema/event.ts';
import type { ObjectInfo } from '../model/schema/object.ts';

/**
 * Reading back the JSON we wrote. STRICT tables and integrity_check keep the database's own structure; a text
 * that is no longer what was written is damage, and is storage_failed, never a crash.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damagedText('a JSON text', error);
  }
}

/** A JSON object whose members are whatever was written. @throws PinfoldError storage_failed */
export function parseRecord(text: string): Record<string, unknown> {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damagedText('a JSON object');
  return value as Record<string, unknown>;
}

/** Labels, headers: a JSON object of texts. @throws PinfoldError storage_failed */
export function parseTexts(text: string): Record<string, string> {
  const record = parseRecord(text);
  if (!Object.values(record).every((value) => typeof value === 'string'))
    throw damagedText('an object of texts');
  return record as Record<string, string>;
}

/** A JSON array of texts. @throws PinfoldError storage_failed */
export function parseTextList(text: string): readonly string[] {
  const value = parseJson(text);
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw damagedText('a list of texts');
  return value;
}

/** An object's info document, of the kind its row says. @throws PinfoldError storage_failed */
export function parseObjectInfo(text: string, kind: string): ObjectInfo {
  const record = parseRecord(text);
  if (record['kind'] !== kind) throw damagedText(`a document of a ${kind}`);
  return record as ObjectInfo;
}

/** The `before` or `after` of an event. @throws PinfoldError storage_failed */
export function parseSide(text: string | null): EventDocument['before'] {
  return text === null ? null : parseRecord(text);
}

function damagedText(what: string, cause?: unknown): PinfoldError {
  const detail = `The state database is damaged: ${what} is not what was written.`;
  return new PinfoldError('storage_failed', { detail }, cause);
}
