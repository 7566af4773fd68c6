import { type MapShape, shapeOf } from '../../kernel/entries/map-shape.ts';
import type { HeldObject } from '../../kernel/kernel.ts';
import type { AsidePin, AsideRole } from '../../model/cluster/pinset/records.ts';
import { PinfoldError } from '../../model/error.ts';
import type { PinPath } from '../../model/path.ts';
import type { MapInfo } from '../../model/schema/map-info.ts';
import type { MapSpecification } from '../../model/schema/map-specification.ts';
import type { Asides } from '../aside/asides.ts';
import type { DumpHolds } from '../dump/dump-holds.ts';
import { openMap } from '../edit/open-map.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import type { CopyMaps } from './pass.ts';

/** What copying stands on. */
export interface CopyParts {
  readonly environment: OperationEnvironment;
  readonly asides: Asides;
  /** Lists our descriptors, so that no counter shows them. */
  readonly holds: DumpHolds;
}

/** The pins that keep the maps of one copy, by what they are for. */
export type CopyAsides = Readonly<Partial<Record<AsideRole, AsidePin>>>;

/** The maps of a copy, held and listed until this is disposed. */
export class HeldMaps implements Disposable {
  readonly maps: CopyMaps;
  readonly #listed: Disposable[] = [];

  constructor(parts: CopyParts, asides: CopyAsides) {
    try {
      const old = this.#hold(parts, asides.copy_old);
      const fresh = this.#hold(parts, asides.copy_new);
      const base = this.#hold(parts, asides.copy_base);
      const shape = layoutOf(old, cpusOf(parts));
      const freshShape = layoutOf(fresh, cpusOf(parts));
      assertSameLayout(shape.info, freshShape.info);
      const notes = layoutOf(base, cpusOf(parts));
      if (notes.keySize !== shape.keySize || notes.wireSize !== shape.wireSize) throw otherLayout();
      this.maps = { old, fresh, base, shape, freshShape };
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  #hold({ environment, holds }: CopyParts, pin: AsidePin | undefined): HeldObject {
    if (pin === undefined) throw new PinfoldError('conflict', { detail: 'A map of the copy is gone.' });
    const held = environment.kernel.objects.holdById('map', pin.objectId);
    this.#listed.push(holds.add(held));
    if (held.fingerprint === pin.fingerprint) return held;
    throw new PinfoldError('conflict', {
      detail: `Map ${pin.objectId} is another one by now.`,
      id: pin.objectId,
    });
  }

  [Symbol.dispose](): void {
    for (const listed of this.#listed.splice(0).reverse()) listed[Symbol.dispose]();
  }
}

/**
 * The kernel reads and writes as many bytes of our buffers as a map's values have: entries of one map may
 * only be given to another whose entries are laid out alike.
 *
 * @throws PinfoldError conflict
 */
export function assertSameLayout(old: MapLayout, fresh: MapLayout): void {
  const isSame =
    old.type === fresh.type && old.key_size === fresh.key_size && old.value_size === fresh.value_size;
  if (!isSame) throw otherLayout();
}

/** What must be the same of two maps, as the kernel tells it. */
type MapLayout = Pick<MapInfo, 'type' | 'key_size' | 'value_size'>;

function otherLayout(): PinfoldError {
  return new PinfoldError('conflict', { detail: 'The maps of the copy have entries of other sizes.' });
}

function layoutOf({ info }: HeldObject, cpus: number): MapShape {
  if (info.kind !== 'map') throw new TypeError('a copy is of maps');
  return shapeOf(info, cpus);
}

/** Makes the new map, empty, and the one in which is noted what was copied; both are held aside. */
export function makeMaps(
  parts: CopyParts,
  place: { readonly pinset: string; readonly path: PinPath },
  of: { readonly spec: MapSpecification; readonly old: HeldObject },
): void {
  const { environment, asides, holds } = parts;
  if (of.old.info.kind !== 'map') throw new TypeError('a copy is of maps');
  const { keySize, wireSize, maxEntries } = shapeOf(of.old.info, cpusOf(parts));
  const fresh = openMap(environment, of.spec);
  using _fresh = holds.add(fresh);
  asides.holdObject({ ...place, role: 'copy_new' }, fresh);
  const notes = { type: 'hash', key_size: keySize, value_size: wireSize, flags: ['no_prealloc'] };
  // A pass notes what is new before it takes out what is gone.
  const base = openMap(environment, { ...notes, max_entries: 2 * maxEntries, name: 'pinfold_copied' });
  using _base = holds.add(base);
  asides.holdObject({ ...place, role: 'copy_base' }, base);
}

/** How many CPUs a value of a per-CPU map is for. */
export function cpusOf({ environment }: Pick<CopyParts, 'environment'>): number {
  return environment.kernel.facts.cpus.possible;
}
