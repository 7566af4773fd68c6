import { setTimeout } from 'node:timers/promises';
import { shapeOf } from '../../kernel/entries/map-shape.ts';
import type { WrittenKeys } from '../../kernel/kernel.ts';
import type { AsidePin, MapCopyRecord } from '../../model/cluster/pinset/records.ts';
import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { PinPath } from '../../model/path.ts';
import type { MapSpecification } from '../../model/schema/map-specification.ts';
import type { PinRequest } from '../../model/schema/request.ts';
import type { ChangeContext } from '../agent.ts';
import type { ObjectIdentity } from '../aside/asides.ts';
import { lookAtPath } from '../aside/look.ts';
import { Slices } from '../edit/slices.ts';
import type { PinChanges } from '../operation/changes.ts';
import { mismatch } from '../operation/move.ts';
import type { AroundExchange } from '../operation/replace.ts';
import { pinRequest } from '../operation/request.ts';
import { quote } from '../operation/sentence.ts';
import { type CopyAsides, type CopyParts, HeldMaps, makeMaps } from './maps.ts';
import { type Copied, type CopyMaps, CopyPass } from './pass.ts';

/** A copy that is wished: of what is at the path into a map like this, which takes its place. */
export interface CopyWish {
  readonly pinset: string;
  readonly path: PinPath;
  readonly spec: MapSpecification;
  /** The new pin's attributes; those of the old one stay where nothing is said. */
  readonly attributes: Pick<PinRequest, 'mode' | 'uid' | 'gid' | 'labels' | 'owner'>;
  /** Whether the new map is held aside when the copy is done. */
  readonly isProtected: boolean;
  /**
   * The map at the path that was looked at, and found to be one that is copied. Without it no copy begins:
   * one that has swapped the names is brought to its end, one that has not is undone.
   */
  readonly from: ObjectIdentity | undefined;
  readonly context: ChangeContext;
}

/**
 * How far a copy has come: the old map may still have users, whose changes are brought over. `map` is the one
 * that was put in the other's place, where that is still known.
 */
export type CopyProgress =
  | { readonly is: 'done'; readonly map: ObjectIdentity | undefined }
  | {
      readonly is: 'draining';
      readonly oldId: number;
      readonly changes: number;
      readonly map: ObjectIdentity;
    };

/** A copy whose maps it is heard of who writes to. */
interface Heard {
  readonly maps: CopyMaps;
  readonly copied: Copied;
  readonly written: WrittenKeys;
}

/** All hazards of a map whose contents are in another by now, or that nobody but us ever had. */
const ofNoUse = { accept: new Set(['last_reference']), force: false };
const nothingAccepted = { accept: new Set<string>(), force: false };

/**
 * Puts a map in the place of another, with what is in it.
 *
 * The new map is made aside and filled; the names are swapped by the journalled replace, with a look at the
 * old map right before the exchange and one right after it; then what users of the old map still change is
 * brought over, until the kernel counts no user of it but us. Where it stands is in the database, the maps
 * are pinned aside: a killed agent begins the pass again, or, while the name still holds the old map, the
 * copy.
 *
 * From the first look on it is heard which keys are written, and in which of the two maps last; the looks
 * and passes after the exchange leave alone what was written through the new one, until nobody has the old
 * one open, or `limits.copyHeardMs` are over. An entry that lives for less than the time between two looks
 * neither is lost nor comes back. docs/adr/0043-looks-around-the-exchange.md has the reasoning, and what is
 * not heard.
 */
export class MapCopies {
  readonly #parts: CopyParts;
  readonly #changes: Pick<PinChanges, 'pin' | 'askNow'>;
  /** What was copied, of the copies that this process has under way. */
  readonly #copied = new Map<string, Copied>();

  constructor(parts: CopyParts, changes: Pick<PinChanges, 'pin' | 'askNow'>) {
    this.#parts = parts;
    this.#changes = changes;
  }

  /** Copies under way, those of a dead process too. */
  list(): readonly MapCopyRecord[] {
    return this.#parts.environment.store.pinsets.listCopies();
  }

