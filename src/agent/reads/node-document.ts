import type { Kernel } from '../../kernel/kernel.ts';
import { objectKinds } from '../../model/kind.ts';
import type { NodeDocument } from '../../model/schema/node.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { KnownMounts } from '../observer/known-mounts.ts';

/** What was said of the node when the agent was started. */
export interface NodeOptions {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  readonly isReadOnly: boolean;
  readonly isPinsOnly: boolean;
}

/** What the node's document is made from. */
export interface NodeParts {
  readonly options: NodeOptions;
  readonly kernel: Kernel;
  readonly inventory: Inventory;
  readonly known: KnownMounts;
  readonly startedAt: Date;
}

/** The node, as of the last observation. */
export function nodeDocument(
  { options, kernel, inventory, known, startedAt }: NodeParts,
  observedAt: Date,
): NodeDocument {
  const { bootId, release, machine, features, seesAllProcesses, cpus } = kernel.facts;
  const mounts = known.documents();
  return {
    name: options.name,
    labels: { ...options.labels },
    version: options.version,
    boot_id: bootId,
    kernel: { release, machine },
    features: [...features],
    sees_all_processes: seesAllProcesses,
    read_only: options.isReadOnly,
    pins_only: options.isPinsOnly,
    cpus,
    mounts: {
      total: mounts.length,
      shadowed: mounts.filter(({ shadowed }) => shadowed).length,
      unreachable: mounts.filter(({ reachable }) => !reachable).length,
    },
    pins: [...inventory.mounts()].reduce((sum, names) => sum + names.pinPaths.items().length, 0),
    objects: Object.fromEntries(objectKinds.map((kind) => [kind, inventory.objects.count(kind)])),
    started_at: startedAt.toISOString(),
    observed_at: observedAt.toISOString(),
  };
}
