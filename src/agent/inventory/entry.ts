import type { InodeFacts } from '../../kernel/kernel.ts';
import type { PinState } from '../operation/sink.ts';

/** A pin as the inventory keeps it: what was read, and since when it has been known. */
export interface PinEntry extends PinState {
  readonly firstSeen: string;
}

/**
 * What one name of a bpffs is. `other` is a name that holds something nobody may look at: opening it was
 * refused, so that not even its kind is known.
 */
export type NamedEntry =
  | { readonly entry: 'pin'; readonly pin: PinEntry }
  | { readonly entry: 'directory' | 'other'; readonly facts: InodeFacts }
  | { readonly entry: 'symlink'; readonly facts: InodeFacts; readonly target: string };

/** The inode behind a name, as stat(2) showed it last. */
export function factsOf(entry: NamedEntry): InodeFacts {
  return entry.entry === 'pin' ? entry.pin.inode : entry.facts;
}

/**
 * The same inode: inode numbers come from one counter of the whole kernel, and mtime tells a wrapped one
 * apart.
 */
export function isSameInode(one: InodeFacts, other: InodeFacts): boolean {
  return one.inode === other.inode && one.mtimeNs === other.mtimeNs;
}

/** Which inode of one instance, as a key. */
export function inodeKey(facts: Pick<InodeFacts, 'inode' | 'mtimeNs'>): string {
  return `${facts.inode}@${facts.mtimeNs}`;
}

/**
 * Tells whether what a caller may change of a pin's inode differs. Hard links and times alone are no change
 * of the pin.
 */
export function hasOtherAttributes(one: InodeFacts, other: InodeFacts): boolean {
  return one.mode !== other.mode || one.uid !== other.uid || one.gid !== other.gid;
}

/** Tells whether stat(2) shows anything else than it did. */
export function hasOtherFacts(one: InodeFacts, other: InodeFacts): boolean {
  return hasOtherAttributes(one, other) || one.links !== other.links || one.ctimeNs !== other.ctimeNs;
}
