import type { PinnableKind } from './kind.ts';
import { limits } from './limits.ts';

/** What can be lost by a change, in the words of `?accept=`. */
export const hazards = ['last_reference', 'prog_array_emptied', 'link_detached', 'claimed'] as const;

/** What a change would cost; refused unless the caller accepts it by name. */
export type Hazard = (typeof hazards)[number];

/**
 * The kernel's own counters of one object, as its iterator shows them, less that iterator's own reference.
 */
export interface Counters {
  /** Everything that keeps the object: `bpf_map.refcnt`, `bpf_prog_aux.refcnt`, `bpf_link.refcnt`. */
  readonly refcnt: bigint;
  /** Maps only: open files and pinned inodes (`bpf_map.usercnt`). */
  readonly usercnt?: bigint;
  /** Maps only: mappings that may write, and calls that are writing (`bpf_map.writecnt`, Linux 5.5). */
  readonly writecnt?: bigint;
}

/** An object about to lose references that names or we ourselves hold. */
export interface Loss {
  readonly kind: PinnableKind;
  readonly type: string;
  readonly counters: Counters;
  /** References held by descriptors of this process; they end with the operation and count for nothing. */
  readonly ours: number;
  /** References that go with the names being removed: one for each inode that loses its last name. */
  readonly going: number;
  /** Links only: false where the target is already gone, so that nothing can be detached. */
  readonly isAttached?: boolean;
}

/**
 * Decides from the kernel's counters alone what removing a pin would cost.
 *
 * A prog_array is emptied when its last *user* reference goes, though programs may still hold the map
 * (kernel/bpf/arraymap.c, prog_array_map_clear).
 */
export function hazardsOf(loss: Loss): readonly Hazard[] {
  if (loss.going === 0) return [];
  const gone = BigInt(loss.ours + loss.going);
  const found: Hazard[] = [];
  if (loss.counters.refcnt - gone <= 0n) found.push('last_reference');
  const { usercnt } = loss.counters;
  if (loss.type === 'prog_array' && usercnt !== undefined && usercnt - gone <= 0n)
    found.push('prog_array_emptied');
  if (loss.kind === 'link' && loss.counters.refcnt - gone <= 0n && loss.isAttached !== false)
    found.push('link_detached');
  return found;
}

/**
 * Whether all that stands between a loss and a hazard may be references of processes that have the object
 * open in passing: too few for each of them to be somebody who stays. No counter tells them apart; not even
 * `refcnt` over `usercnt`, since iterators hold maps that way (kernel/bpf/map_iter.c).
 */
export function isInDoubt(loss: Loss): boolean {
  const { refcnt, usercnt } = loss.counters;
  const deciding = loss.type === 'prog_array' && usercnt !== undefined ? [refcnt, usercnt] : [refcnt];
  return deciding.some((count) => {
    const left = count - BigInt(loss.ours + loss.going);
    // Of several that go the first may be asked about alone.
    return left <= BigInt(limits.passersByMax) && left + BigInt(loss.going) > 1n;
  });
}

/** What a sentence says of each hazard. */
export const hazardSentences: Readonly<Record<Hazard, string>> = {
  last_reference: 'nothing else holds the object: the kernel would free it',
  prog_array_emptied:
    'this is its last user reference: the kernel would clear its slots, and tail calls would end',
  link_detached: 'the pin alone keeps the link attached: its program would stop running',
  claimed: 'an owner has claimed the pin',
};
