import type { PinnableKind } from '../../kind.ts';
import type { PinSet } from '../../schema/pinset.ts';

/**
 * What a node has applied of a pin set. It is written before anything is changed, and from then on it is what
 * the node keeps to. The mark of one that it has let go of stays, so that no older generation comes back.
 */
export interface AppliedPinSet {
  readonly name: string;
  readonly generation: number;
  readonly spec: PinSet;
  /** wanted: kept up · letting_go: what it holds and may prune goes · gone: only this mark is left. */
  readonly state: 'wanted' | 'letting_go' | 'gone';
  readonly appliedAt: string;
}

/** Which pin it was that was made; never another inode of the same path. */
export interface MadeIdentity {
  readonly instance: string;
  readonly inode: number;
  readonly pinnedAt: string;
  readonly kind: PinnableKind;
  readonly id: number;
  readonly fingerprint: string;
  /** Of the set, that the map was made anew for; it does not tell pins apart. */
  readonly generation?: number;
}

/** A pin that a set made. */
export interface MadePin {
  readonly name: string;
  /** Byte string, see PinPath. */
  readonly path: string;
  /** Undefined from before it is made until it is known to be: history then tells whether it was. */
  readonly identity: MadeIdentity | undefined;
}

/** Why a second pin is kept in the staging directory. */
export type AsideRole = 'protect' | 'copy_old' | 'copy_new' | 'copy_base';

/** A pin in the staging directory that keeps an object of a set alive. Written before it is made. */
export interface AsidePin {
  /** Its name in the staging directory. */
  readonly slot: string;
  readonly pinset: string;
  /** Byte string: the name that it stands beside. */
  readonly path: string;
  readonly role: AsideRole;
  readonly bootId: string;
  readonly instance: string;
  readonly mount: string;
  readonly kind: PinnableKind;
  readonly objectId: number;
  readonly fingerprint: string;
}

/** How far the copy of a map has come. */
export interface MapCopyRecord {
  readonly pinset: string;
  /** Byte string. */
  readonly path: string;
  readonly bootId: string;
  /** filling: the name holds the old map · swapping: perhaps either · draining: it holds the new one. */
  readonly phase: 'filling' | 'swapping' | 'draining';
}

/** What a node knows of pin sets by itself; it goes on by this when the fleet's store is away. */
export interface PinSetRecords {
  /** All that were ever applied, marks too, in order of their names. */
  list(): readonly AppliedPinSet[];
  find(name: string): AppliedPinSet | undefined;
  /** Inserts or replaces; never by an older generation. Answers whether it did. */
  put(applied: AppliedPinSet): boolean;
  listMade(name: string): readonly MadePin[];
  putMade(made: MadePin): void;
  removeMade(name: string, path: string): void;
  listAside(): readonly AsidePin[];
  putAside(pin: AsidePin): void;
  removeAside(slot: string): void;
  listCopies(): readonly MapCopyRecord[];
  putCopy(copy: MapCopyRecord): void;
  removeCopy(pinset: string, path: string): void;
  /** Removes what was made and held under other kernels, whose pins went with them. */
  forgetOtherBoots(bootId: string): void;
}
