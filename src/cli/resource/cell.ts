import { escapeName, escapeText } from '../../model/escape.ts';
import { ageOf } from '../format/age.ts';
import type { Column } from './resource.ts';

/** A path as documents carry it, printable: from its bytes where its text would lose some. */
export function shownPath(place: {
  readonly path: string;
  readonly path_bytes?: string | undefined;
}): string {
  const { path, path_bytes: bytes } = place;
  return escapeName(bytes === undefined ? Buffer.from(path, 'utf8') : Buffer.from(bytes, 'base64'));
}

/** A text, a number or nothing, printable. */
export function shown(value: string | number | boolean | null | undefined): string {
  return value === null || value === undefined ? '' : escapeText(String(value));
}

/**
 * Who did it. What a process calls itself stands in there with its escapes already, so that those stay as
 * they are and `--actor` takes what is shown; a text that has anything else to hide is escaped like others.
 */
export function shownActor(actor: string | null | undefined): string {
  const escaped = shown(actor);
  return escaped === actor?.replaceAll('\\', '\\\\') ? actor : escaped;
}

/** Labels as `key=value`, separated by commas. */
export function shownLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => escapeText(`${key}=${value}`))
    .join(',');
}

/** The column AGE, from whichever time a document has. */
export function ageColumn<Item>(
  timeOf: (item: Item) => string | null | undefined,
  title = 'AGE',
): Column<Item> {
  return {
    title,
    isVolatile: true,
    cell: (item, now) => {
      const time = timeOf(item);
      return time === null || time === undefined ? '' : ageOf(time, now);
    },
  };
}
