import type { Page, Slice } from '../agent/agent.ts';
import { PinfoldError } from '../model/error.ts';

/** One slice of a list that is at hand as a whole; a position is the number of items before it. */
export function pageOf<Item>(items: readonly Item[], slice: Slice): Page<Item> {
  const start = slice.after === undefined ? 0 : parsePosition(slice.after);
  const end = start + slice.limit;
  return {
    items: items.slice(start, end),
    next: end < items.length ? String(end) : undefined,
    total: items.length,
  };
}

function parsePosition(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new PinfoldError('bad_cursor');
}
