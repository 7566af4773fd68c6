/** One page of a list as every list route answers it. */
export interface ListPage<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
  readonly observed_at: string;
  readonly total: number;
}

/**
 * Follows the cursors of a list until it ends or `itemsMax` items came; the last page is not asked for in
 * full.
 */
export async function* readPages<Item>(
  ask: (slice: { readonly limit: number; readonly cursor?: string }) => Promise<ListPage<Item>>,
  itemsMax: number,
): AsyncGenerator<Item, void, undefined> {
  const pageMax = 1000;
  let left = itemsMax;
  let cursor: string | null = null;
  while (left > 0) {
    const limit = Math.min(left, pageMax);
    const page: ListPage<Item> = await ask(cursor === null ? { limit } : { limit, cursor });
    yield* page.items;
    left -= page.items.length;
    cursor = page.next_cursor;
    if (cursor === null) return;
  }
}
