import { isPinfoldError } from '../../model/error.ts';
import type { KnownInstance, KnownPins, ObjectKey, PinFact } from '../../model/holder/facts.ts';
import type { Bpffs, BpffsRoot } from '../kernel.ts';
import type { Collection } from './collection.ts';
import { filesystemOf, type ReadInstances } from './pins.ts';

/** A name, and how many names of its inode are known. */
interface KnownPin extends PinFact {
  readonly names: number;
}

/**
 * Looks at the pins of some objects that were known before, name by name: one that leads to the same inode
 * of the same instance leads to the same object. What has gone, or has a hard link that nobody knew, is left
 * out, so that the counters show that something is missing.
 */
export function readKnownPins(
  bpffs: Bpffs,
  known: KnownPins,
  { objects, into }: { readonly objects: readonly ObjectKey[]; readonly into: Collection },
): ReadInstances {
  const byMount = new Map<string, KnownPin[]>();
  for (const pin of objects.flatMap((object) => pinsOf(known, object))) {
    const others = byMount.get(pin.mount);
    if (others === undefined) byMount.set(pin.mount, [pin]);
    else others.push(pin);
  }
  for (const instance of known.instances) {
    const pins = byMount.get(instance.id);
    if (pins !== undefined) addThoseStillThere(bpffs, { instance, pins }, into);
  }
  const mounted = new Set(known.instances.map(({ id }) => id));
  return { mounted, walked: mounted, namespaces: new Set(), reasons: new Map() };
}

function pinsOf(known: KnownPins, object: ObjectKey): readonly KnownPin[] {
  const pins = known.pinsOf(object);
  return pins.map((pin) => {
    const names = pins.filter(({ mount, inode }) => mount === pin.mount && inode === pin.inode).length;
    return { ...pin, object, names };
  });
}

function addThoseStillThere(
  bpffs: Bpffs,
  { instance, pins }: { readonly instance: KnownInstance; readonly pins: readonly KnownPin[] },
  into: Collection,
): void {
  try {
    using root = bpffs.openRoot(instance);
    for (const { names, ...pin } of pins) {
      if (isStillThere(bpffs, root, { ...pin, names })) into.pins.push(pin);
    }
    into.filesystems.push(filesystemOf(instance));
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
  }
}

function isStillThere(bpffs: Bpffs, root: BpffsRoot, { path, inode, names }: KnownPin): boolean {
  try {
    using open = bpffs.openPin(root, path);
    return open.inode === inode && open.links === names;
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
    return false;
  }
}
