import type { AttachmentFact } from '../../model/holder/facts.ts';
import { seeCgroups } from '../attachment/cgroups.ts';
import { seeNetwork } from '../attachment/network.ts';
import { mergeSightings } from '../attachment/sighting.ts';
import { seeSockmaps, sockmapTypes } from '../attachment/sockmaps.ts';
import { queryTaskFd } from '../bpf/query.ts';
import type { HeldFile } from '../iter/held-files.ts';
import type { MapHolds, ProgramHolds } from '../iter/hold-lists.ts';
import { typeName } from '../object/names.ts';
import type { Collection } from './collection.ts';
import { addRunningFiles } from './files.ts';
import { type LinkFact, linkAttachments } from './links.ts';
import type { HolderSources } from './sources.ts';

/** Program types that tell at which places of the network a program can be. */
const tcTypes = ['sched_cls', 'sched_act'];
const netnsTypes = ['sk_lookup', 'flow_dissector'];
const sockmapPrograms = ['sk_skb', 'sk_msg'];

/** What there is that may be attached. */
export interface Attachables {
  readonly maps: readonly MapHolds[];
  readonly programs: readonly ProgramHolds[];
  readonly links: readonly LinkFact[];
  readonly held: readonly HeldFile[];
}

/**
 * Where the wanted programs are attached. Only places are looked at where programs of their types can be.
 */
export function addAttachments(
  { calls, cgroups }: HolderSources,
  { maps, programs, links, held }: Attachables,
  into: Collection,
): void {
  const wanted = programs.filter(({ id }) => into.isWanted({ kind: 'program', id }));
  const types = new Set(wanted.map(({ type }) => typeName('program', type)));
  const hasAny = (names: readonly string[]): boolean => names.some((name) => types.has(name));
  const network = seeNetwork(calls, {
    tc: hasAny(tcTypes),
    xdp: types.has('xdp'),
    netns: hasAny(netnsTypes),
  });
  const groups = seeCgroups(calls, types);
  into.unavailable.push(...network.unavailable, ...groups.unavailable);
  const sockmaps = hasAny(sockmapPrograms)
    ? seeSockmaps(
        calls,
        maps.filter(({ type }) => sockmapTypes.includes(type)).map(({ id }) => id),
      )
    : [];
  const seen = [...network.sightings, ...groups.sightings, ...sockmaps];
  const merged = mergeSightings(linkAttachments(links), seen).filter(
    ({ object, link }) =>
      into.isWanted(object) || (link !== undefined && into.isWanted({ kind: 'link', id: link })),
  );
  into.attachments.push(...merged.map((attachment) => withPath(attachment, cgroups)));
  addRunningFiles(held, into, ({ pid, fd }) => queryTaskFd(pid, fd)?.what);
}

/** The path of a control group that was not walked over. */
function withPath(attachment: AttachmentFact, cgroups: HolderSources['cgroups']): AttachmentFact {
  const { cgroup } = attachment;
  if (cgroup === undefined || cgroup.path !== undefined) return attachment;
  const path = cgroups.pathOf(BigInt(cgroup.id));
  return path === undefined ? attachment : { ...attachment, cgroup: { ...cgroup, path } };
}
