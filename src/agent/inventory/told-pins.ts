import type { PinRecord, Store } from '../../model/store.ts';
import { bootOf } from './annotations.ts';
import type { ToldPins } from './catch-up.ts';
import type { PinEntry } from './entry.ts';
import type { Inventory } from './inventory.ts';
import { entryOf } from './remembered.ts';

/** What the inventory knows, once everything has been observed. */
export function toldByInventory(inventory: Inventory): ToldPins {
  return {
    find: ({ mount, path }) => inventory.findMount(mount)?.findPin(path),
    namesOfInode: (pin) => inventory.namesOfInode(pin),
  };
}

/**
 * What the rows of the store say: they are written with the events, so that they are right while nothing has
 * been observed yet, as in recovery, or not everything, as in the first pass.
 */
export function toldByRows({ pins, objects }: Pick<Store, 'pins' | 'objects'>): ToldPins {
  const read = (record: PinRecord): PinEntry => {
    const { kind, objectId, fingerprint, instance } = record;
    const known = objectId === null ? [] : objects.history(kind, objectId, incarnationsMax);
    const isOf = (object: (typeof known)[number]): boolean =>
      object.fingerprint === fingerprint && object.bootId === bootOf(instance);
    return entryOf(record, known.find(isOf));
  };
  return {
    find: ({ instance, path }) => {
      const row = pins.findPresent(instance, path) ?? pins.findPresent(unmarked(instance), path);
      return row === undefined ? undefined : read(row);
    },
    namesOfInode: ({ instance, inode: { inode, mtimeNs } }) =>
      [...new Set([instance, unmarked(instance)])]
        .flatMap((each) => pins.listNames({ instance: each, inode, mtimeNs: String(mtimeNs) }))
        .map(read),
  };
}

/** So many objects of one id are looked through for the one that a row is of. */
const incarnationsMax = 16;

/** `BpffsRoot.instance` as it was before there was a marker: rows of then are of the same instance. */
export function unmarked(instance: string): string {
  return `${instance.slice(0, instance.lastIndexOf('/') + 1)}-`;
}
