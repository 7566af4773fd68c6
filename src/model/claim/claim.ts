import type { PinnableKind } from '../kind.ts';
import type { PinPath } from '../path.ts';
import type { Lease } from './lease.ts';
import type { ClaimOwner } from './owner.ts';

/** The object that was at a path when it was claimed, or first seen there by the owner's next renewal. */
export interface ClaimedObject {
  readonly kind: PinnableKind;
  readonly id: number;
  readonly type: string;
  readonly name: string;
  readonly fingerprint: string;
}

/** One path of a claim. */
export interface ClaimedPath {
  readonly path: PinPath;
  /** Null where nothing was there yet. */
  readonly object: ClaimedObject | null;
}

/** An owner's declared interest in pins, as it is stored. One owner has one claim at most. */
export interface Claim {
  readonly owner: ClaimOwner;
  /** The operation that made it; tells it from the owner's claims before and after. */
  readonly id: string;
  /** `major:minor` of the instance; null for the primary one, whichever that is. */
  readonly mount: string | null;
  /** The boot in which instance and objects were named; in another one neither means anything. */
  readonly bootId: string;
  /** By path, in byte order. */
  readonly pins: readonly ClaimedPath[];
  /** Null where it stands until it is released. */
  readonly lease: Lease | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly madeAt: string;
  /** When the owner asked for it last, for people. */
  readonly renewedAt: string;
  /** Who asked last, as history calls them. */
  readonly actor: string;
}

/** Whether a path holds what was claimed. Ids are used again, so the fingerprint is compared as well. */
export function isSameObject(one: ClaimedObject, other: ClaimedObject): boolean {
  return one.kind === other.kind && one.id === other.id && one.fingerprint === other.fingerprint;
}

/** Bytes of everything an owner has chosen: what the bound on all claims together counts. */
export function bytesOfClaim({ owner, pins, labels }: Claim): number {
  const paths = pins.reduce((sum, { path }) => sum + path.length, 0);
  return owner.length + paths + Buffer.byteLength(JSON.stringify(labels));
}
