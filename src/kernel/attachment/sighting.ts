import type { AttachmentFact, ObjectKey } from '../../model/holder/facts.ts';

/** A program seen at a place of the kernel, by netlink or by a query. */
export interface Sighting extends Omit<AttachmentFact, 'object' | 'link'> {
  readonly object: ObjectKey;
  /** The link it is attached by, where the kernel says it; 0 for surely none. */
  readonly link?: number;
}

/**
 * Attachments by links with what was seen added, and those seen that no link makes.
 *
 * Not every query tells the link. Where it does not, a sighting is taken for the link that attaches the same
 * program to the same place, each link once. The namespace of an XDP link's device is nowhere to be read: of
 * two namespaces in which one program is on devices of one index, the first is taken.
 */
export function mergeSightings(
  byLinks: readonly AttachmentFact[],
  sightings: readonly Sighting[],
): readonly AttachmentFact[] {
  const merged = [...byLinks];
  const byPlace = new Map<string, number[]>();
  const byLink = new Map<number, number>();
  for (const [index, attachment] of byLinks.entries()) {
    const place = placeOf(attachment);
    const others = byPlace.get(place);
    if (others === undefined) byPlace.set(place, [index]);
    else others.push(index);
    if (attachment.link !== undefined) byLink.set(attachment.link, index);
  }
  for (const { link, ...seen } of sightings) {
    const known = link === undefined ? byPlace.get(placeOf(seen))?.shift() : byLink.get(link);
    const attachment = known === undefined ? undefined : merged[known];
    if (known !== undefined && attachment !== undefined) merged[known] = { ...attachment, ...seen };
    else merged.push(link === undefined || link === 0 ? seen : { ...seen, link });
  }
  return merged;
}

/** What link infos tell of a place too. */
function placeOf({ kind, object, device, cgroup, netns, map, attachType }: Omit<Sighting, 'link'>): string {
  const type = kind === 'xdp' ? '' : attachType;
  const namespace = kind === 'netns' ? netns?.inode : '';
  return [kind, object.kind, object.id, type, device?.ifindex, cgroup?.id, namespace, map].join(' ');
}
