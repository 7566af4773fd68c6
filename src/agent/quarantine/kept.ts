import { isPinfoldError } from '../../model/error.ts';
import type { Item } from '../journal/plan.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import { pinnedObjectOf } from '../operation/holds.ts';
import type { PinState, QuarantineChange } from '../operation/sink.ts';
import { factsOf, type Site } from '../operation/site.ts';

/**
 * What an operation has left in its slots, because its name was taken meanwhile or nothing else holds it: it
 * is in quarantine from then on, until somebody decides.
 */
export function keptIn(
  environment: OperationEnvironment,
  site: Site,
  items: readonly Item[],
): readonly QuarantineChange[] {
  return items.flatMap((item) => {
    if (!('slot' in item) || item.kind === 'restore' || item.kind === 'discard') return [];
    const pin = pinIn(site, item);
    return pin === undefined ? [] : [{ type: 'kept' as const, pin, ...noteFor(environment, item.slot) }];
  });
}

/** A slot that cannot be read stays what it is: an entry that `pinfold doctor` reports. */
function pinIn(site: Site, { slot, path }: Extract<Item, { readonly slot: string }>): PinState | undefined {
  try {
    using open = site.findSlot(slot);
    if (open === undefined) return undefined;
    using held = site.kernel.objects.holdPinned(open.fd);
    const { mount, instance, sink } = site;
    const inode = factsOf(open);
    const annotations = sink.annotationsOf({ instance, inode: inode.inode, mtimeNs: String(inode.mtimeNs) });
    return { mount, instance, path, inode, object: pinnedObjectOf(held), annotations };
  } catch (error) {
    if (isPinfoldError(error)) return undefined;
    throw error;
  }
}

function noteFor({ agentUuid, clock }: OperationEnvironment, slot: string) {
  const note = {
    id: slot.slice(agentUuid.length + 1),
    rule: null,
    why: 'A change was undone, and this could not get its name back, or nothing else holds its object.',
    run: null,
    minAgeMs: 0,
    quarantinedAt: clock.now().toISOString(),
    dueBoottimeMs: null,
  };
  return { slot, note };
}
