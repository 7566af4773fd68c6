import { type MapFd, nextKey } from '../../kernel/entries/elements.ts';
import type { MapShape } from '../../kernel/entries/map-shape.ts';

/**
 * Whether a key that a lookup found is really in the map.
 *
 * A trie answers with the longest prefix that matches (trie_lookup_elem in kernel/bpf/lpm_trie.c). What
 * follows a key that is not there is the first key, which never follows one that is.
 */
export function hasExactKey(map: MapFd, { info, keySize }: MapShape, key: Buffer): boolean {
  if (info.type !== 'lpm_trie') return true;
  const first = Buffer.alloc(keySize);
  const following = Buffer.alloc(keySize);
  if (!nextKey(map, undefined, first)) return false;
  return !nextKey(map, key, following) || !following.equals(first);
}
