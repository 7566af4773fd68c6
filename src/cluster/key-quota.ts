import { namesOfKey } from '../model/cluster/key.ts';
import { limits } from '../model/limits.ts';

/**
 * How many keys each node has below its name. A node may write there what it likes: what is more than
 * limits.clusterKeysOfNodeMax is not read, so that it takes room from nobody else. Its member and digest come
 * first in order.
 */
export class KeyQuota {
  readonly #counts = new Map<string, number>();
  readonly #onFull: (owner: string) => void;

  /** `onFull` is told of each node of which no more is read. */
  constructor(onFull: (owner: string) => void = () => undefined) {
    this.#onFull = onFull;
  }

  /** Counts a key that was not counted before; false where its node has too many already. */
  take(key: string): boolean {
    const owner = ownerOf(key);
    if (owner === undefined) return true;
    const count = this.#counts.get(owner) ?? 0;
    if (count >= limits.clusterKeysOfNodeMax) return false;
    this.#counts.set(owner, count + 1);
    if (count + 1 === limits.clusterKeysOfNodeMax) this.#onFull(owner);
    return true;
  }

  /** A key that was counted is there no more. */
  release(key: string): void {
    const owner = ownerOf(key);
    const count = owner === undefined ? undefined : this.#counts.get(owner);
    if (owner === undefined || count === undefined) return;
    if (count > 1) this.#counts.set(owner, count - 1);
    else this.#counts.delete(owner);
  }
}

/** Whose a key is, of those that a folder has many of for one name. */
function ownerOf(key: string): string | undefined {
  const names = namesOfKey(key) ?? [];
  return names.length > 2 ? `${names[0]}/${names[1]}` : undefined;
}
