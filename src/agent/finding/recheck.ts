import type { Kernel } from '../../kernel/kernel.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Pace } from '../observer/pace.ts';

/**
 * Whether a link has lost what it was attached to and the inventory does not know: no event, no id and often
 * no counter tells of it. On a kernel that cannot tell it may always be so. Opens no link.
 */
export function hasLostTarget({ lostTargets }: Kernel, { objects }: Inventory): boolean {
  if (lostTargets.unavailable !== undefined) return true;
  return lostTargets.readAll().some((id) => {
    const info = objects.find('link', id)?.info;
    return info?.kind === 'link' && info.is_attached === true;
  });
}

/**
 * Describes every link anew: when its target goes, a link changes without any event, any id or any counter.
 *
 * Answers whether one is not what the inventory says, so that it must be observed anew.
 */
export async function hasLinkChanged(kernel: Kernel, inventory: Inventory, pace: Pace): Promise<boolean> {
  for (const { id, fingerprint } of [...inventory.objects.entries('link')]) {
    const described = kernel.objects.describe('link', id);
    if (described !== undefined && described.fingerprint !== fingerprint) return true;
    await pace.restIfOver();
  }
  return false;
}
