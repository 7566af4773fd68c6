import type { PinPath } from '../../model/path.ts';
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
 * - an inode that left one name and appeared at another was *renamed*; where that name held an inode that is
 *   now nowhere, the name was *replaced*, and what it was renamed from is told with it;
 * - a name that holds another inode, while its old one is nowhere, was *replaced*;
 * - a new name of an inode that kept its others is a hard link, and *created*, like the name of a new inode;
 * - two pins exchanged are two replacements, so that each event can be applied by itself.
 *
 * Pure. The answer is in byte order of the names, but a name is left before another pin takes it: whoever
 * applies the changes one after the other to what was gets what is.
 */
export function pairChanges(findings: NameFindings): PairedFindings {
  const lost = new Map(findings.lost.map((pin) => [pin.path, pin]));
  const { kept, changes, arrived } = settleUnmoved(lost, findings.found);
  const origins = pairMoves(lost, arrived);
  const ordered = inOrder(arrived, origins);
  const departed = new Set(origins.values());
  for (const after of ordered) {
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
  return { kept, changes };
}

/**
 * The arrivals in byte order, each after the one that left its name. Where they go round in a circle there is
 * no such order: those are taken out of `origins`, and so are no moves.
 */
function inOrder(arrived: readonly PinState[], origins: Map<PinState, PinEntry>): readonly PinState[] {
  const leaverOf = new Map([...origins].map(([pin, origin]) => [origin.path, pin]));
  for (const circle of circlesIn(arrived, leaverOf)) {
    for (const pin of circle) origins.delete(pin);
    for (const pin of circle) leaverOf.delete(pin.path);
  }
  const ordered = new Set<PinState>();
  for (const pin of [...arrived].sort(byPath)) {
    const chain: PinState[] = [];
    for (
      let at: PinState | undefined = pin;
      at !== undefined && !ordered.has(at);
      at = leaverOf.get(at.path)
    ) {
      chain.push(at);
    }
    for (const one of chain.reverse()) ordered.add(one);
  }
  return [...ordered];
}

/** Arrivals of which each waits for the next to leave its name, and the last for the first. */
function circlesIn(
  arrived: readonly PinState[],
  leaverOf: ReadonlyMap<PinPath, PinState>,
): readonly (readonly PinState[])[] {
  const circles: (readonly PinState[])[] = [];
  const visited = new Set<PinState>();
  for (const pin of arrived) {
    const chain = new Set<PinState>();
    let at: PinState | undefined = pin;
    while (at !== undefined && !visited.has(at)) {
      visited.add(at);
      chain.add(at);
      at = leaverOf.get(at.path);
    }
    if (at !== undefined && chain.has(at)) circles.push([...chain].slice([...chain].indexOf(at)));
  }
  return circles;
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
): Map<PinState, PinEntry> {
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

function byPath(one: PinState, other: PinState): number {
  return compareBytes(one.path, other.path);
}
