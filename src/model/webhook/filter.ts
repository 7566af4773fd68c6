import type { PinPath } from '../path.ts';
import { type EventDocument, eventTypes } from '../schema/event.ts';

/** Which events a webhook is sent; what is empty or null does not restrict. */
export interface WebhookFilter {
  /** Types, or families of them such as `pin.*`. */
  readonly types: readonly string[];
  /** Only events about pins at or below it, in any instance; of a rename either path is enough. */
  readonly prefix: PinPath | null;
}

/** Tells whether a text is a type of event, or a family that has types. */
export function isTypePattern(text: string): boolean {
  return eventTypes.some((type) => matches(type, text));
}

/** Tells whether an event is to be sent. */
export function wantsEvent({ types, prefix }: WebhookFilter, event: EventDocument): boolean {
  if (types.length > 0 && !types.some((pattern) => matches(event.type, pattern))) return false;
  return prefix === null || pathsOf(event).some((path) => isBelow(path, prefix));
}

function matches(type: string, pattern: string): boolean {
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}

function isBelow(path: string, prefix: PinPath): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}

/** Every path an event says something about, as byte strings; a rename also names the one that was left. */
function pathsOf({ subject, before, after }: EventDocument): readonly string[] {
  return [subject, before, after, after?.['renamed_from']].flatMap((place) => pathOf(place) ?? []);
}

function pathOf(document: unknown): string | undefined {
  if (typeof document !== 'object' || document === null) return undefined;
  const { path, path_bytes: bytes }: { readonly path?: unknown; readonly path_bytes?: unknown } = document;
  if (typeof bytes === 'string') return Buffer.from(bytes, 'base64').toString('latin1');
  return typeof path === 'string' ? Buffer.from(path, 'utf8').toString('latin1') : undefined;
}
