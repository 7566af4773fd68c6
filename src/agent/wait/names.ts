import type { EventDocument } from '../../model/schema/event.ts';

/** Every path an event says something about, as byte strings: of a rename also the one that was left. */
export function pathsOf({ subject, before, after }: EventDocument): ReadonlySet<string> {
  const places: readonly unknown[] = [subject, before, after, after?.['renamed_from']];
  return new Set(places.flatMap((place) => pathOf(place) ?? []));
}

/** The path that a document carries, by its bytes where they are given; see `pathMembers`. */
function pathOf(document: unknown): string | undefined {
  if (typeof document !== 'object' || document === null) return undefined;
  const { path, path_bytes: bytes }: { readonly path?: unknown; readonly path_bytes?: unknown } = document;
  if (typeof bytes === 'string') return Buffer.from(bytes, 'base64').toString('latin1');
  return typeof path === 'string' ? Buffer.from(path, 'utf8').toString('latin1') : undefined;
}
