import { type ObjectKind, objectKinds } from '../../model/kind.ts';
import type { ObjectDocument } from '../../model/schema/object.ts';
import type { ObjectQuery, Page, Slice } from '../agent.ts';
import { type HeldBy, objectDocument } from '../inventory/documents.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { ObjectEntry } from '../inventory/objects.ts';
import { type ObjectPosition, objectCursor, parseObjectCursor } from './cursor.ts';

/**
 * Why counters of a kind cannot be read; undefined where they can. BTF has no iterator; `--pins-only` reads
 * none.
 */
export type WhyNoCounters = (kind: ObjectKind) => string | undefined;

/** Which objects: as asked, and the keys (`map:5`) of those that are held, or found fault with, as asked. */
export type ObjectChoice = ObjectQuery & { readonly among: ReadonlySet<string> | undefined };

/** One page of the objects that match, by kind and id. @throws PinfoldError bad_cursor */
export function listObjects(
  inventory: Inventory,
  query: ObjectChoice,
  slice: Slice,
  whyNoCounters: WhyNoCounters,
): Page<ObjectDocument> {
  const after = slice.after === undefined ? undefined : parseObjectCursor(slice.after);
  const page: ObjectEntry[] = [];
  let total = 0;
  let hasMore = false;
  for (const entry of matching(inventory, query)) {
    total++;
    if (after !== undefined && !isAfter(entry, after)) continue;
    if (page.length < slice.limit) page.push(entry);
    else hasMore = true;
  }
  const last = page.at(-1);
  return {
    items: page.map((entry) => objectDocument(entry, inventory, heldBy(inventory, entry, whyNoCounters))),
    next: hasMore && last !== undefined ? objectCursor(last) : undefined,
    total,
  };
}

function* matching(inventory: Inventory, query: ObjectChoice): Iterable<ObjectEntry> {
  const { kind, type, name, pinned, among } = query;
  for (const one of kind === undefined ? objectKinds : [kind]) {
    for (const id of inventory.objects.ids(one).items()) {
      const entry = inventory.objects.find(one, id);
      if (entry === undefined) continue;
      if (among !== undefined && !among.has(`${one}:${id}`)) continue;
      if (type !== undefined && entry.info.type !== type) continue;
      if (name !== undefined && nameOf(entry) !== name) continue;
      if (pinned !== undefined && inventory.isPinned(one, id) !== pinned) continue;
      yield entry;
    }
  }
}

function nameOf({ info }: ObjectEntry): string | undefined {
  return 'name' in info ? info.name : undefined;
}

function heldBy(inventory: Inventory, { kind, id }: ObjectEntry, whyNot: WhyNoCounters): HeldBy {
  const counters = inventory.objects.countersOf(kind, id);
  return counters === undefined
    ? { unavailable: whyNot(kind) ?? 'not counted since it appeared' }
    : { counters };
}

function isAfter(entry: ObjectEntry, position: ObjectPosition): boolean {
  if (entry.kind === position.kind) return entry.id > position.id;
  return objectKinds.indexOf(entry.kind) > objectKinds.indexOf(position.kind);
}
