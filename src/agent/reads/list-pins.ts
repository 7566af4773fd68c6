import { type ClaimedPins, ownersOf } from '../../model/claim/claimed-pins.ts';
import { joinPath, type PinPath } from '../../model/path.ts';
import type { PinDocument } from '../../model/schema/pin.ts';
import type { Page, PinQuery, Slice } from '../agent.ts';
import { pinDocument } from '../inventory/documents.ts';
import type { PinEntry } from '../inventory/entry.ts';
import type { MountNames } from '../inventory/mount-names.ts';
import type { SortedList } from '../inventory/sorted-list.ts';
import { parsePathCursor, pathCursor } from './cursor.ts';

/** Documents made before, by the entry they show: entries never change, so neither do these. */
export type DocumentCache = WeakMap<PinEntry, PinDocument>;

/** One page of the pins that match, in byte order. @throws PinfoldError bad_cursor */
export function listPins(
  names: MountNames,
  query: PinQuery,
  slice: Slice,
  { cache, claims }: { readonly cache: DocumentCache; readonly claims: ClaimedPins },
): Page<PinDocument> {
  const after = slice.after === undefined ? undefined : parsePathCursor(slice.after);
  const found = pathsWithin(names.pinPaths, query.prefix);
  const tests = testsOf(query, claims);
  const paths =
    tests.length === 0
      ? found
      : found.filter((path) => {
          const pin = names.findPin(path);
          return pin !== undefined && tests.every((test) => test(pin));
        });
  const { page, next } = pageOf(paths, after, slice.limit);
  const items = page
    .flatMap((path) => names.findPin(path) ?? [])
    .map((pin) => withClaims(cached(cache, pin), ownersOf(claims, pin)));
  return { items, next, total: paths.length };
}

/**
 * The paths that are a prefix or below it: perhaps the prefix itself, and one run of the list (`0` follows
 * `/` in ASCII).
 */
export function pathsWithin(paths: SortedList<PinPath>, prefix: PinPath | undefined): readonly PinPath[] {
  if (prefix === undefined) return paths.items();
  const itself = paths.items()[paths.lowerBound(prefix)] === prefix ? [prefix] : [];
  const from = paths.lowerBound(joinPath(prefix, ''));
  const to = paths.lowerBound(joinPath('', `${prefix}0`));
  return [...itself, ...paths.items().slice(from, to)];
}

/**
 * The paths after a position that fit a page, and the position of the last where more follow. `paths` are
 * in byte order.
 */
export function pageOf(paths: readonly PinPath[], after: PinPath | undefined, limit: number) {
  const start = after === undefined ? 0 : countUpTo(paths, after);
  const page = paths.slice(start, start + limit);
  const last = page.at(-1);
  const next = last !== undefined && start + page.length < paths.length ? pathCursor(last) : undefined;
  return { page, next };
}

function countUpTo(paths: readonly PinPath[], after: PinPath): number {
  let low = 0;
  let high = paths.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((paths[middle] ?? '') <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

function testsOf(query: PinQuery, claims: ClaimedPins): readonly ((pin: PinEntry) => boolean)[] {
  const tests: ((pin: PinEntry) => boolean)[] = [];
  const { kind, type, name, id, owner, claimed, labels } = query;
  if (kind !== undefined) tests.push(({ object }) => object.kind === kind);
  if (type !== undefined) tests.push(({ object }) => object.type === type);
  if (name !== undefined) tests.push(({ object }) => object.name === name);
  if (id !== undefined) tests.push(({ object }) => object.id === id);
  if (owner !== undefined) tests.push(({ annotations }) => (annotations.owner ?? '') === owner);
  if (claimed !== undefined) tests.push((pin) => claims.claimsOf(pin).length > 0 === claimed);
  for (const [key, value] of Object.entries(labels ?? {})) {
    tests.push(
      ({ annotations }) => Object.hasOwn(annotations.labels, key) && annotations.labels[key] === value,
    );
  }
  return tests;
}

function cached(cache: DocumentCache, pin: PinEntry): PinDocument {
  const known = cache.get(pin);
  if (known !== undefined) return known;
  const document = pinDocument(pin);
  cache.set(pin, document);
  return document;
}

/** Claims change while a pin does not: they are no part of what is remembered. */
function withClaims(document: PinDocument, owners: readonly string[]): PinDocument {
  return owners.length === 0 ? document : { ...document, claims: [...owners] };
}
