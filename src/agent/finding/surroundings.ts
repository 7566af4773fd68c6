import { readFileSync } from 'node:fs';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Pace } from '../observer/pace.ts';

/** What may die around links without any BPF object changing. */
export interface Surroundings {
  /** Control groups of this machine. */
  readonly cgroups: number;
  /** Differs when a network device of this namespace, or the control group of a link, came or went. */
  readonly mark: string;
}

/**
 * Looks at what links are attached to, and opens none of them. Devices of other network namespaces, and such
 * namespaces themselves, are not seen.
 */
export async function readSurroundings(
  { cgroups }: Kernel,
  { objects }: Inventory,
  pace: Pace,
): Promise<Surroundings> {
  const alive: string[] = [];
  for (const { id, info } of [...objects.entries('link')]) {
    if (info.kind !== 'link' || info.cgroup_id === undefined || info.cgroup_id === '0') continue;
    if (cgroups.pathOf(BigInt(info.cgroup_id)) !== undefined) alive.push(`${id}/${info.cgroup_id}`);
    await pace.restIfOver();
  }
  return { cgroups: cgroups.count(), mark: [...deviceNames(), ...alive].join(' ') };
}

/** Network devices of this namespace; none where there is no network. */
function deviceNames(): readonly string[] {
  try {
    const lines = readFileSync('/proc/net/dev', 'latin1').split('\n');
    return lines.flatMap((line) => /^\s*(\S+):/.exec(line)?.[1] ?? []);
  } catch {
    return [];
  }
}
