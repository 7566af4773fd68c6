import type { BpffsMount, Kernel } from '../../kernel/kernel.ts';
import type { Store } from '../../model/store.ts';

/** An entry of a staging directory that no open operation speaks of. It is reported, never removed. */
export interface Leftover {
  readonly mount: string;
  /** Its name in the staging directory; byte string. */
  readonly entry: string;
  /**
   * The operation of this agent that left it, as its journal still knows it; undefined for another agent's.
   */
  readonly operationId: string | undefined;
}

/**
 * Lists what is left in the staging directories of these instances. After recovery that is what could not be
 * named again (quarantine), or another agent's. @throws PinfoldError mount_unavailable, staging_unsafe
 */
export function listLeftovers(
  kernel: Kernel,
  store: Store,
  mounts: readonly BpffsMount[],
): readonly Leftover[] {
  return mounts.flatMap((mount) => leftoversIn(kernel, store, mount));
}

function leftoversIn(kernel: Kernel, store: Store, mount: BpffsMount): readonly Leftover[] {
  using root = kernel.bpffs.openRoot(mount);
  using staging = kernel.bpffs.openStaging(root, false);
  if (staging === undefined) return [];
  const open = new Set(store.journal.listOpen().map(({ operationId }) => operationId));
  const aside = new Set(store.pinsets.listAside().map(({ slot }) => slot));
  return kernel.bpffs.readDirectory(staging).flatMap(({ name: entry }) => {
    if (aside.has(entry)) return [];
    const operationId = operationOf(entry);
    if (operationId !== undefined && open.has(operationId)) return [];
    const isOurs = operationId !== undefined && store.journal.find(operationId) !== undefined;
    return [{ mount: mount.id, entry, operationId: isOurs ? operationId : undefined }];
  });
}

/** The operation in an entry's name: `<agent uuid>-<operation>`, and `-<n>` for its further slots. */
function operationOf(entry: string): string | undefined {
  return /^[0-9a-f-]{36}-([0-9A-Z]{26})(-\d+)?$/.exec(entry)?.[1];
}
