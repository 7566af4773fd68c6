import { textOf } from '../path.ts';

/** One claim on a pin. */
export interface ClaimRef {
  /** Byte string, see `owner.ts`. */
  readonly owner: string;
  /** The operation that made the claim: the owner's next claim after a release is another. */
  readonly claim: string;
}

/** Where a pin is: `major:minor` of its instance, and its path as a byte string. */
export interface ClaimedPlace {
  readonly mount: string;
  readonly path: string;
}

/**
 * Who claims what, as of now. Asking costs two look-ups in memory; the answer holds until the event loop
 * goes on, because claims and pins are changed on one thread.
 */
export interface ClaimedPins {
  /**
   * The claims on a path, none where nobody needs it, by owner in byte order. A claim whose lease is over
   * counts until its expiry has been recorded.
   */
  claimsOf(place: ClaimedPlace): readonly ClaimRef[];
}

/** Who claims a path, as documents of pins say it: text, in which bytes that are none are lost. */
export function ownersOf(claims: ClaimedPins, place: ClaimedPlace): readonly string[] {
  return claims.claimsOf(place).map(({ owner }) => textOf(owner));
}