  /**
   * Goes on as far as it can; asked again, it goes on from there. What was begun before the swap is undone
   * first: what is wanted now may be another map, or none.
   *
   * @throws PinfoldError map_full, too_many_requests, identity_mismatch where the name holds another map than
   * was looked at, conflict where it holds a third thing; the name then still holds what it did
   */
  async advance(wish: CopyWish): Promise<CopyProgress> {
    const phase = await this.#phaseOf(wish, true);
    if (phase !== 'draining') {
      if (wish.from === undefined) return { is: 'done', map: undefined };
      await this.#copyAndSwap(wish, wish.from);
    }
    return await this.#drain(wish);
  }

  /**
   * Ends a copy nobody wants any more: after the swap by what is left to do, before it without a trace. It
   * pins nothing: a name that somebody has taken away or given to another stays so.
   *
   * @throws PinfoldError hazard where what is held aside is all that is left of a map
   */
  async abandon(pinset: string, path: PinPath, context: ChangeContext): Promise<CopyProgress> {
    const isBegun = this.#recordOf({ pinset, path }) !== undefined;
    const spec = { type: 'hash', key_size: 0, value_size: 0, max_entries: 0 };
    const wish = { pinset, path, spec, attributes: {}, isProtected: false, from: undefined, context };
    if (isBegun && (await this.#phaseOf(wish, false)) === 'draining') return await this.#drain(wish);
    this.#forget({ pinset, path });
    return { is: 'done', map: undefined };
  }

  /** Where it stands; what was begun and cannot be gone on with is cleared away. */
  async #phaseOf(wish: CopyWish, mayPin: boolean): Promise<'none' | 'draining'> {
    const { environment } = this.#parts;
    const record = this.#recordOf(wish);
    if (record === undefined) return 'none';
    const asides = this.#asidesOf(wish);
    const seen = lookAtPath(environment, wish.path);
    const mapId = seen.is === 'pin' && seen.pin.kind === 'map' ? seen.pin.identity.id : undefined;
    const isSwapped = record.phase === 'draining' || this.#hasSwapped(record, asides, mapId);
    if (isSwapped) environment.store.pinsets.putCopy({ ...record, phase: 'draining' });
    // Somebody has unpinned the name: it gets back what it had.
    const right = isSwapped ? asides.copy_new : asides.copy_old;
    if (seen.is === 'absent') {
      if (mayPin && right !== undefined) await this.#pinAgain(wish, right);
    } else if (!isSwapped && mapId !== asides.copy_old?.objectId) this.#refuseOther(wish, asides, mapId);
    if (isSwapped) return 'draining';
    this.#forget(wish);
    return 'none';
  }

  /** What the name holds says it; where it holds nothing, what it held last does. */
  #hasSwapped({ phase, path }: MapCopyRecord, { copy_new: fresh }: CopyAsides, mapId: number | undefined) {
    if (phase !== 'swapping' || fresh === undefined) return false;
    if (mapId !== undefined) return mapId === fresh.objectId;
    const [last] = this.#parts.environment.store.pins.history(fresh.mount, path, 1);
    return last?.objectId === fresh.objectId && last.fingerprint === fresh.fingerprint;
  }

