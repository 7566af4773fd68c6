import type { Claim } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { urlOfOwner } from '../../model/claim/owner.ts';
import { durationText } from '../../model/duration.ts';
import { escapeName } from '../../model/escape.ts';
import { parseOwnerArgument } from '../owner-argument.ts';
import { ageColumn, shown, shownActor, shownLabels } from './cell.ts';
import { defineResource } from './resource.ts';

/** `get claims`: who needs which pins, and for how long. */
export const claimResource = defineResource<Claim>({
  singular: 'claim',
  plural: 'claims',
  filters: ['label', 'pin'],
  columns: [
    { title: 'OWNER', cell: ownerText },
    { title: 'PINS', align: 'right', cell: ({ pins }) => String(pins.length) },
    { title: 'STATE', cell: stateOf },
    { title: 'LEASE', cell: ({ lease }) => shown(lease ?? 'none') },
    { title: 'LEFT', isVolatile: true, cell: leftOf },
    ageColumn((claim) => claim.renewed_at, 'RENEWED'),
    { title: 'RENEWED BY', isWide: true, cell: (claim) => shownActor(claim.renewed_by) },
    { title: 'MOUNT', isWide: true, cell: (claim) => shown(claim.mount) },
    { title: 'LABELS', isWide: true, cell: (claim) => shownLabels(claim.labels) },
  ],
  list: (client, { label, pin }, itemsMax) => client.list('/v1/claims', { label, pin }, itemsMax),
  find: async ({ api }, name) => {
    const owner = urlOfOwner(parseOwnerArgument(name));
    return await readData(api.GET('/v1/claims/{owner}', { params: { path: { owner } } }));
  },
  nameOf: ownerText,
});

/** An owner, printable, and to be typed again. */
export function ownerText({ owner, owner_bytes: bytes }: Pick<Claim, 'owner' | 'owner_bytes'>): string {
  return escapeName(bytes === undefined ? Buffer.from(owner, 'utf8') : Buffer.from(bytes, 'base64'));
}

/** `2 present, 1 replaced`: what the paths hold, the good news first. */
function stateOf({ pins }: Claim): string {
  const states = ['present', 'absent', 'replaced', 'unknown'] as const;
  return states
    .map((state) => ({ state, count: pins.filter((pin) => pin.state === state).length }))
    .flatMap(({ state, count }) => (count === 0 ? [] : [`${count} ${state}`]))
    .join(', ');
}

/** Whole seconds are enough. */
function leftOf({ remaining_ms: ms }: Claim): string {
  return ms === null ? '' : durationText(Math.ceil(ms / 1000) * 1000);
}
