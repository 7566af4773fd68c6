import type { ClaimedPins, ClaimedPlace, ClaimRef } from '../../model/claim/claimed-pins.ts';

/** The paths of a claim, in one instance. */
export interface IndexedClaim extends ClaimRef {
  /** `major:minor`; null means the primary instance, whichever that is at the moment. */
  readonly mount: string | null;
  readonly paths: readonly string[];
}

/** Finds the claims on a path. */
export class ClaimIndex implements ClaimedPins {
  readonly #primaryMount: () => string | undefined;
  readonly #claims = new Map<string | null, Map<string, readonly ClaimRef[]>>();

  /** `primaryMount` tells which instance requests mean that name none; undefined where none is mounted. */
  constructor(primaryMount: () => string | undefined) {
    this.#primaryMount = primaryMount;
  }

  claimsOf({ mount, path }: ClaimedPlace): readonly ClaimRef[] {
    if (this.#claims.size === 0) return [];
    const there = this.#claims.get(mount)?.get(path) ?? [];
    const inPrimary = this.#claims.get(null)?.get(path);
    if (inPrimary === undefined || this.#primaryMount() !== mount) return there;
    return there.length === 0 ? inPrimary : [...there, ...inPrimary].sort(byOwner);
  }

  /** How many different paths are claimed. */
  get size(): number {
    return [...this.#claims.values()].reduce((sum, paths) => sum + paths.size, 0);
  }

  add({ owner, claim, mount, paths }: IndexedClaim): void {
    const there = this.#claims.get(mount) ?? new Map<string, readonly ClaimRef[]>();
    for (const path of paths) there.set(path, inserted(there.get(path) ?? [], { owner, claim }));
    if (there.size > 0) this.#claims.set(mount, there);
  }

  remove({ owner, mount, paths }: IndexedClaim): void {
    const there = this.#claims.get(mount);
    if (there === undefined) return;
    for (const path of paths) {
      const left = (there.get(path) ?? []).filter((claim) => claim.owner !== owner);
      if (left.length === 0) there.delete(path);
      else there.set(path, left);
    }
    if (there.size === 0) this.#claims.delete(mount);
  }
}

/** With one more in its place: a path may have thousands of claims. */
function inserted(claims: readonly ClaimRef[], claim: ClaimRef): readonly ClaimRef[] {
  let low = 0;
  let high = claims.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((claims[middle]?.owner ?? '') < claim.owner) low = middle + 1;
    else high = middle;
  }
  return [...claims.slice(0, low), claim, ...claims.slice(low)];
}

function byOwner(one: ClaimRef, other: ClaimRef): number {
  if (one.owner === other.owner) return 0;
  return one.owner < other.owner ? -1 : 1;
}
