import type { Kernel } from '../../kernel/kernel.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Pace } from '../observer/pace.ts';

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
