import { displayWidth, padTo } from './width.ts';

/** A column of a table. Numbers stand to the right, so that they can be compared at a glance. */
export interface Heading {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/**
 * Cells are one line each and printable already: escaping is the business of whoever knows what a cell holds.
 */
export type Cells = readonly string[];

/** Space between two columns, as kubectl leaves it. */
const gap = '   ';

/**
 * Lines of a table whose columns are as wide as their widest cell; nothing is cut here, and no line ends
 * in spaces.
 *
 * An empty cell shows as `-`, so that every line has the same number of fields.
 */
export function formatTable(
  headings: readonly Heading[],
  rows: readonly Cells[],
  hasHeader = true,
): string[] {
  const all = hasHeader ? [headings.map((heading) => heading.title), ...rows] : rows;
  const widths = headings.map((_, column) =>
    all.reduce((widest, cells) => Math.max(widest, displayWidth(cells[column] || '-')), 0),
  );
  return all.map((cells) =>
    headings
      .map(({ align }, column) => padTo(cells[column] || '-', widths[column] ?? 0, align))
      .join(gap)
      .trimEnd(),
  );
}
