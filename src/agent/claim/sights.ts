import type { Clock } from '../../model/clock.ts';
import { isPinfoldError } from '../../model/error.ts';
import type { PinPath } from '../../model/path.ts';
import type { MountChoice, Reads } from '../agent.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { Pace } from '../observer/pace.ts';
import type { Sight } from './documents.ts';

/** What says that a path holds no pin now, though it may hold one later. */
const absentCodes = ['pin_not_found', 'parent_not_found'] as const;

/** A sight, with the error where the path could not be read. */
export interface Seen {
  readonly sight: Sight;
  readonly error?: unknown;
}

/** Reads what is at paths from the kernel, in slices. What cannot be read is told, not thrown. */
export async function readSights(
  { reads, clock }: { readonly reads: Pick<Reads, 'pin'>; readonly clock: Clock },
  paths: readonly PinPath[],
  mount: MountChoice,
): Promise<readonly Seen[]> {
  const pace = new Pace(clock);
  const seen: Seen[] = [];
  for (const path of paths) {
    seen.push(readSight(reads, path, mount));
    await pace.restIfOver();
  }
  return seen;
}

function readSight(reads: Pick<Reads, 'pin'>, path: PinPath, mount: MountChoice): Seen {
  try {
    const { kind, id, type, name, fingerprint, unreadable } = reads.pin(path, mount).value;
    if (id === undefined || type === undefined || name === undefined || fingerprint === undefined)
      return { sight: { unknown: unreadable ?? 'the kernel does not tell' } };
    return { sight: { kind, id, type, name, fingerprint } };
  } catch (error) {
    if (!isPinfoldError(error)) throw error;
    if (absentCodes.some((code) => code === error.code)) return { sight: null };
    return { sight: { unknown: error.message }, error };
  }
}

/** What was at paths when the node was observed last. */
export function recallSights(
  inventory: Inventory,
  paths: readonly PinPath[],
  mount: string | null,
): readonly Sight[] {
  const names = mount === null ? undefined : inventory.findMount(mount);
  if (names === undefined) return paths.map(() => ({ unknown: 'the instance is not mounted' }));
  return paths.map((path) => names.findPin(path)?.object ?? null);
}
