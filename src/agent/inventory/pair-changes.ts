import type { PinChange, PinState } from '../operation/sink.ts';
import { hasOtherAttributes, inodeKey, isSameInode, type PinEntry } from './entry.ts';
import { compareBytes } from './sorted-list.ts';

/**
 * What looking at the names of one instance came to: names that no longer are what they were, and what is
 * there now.
 */
export interface NameFindings {
  readonly lost: readonly PinEntry[];
  readonly found: readonly PinState[];
}

/** One change, and the name that a rename over another pin left; that name has no event of its own. */
export interface SettledChange {
  readonly change: PinChange;
  readonly vacated?: PinEntry;
}

/** A pin that is what it was. */
export interface KeptPin {
  readonly before: PinEntry;
  readonly after: PinState;
}

/** What the findings mean. `kept` are pins that are the same as before, though perhaps with fresher facts. */
export interface PairedFindings {
  readonly changes: readonly SettledChange[];
  readonly kept: readonly KeptPin[];
}

/**
 * Finds the fewest changes that explain the findings, one for each thing somebody did:
 *
 * - an inode that left one name and appeared at another was *renamed*; where that name held an inode that
 *   is now nowhere,   the name was *replaced*, and what it was renamed from is told with it;
 * - a name that holds another inode, while its old one is nowhere, was *replaced*;
 * - a new name of an inode that kept its others is a hard link, and *created*, like the name of a new inode;
 * - two pins exchanged are two renames.
 *
 * Pure; the order of the answer is the byte order of the names.
 */
export function pairChanges(findings: NameFindings): PairedFindings {
  const lost = new Map(findings.lost.map((pin) => [pin.path, pin]));
  const { kept, changes, arrived } = settleUnmoved(lost, findings.found);
  const origins = pairMoves(lost, arrived);
  const departed = new Set(origins.values());
  for (const after of arrived) {
    const origin = origins.get(after);
    const before = lost.get(after.path);
    if (before !== undefined && !departed.has(before)) {
      lost.delete(after.path);
      changes.push({
        change: { type: 'replaced', before, after },
        ...(origin === undefined ? {} : { vacated: origin }),
      });
    } else if (origin !== undefined) changes.push({ change: { type: 'renamed', before: origin, after } });
    else changes.push({ change: { type: 'created', after } });
  }
  for (const before of lost.values()) {
    if (!departed.has(before)) changes.push({ change: { type: 'removed', before } });
  }
  return {
    kept,
    changes: changes.sort((one, other) => compareBytes(pathOf(one.change), pathOf(other.change))),
  };
}

/** Takes out of `lost` the names that still hold the same inode. */
function settleUnmoved(lost: Map<string, PinEntry>, found: readonly PinState[]) {
  const kept: KeptPin[] = [];
  const changes: SettledChange[] = [];
  const arrived: PinState[] = [];
  for (const after of found) {
    const before = lost.get(after.path);
    if (before === undefined || !isSameInode(before.inode, after.inode)) {
      arrived.push(after);
      continue;
    }
    lost.delete(after.path);
    if (hasOtherAttributes(before.inode, after.inode))
      changes.push({ change: { type: 'changed', before, after } });
    else kept.push({ before, after });
  }
  return { kept, changes, arrived };
}

/** Where each arrival came from, for those whose inode left another name; names are paired in byte order. */
function pairMoves(
  lost: ReadonlyMap<string, PinEntry>,
  arrived: readonly PinState[],
): ReadonlyMap<PinState, PinEntry> {
  const leavers = new Map<string, PinEntry[]>();
  for (const pin of [...lost.values()].sort(byPath)) {
    const key = inodeKey(pin.inode);
    leavers.set(key, [...(leavers.get(key) ?? []), pin]);
  }
  const origins = new Map<PinState, PinEntry>();
  for (const pin of [...arrived].sort(byPath)) {
    const origin = leavers.get(inodeKey(pin.inode))?.shift();
    if (origin !== undefined) origins.set(pin, origin);
  }
  return origins;
}

/** The name a change is about: where the pin is now, or was. */
export function pathOf(change: PinChange): string {
  return change.type === 'removed' ? change.before.path : change.after.path;
}

function byPath(one: PinState, other: PinState): number {
  return compareBytes(one.path, other.path);
}
