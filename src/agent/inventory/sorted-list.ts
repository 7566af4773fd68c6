/** Up to this many changes are worked in one by one; more are merged by sorting again. */
const singlyMax = 64;

/**
 * Distinct items in a stable order, for lists that are paged through far more often than they change.
 *
 * Changes wait until somebody reads: then a few are spliced in, many are sorted in. Either way a reader
 * that follows no change pays nothing, and the first walk of a large file system is not quadratic.
 */
export class SortedList<Item> {
  readonly #compare: (one: Item, other: Item) => number;
  readonly #waiting = new Map<Item, 'add' | 'remove'>();
  #sorted: Item[] = [];

  constructor(compare: (one: Item, other: Item) => number) {
    this.#compare = compare;
  }

  add(item: Item): void {
    this.#waiting.set(item, 'add');
  }

  remove(item: Item): void {
    this.#waiting.set(item, 'remove');
  }

  /** All items in order. Valid until the next change. */
  items(): readonly Item[] {
    if (this.#waiting.size > singlyMax) this.#sortAll();
    else for (const [item, what] of this.#waiting) this.#splice(item, what);
    this.#waiting.clear();
    return this.#sorted;
  }

  /** The index of the first item that is not before this one. */
  lowerBound(item: Item): number {
    this.items();
    return this.#find(item);
  }

  #find(item: Item): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const there = this.#sorted[middle];
      if (there !== undefined && this.#compare(there, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #splice(item: Item, what: 'add' | 'remove'): void {
    const at = this.#find(item);
    const there = this.#sorted[at];
    const isThere = there !== undefined && this.#compare(there, item) === 0;
    if (what === 'add' && !isThere) this.#sorted.splice(at, 0, item);
    if (what === 'remove' && isThere) this.#sorted.splice(at, 1);
  }

  #sortAll(): void {
    const kept = this.#sorted.filter((item) => !this.#waiting.has(item));
    const added = [...this.#waiting].filter(([, what]) => what === 'add').map(([item]) => item);
    this.#sorted = [...kept, ...added].sort(this.#compare);
  }
}

/** Order of byte strings, which is the order of their bytes. */
export function compareBytes(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
