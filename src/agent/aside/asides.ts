import type { HeldObject } from '../../kernel/kernel.ts';
import { isSameObject } from '../../model/cluster/pinset/observed.ts';
import type { AsidePin, AsideRole, MadeIdentity } from '../../model/cluster/pinset/records.ts';
import { PinfoldError } from '../../model/error.ts';
import { type PinPath, parsePathBytes } from '../../model/path.ts';
import { CountedObjects } from '../operation/counted.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import { type Acceptance, acceptsAll, findHazards, refuseHazards } from '../operation/hazards.ts';
import { Holds, pinnedObjectOf } from '../operation/holds.ts';
import { mismatch } from '../operation/move.ts';
import { factsOf, Site } from '../operation/site.ts';
import { Subject } from '../operation/subject.ts';
import { View } from '../operation/view.ts';

/** For which set, and beside which name, something is held aside. */
export interface AsidePlace {
  readonly pinset: string;
  readonly path: PinPath;
  readonly role: AsideRole;
}

/** The kernel's id of an object, and what tells it from another that gets the same. */
export type ObjectIdentity = Pick<MadeIdentity, 'kind' | 'id' | 'fingerprint'>;

/**
 * Second pins of objects, in the staging directory of the primary instance: whoever unpins the name leaves
 * the object alive.
 *
 * The row is written before the pin is made and removed after it is unlinked, so that a killed agent leaves
 * no pin that no row speaks of; a row without its pin is dropped when it is looked at.
 */
export class Asides {
  readonly #environment: OperationEnvironment;

  constructor(environment: OperationEnvironment) {
    this.#environment = environment;
  }

  /** Holds what is pinned at a path, if it is what is expected. @throws PinfoldError pin_not_found, … */
  hold(place: AsidePlace, expected?: ObjectIdentity): AsidePin {
    using site = Site.open(this.#environment, undefined, true);
    using holds = new Holds();
    const { held } = new View(site, holds, () => undefined).get(place.path);
    const isOther = expected !== undefined && held !== undefined && !isSameObject(identityOf(held), expected);
    if (held === undefined || isOther) throw mismatch(place.path);
    return this.#make(site, place, held);
  }

  /** Holds an object that the caller holds, so that it outlives the caller. */
  holdObject(place: AsidePlace, held: HeldObject): AsidePin {
    using site = Site.open(this.#environment, undefined, true);
    return this.#make(site, place, held);
  }

  #make(site: Site, { pinset, path, role }: AsidePlace, held: HeldObject): AsidePin {
    const { store, agentUuid, newOperationId, kernel, onStep } = this.#environment;
    if (this.#environment.isReadOnly) throw isReadOnly();
    const { kind, id: objectId, fingerprint } = pinnedObjectOf(held);
    const slot = `${agentUuid}-${newOperationId()}`;
    const { bootId } = kernel.facts;
    const { instance, mount } = site;
    const pin = { slot, pinset, path, role, bootId, instance, mount, kind, objectId, fingerprint };
    store.pinsets.putAside(pin);
    onStep('aside.recorded');
    kernel.objects.pin(held, site.slot(slot));
    onStep('aside.held');
    return pin;
  }

  /**
   * Lets one go. What would lose its last holder with it stays, unless that is accepted; what is in an
   * instance that is not to be seen now stays, too.
   *
   * @throws PinfoldError hazard, mount_unavailable, …
   */
  letGo(pin: AsidePin, acceptance: Acceptance): void {
    const { store, onStep } = this.#environment;
    using site = Site.open(this.#environment, undefined, true);
    if (this.#environment.isReadOnly) throw isReadOnly();
    if (site.instance !== pin.instance) return;
    this.#unlink(site, pin, acceptance);
    onStep('aside.unlinked');
    store.pinsets.removeAside(pin.slot);
  }

  #unlink(site: Site, pin: AsidePin, acceptance: Acceptance): void {
    using open = site.findSlot(pin.slot);
    if (open === undefined) return;
    using holds = new Holds();
    const held = holds.add(site.kernel.objects.holdPinned(open.fd));
    const { mount, instance } = site;
    const path = pathOf(pin);
    const annotations = { labels: {}, owner: null, managed: true };
    const object = pinnedObjectOf(held);
    const subject = Subject.of({ mount, instance, path, inode: factsOf(open), object, annotations }, held);
    const stakes = {
      losing: [{ subject, path, isLastName: undefined }],
      arriving: [],
      oursOf: () => holds.countOf(object),
    };
    const counted = new CountedObjects(this.#environment);
    if (!acceptsAll(acceptance, object)) counted.countAgain([stakes], site);
    refuseHazards(findHazards(counted, stakes), acceptance);
    site.unlinkSlot(pin.slot, path);
  }

  /**
   * Those there are, in the instance that is there now; rows that nothing stands behind are dropped. Rows of
   * another instance stay: it may only be covered by the one that was mounted over it.
   */
  list(): readonly AsidePin[] {
    const { store } = this.#environment;
    const rows = store.pinsets.listAside();
    if (rows.length === 0) return [];
    using site = Site.open(this.#environment, undefined, true);
    return rows.filter((pin) => {
      if (site.instance !== pin.instance) return false;
      const isThere = site.inodeAt(site.slot(pin.slot)) !== undefined;
      if (!isThere) store.pinsets.removeAside(pin.slot);
      return isThere;
    });
  }
}

/** The path an aside pin stands beside, as the parser made it. */
export function pathOf({ path }: Pick<AsidePin, 'path'>): PinPath {
  return parsePathBytes(Buffer.from(path, 'latin1'));
}

function identityOf(held: HeldObject) {
  const { kind, id, fingerprint } = pinnedObjectOf(held);
  return { kind, id, fingerprint };
}

function isReadOnly(): PinfoldError {
  return new PinfoldError('read_only', { detail: 'This agent runs with --read-only and changes nothing.' });
}