  /** A third thing is there. What is held of the old map stays: it may be the last that holds it. */
  #refuseOther({ path }: CopyWish, { copy_old: old }: CopyAsides, mapId: number | undefined): void {
    if (old === undefined) return;
    const detail =
      `${quote(path)} no longer holds map ${old.objectId}, which was being copied and is held aside, ` +
      `but ${mapId === undefined ? 'something else' : `map ${mapId}`}.`;
    throw new PinfoldError('conflict', { detail, id: old.objectId });
  }

  async #pinAgain({ path, attributes, context }: CopyWish, { kind, objectId: id, fingerprint }: AsidePin) {
    const source = { kind, id, expect: { fingerprint } };
    await this.#changes.pin(path, undefined, { source, ...attributes, parents: true }, context);
  }

  async #copyAndSwap(wish: CopyWish, from: ObjectIdentity): Promise<void> {
    const { environment } = this.#parts;
    this.#begin(wish, from);
    environment.onStep('copy.begun');
    const copied: Copied = new Map();
    try {
      using held = new HeldMaps(this.#parts, this.#asidesOf(wish));
      await this.#fill(held, copied);
      environment.onStep('copy.filled');
      this.#record(wish, 'swapping');
      await this.#swap(wish, held, copied);
      this.#copied.set(keyOf(wish), copied);
    } catch (error) {
      if (this.#recordOf(wish)?.phase === 'filling') this.#forget(wish);
      throw error;
    }
  }

  #begin(wish: CopyWish, from: ObjectIdentity): void {
    const { environment, asides, holds } = this.#parts;
    const { pinset, path } = wish;
    this.#record(wish, 'filling');
    try {
      const old = asides.hold({ pinset, path, role: 'copy_old' }, from);
      const held = environment.kernel.objects.holdById('map', old.objectId);
      using _listed = holds.add(held);
      makeMaps(this.#parts, { pinset, path }, { spec: wish.spec, old: held });
    } catch (error) {
      this.#forget(wish);
      throw error;
    }
  }

  /** Passes until there is little left to do, while writers go on. */
  async #fill({ maps }: HeldMaps, copied: Copied): Promise<void> {
    for (let passes = 0; passes < 8; passes++) {
      const pass = new CopyPass(maps, copied);
      await this.#slowly(pass, false);
      if (pass.changes < 256) return;
    }
  }

  async #slowly(pass: CopyPass, isShared: boolean): Promise<void> {
    const slices = new Slices(this.#parts.environment.clock);
    for (const _turn of pass.run(isShared)) await slices.pause();
  }

  /** Puts the new map in the place of the old one, between the two looks. */
  async #swap(wish: CopyWish, { maps }: HeldMaps, copied: Copied): Promise<void> {
    const { onStep, kernel } = this.#parts.environment;
    const isAtOnce = copied.size <= limits.copyAtOnceEntries;
    const { old, fresh, shape } = maps;
    const heard = { ids: [old.id, fresh.id], keySize: shape.keySize, exceptFd: fresh.fd.number };
    using written = kernel.openWrittenKeys(heard);
    const first = new CopyPass(maps, copied);
    const second = new CopyPass(maps, copied, written);
    let failure: { readonly error: unknown } | undefined;
    const before = (): void => {
      if (isAtOnce) {
        onStep('copy.comparing');
        first.runAtOnce(false);
      }
      onStep('copy.compared');
    };
    const after = (): void => {
      try {
        onStep('copy.exchanged');
        if (isAtOnce) second.runAtOnce(true);
      } catch (error) {
        failure = { error };
      }
    };
    if (!isAtOnce) await this.#slowly(first, false);
    this.#exchange(wish, maps, { before, after });
    onStep('copy.swapped');
    this.#record(wish, 'draining');
    if (failure !== undefined) throw failure.error;
    if (!isAtOnce) await this.#slowly(second, true);
    const { copy_old: aside } = this.#asidesOf(wish);
    if (written && aside) await this.#settle(aside, { maps, copied, written });
    onStep('copy.passed');
  }

  /** Passes for as long as writes are heard, until who opened the old map before the exchange is done. */
  async #settle(old: AsidePin, { maps, copied, written }: Heard): Promise<void> {
    const { clock } = this.#parts.environment;
    const end = clock.monotonicMs() + limits.copyHeardMs;
    for (let isLast = false; !isLast; ) {
      isLast = this.#isUnused(old) || clock.monotonicMs() >= end;
      await this.#slowly(new CopyPass(maps, copied, written), true);
      if (!isLast) await setTimeout(limits.copyHeardEveryMs);
    }
  }

  #exchange({ path, attributes, context }: CopyWish, maps: CopyMaps, around: AroundExchange): void {
    const { id, fingerprint } = maps.fresh;
    const seen = lookAtPath(this.#parts.environment, path);
    if (seen.is !== 'pin' || seen.pin.identity.id !== maps.old.id) throw mismatch(path);
    const source: PinRequest['source'] = { kind: 'map', id, expect: { fingerprint } };
    const asked = { mount: undefined, context: { ...context, ifMatch: seen.pin.etag }, around };
    this.#changes.askNow(pinRequest(path, { source, ...attributes, replace: true }, asked));
  }

  async #drain(wish: CopyWish): Promise<CopyProgress> {
    const { environment } = this.#parts;
    const asides = this.#asidesOf(wish);
    const { copy_old: old, copy_base: base, copy_new: fresh } = asides;
    if (old === undefined || base === undefined || fresh === undefined) {
      this.#finish(wish);
      return { is: 'done', map: fresh && identityOf(fresh) };
    }
    const map = identityOf(fresh);
    using held = new HeldMaps(this.#parts, asides);
    const copied = this.#copied.get(keyOf(wish)) ?? this.#recall(held);
    this.#copied.set(keyOf(wish), copied);
    const isUnused = this.#isUnused(old);
    const pass = new CopyPass(held.maps, copied);
    await this.#slowly(pass, true);
    environment.onStep('copy.passed');
    // Nobody can have come since: who would open it has no name to open it by.
    if (!isUnused) return { is: 'draining', oldId: old.objectId, changes: pass.changes, map };
    held[Symbol.dispose]();
    this.#finish(wish);
    return { is: 'done', map };
  }

  #recall({ maps: { base } }: HeldMaps): Copied {
    if (base.info.kind !== 'map') throw new TypeError('a copy is of maps');
    return CopyPass.readCopied(base, shapeOf(base.info, this.#parts.environment.kernel.facts.cpus.possible));
  }

  /** Whether the kernel counts no reference on the old map but those of pins aside. @throws PinfoldError */
  #isUnused(old: AsidePin): boolean {
    const { environment, asides } = this.#parts;
    const { counters } = environment.kernel;
    const why = counters.unavailable('map');
    if (why !== undefined) {
      const detail = `Who uses map ${old.objectId} cannot be counted: ${why}.`;
      throw new PinfoldError('not_supported', { detail });
    }
    const ours = asides
      .list()
      .filter(({ kind, objectId }) => kind === 'map' && objectId === old.objectId).length;
    const counted = counters.readOne('map', old.objectId);
    return counted === undefined || counted.refcnt <= BigInt(ours);
  }

  /** All of the old map's entries are in the new one: what was held for the copy is let go. */
  #finish(wish: CopyWish): void {
    const { environment, asides } = this.#parts;
    const { copy_base: base, copy_old: old, copy_new: fresh } = this.#asidesOf(wish);
    if (base !== undefined) asides.letGo(base, ofNoUse);
    environment.onStep('copy.let_go');
    const former = this.#pinsOf(wish).filter(({ role }) => role === 'protect');
    for (const pin of former) asides.letGo(pin, ofNoUse);
    if (old !== undefined) asides.letGo(old, ofNoUse);
    if (fresh !== undefined) {
      if (wish.isProtected) environment.store.pinsets.putAside({ ...fresh, role: 'protect' });
      else asides.letGo(fresh, nothingAccepted);
    }
    environment.store.pinsets.removeCopy(wish.pinset, wish.path);
    this.#copied.delete(keyOf(wish));
  }

  /** The name holds the old map: what was made for the copy goes. */
  #forget(wish: Pick<CopyWish, 'pinset' | 'path'>): void {
    const { environment, asides } = this.#parts;
    const { copy_base: base, copy_new: fresh, copy_old: old } = this.#asidesOf(wish);
    if (base !== undefined) asides.letGo(base, ofNoUse);
    if (fresh !== undefined) asides.letGo(fresh, ofNoUse);
    if (old !== undefined) asides.letGo(old, nothingAccepted);
    environment.store.pinsets.removeCopy(wish.pinset, wish.path);
    this.#copied.delete(keyOf(wish));
  }

  #record({ pinset, path }: CopyWish, phase: MapCopyRecord['phase']): void {
    const { store, kernel } = this.#parts.environment;
    store.pinsets.putCopy({ pinset, path, bootId: kernel.facts.bootId, phase });
  }

  #recordOf({ pinset, path }: Pick<CopyWish, 'pinset' | 'path'>): MapCopyRecord | undefined {
    return this.list().find((record) => record.pinset === pinset && record.path === path);
  }

  #pinsOf({ pinset, path }: Pick<CopyWish, 'pinset' | 'path'>): readonly AsidePin[] {
    return this.#parts.asides.list().filter((pin) => pin.pinset === pinset && pin.path === path);
  }

  #asidesOf(wish: Pick<CopyWish, 'pinset' | 'path'>): CopyAsides {
    return Object.fromEntries(this.#pinsOf(wish).map((pin) => [pin.role, pin]));
  }
}

function identityOf({ kind, objectId: id, fingerprint }: AsidePin): ObjectIdentity {
  return { kind, id, fingerprint };
}

function keyOf({ pinset, path }: Pick<CopyWish, 'pinset' | 'path'>): string {
  return `${pinset}\0${path}`;
}
