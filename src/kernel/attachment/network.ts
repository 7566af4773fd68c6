import { limits } from '../../model/limits.ts';
import { ProgramQuery } from '../bpf/query.ts';
import { type Device, listDevices } from '../netlink/devices.ts';
import { listActions, listFilters } from '../netlink/filters.ts';
import { RouteSocket } from '../netlink/route-socket.ts';
import { typeNumber } from '../object/names.ts';
import type { Calls } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { listNetNamespaces, visitNamespace } from './namespaces.ts';
import type { Sighting } from './sighting.ts';

/** Which attachments of the network are looked for. */
export interface NetworkParts {
  /** cls_bpf, act_bpf, tcx and netkit. */
  readonly tc: boolean;
  readonly xdp: boolean;
  /** sk_lookup and flow_dissector. */
  readonly netns: boolean;
}

/** What was seen in the network namespaces, and which of them could not be looked at. */
export interface NetworkSightings {
  readonly sightings: readonly Sighting[];
  readonly unavailable: readonly { readonly what: string; readonly reason: string }[];
}

/** Places of a device that BPF_PROG_QUERY knows (Linux 6.6, netkit 6.7), and what they are called. */
const devicePlaces = [
  ['tcx', 'ingress', 'tcx_ingress'],
  ['tcx', 'egress', 'tcx_egress'],
  ['netkit', 'primary', 'netkit_primary'],
  ['netkit', 'peer', 'netkit_peer'],
] as const;

/** Programs of a whole namespace (Linux 4.20 and 5.9). */
const namespacePlaces = ['flow_dissector', 'sk_lookup'] as const;

/** How much one reading may look at: anybody can make namespaces with many devices. */
export interface NetworkBounds {
  readonly namespacesMax: number;
  /** Of all namespaces together. */
  readonly devicesMax: number;
}

const usualBounds: NetworkBounds = {
  namespacesMax: limits.holderNamespacesMax,
  devicesMax: limits.holderDevicesMax,
};

/** Looks into every network namespace: about 100 µs each, and some for every device. */
export function seeNetwork(calls: Calls, parts: NetworkParts, bounds = usualBounds): NetworkSightings {
  const sightings: Sighting[] = [];
  const unavailable: { what: string; reason: string }[] = [];
  if (!parts.tc && !parts.xdp && !parts.netns) return { sightings, unavailable };
  const { namespacesMax, devicesMax } = bounds;
  const namespaces = listNetNamespaces();
  const looking = { parts, query: new ProgramQuery(), devicesLeft: devicesMax };
  for (const namespace of namespaces.slice(0, namespacesMax)) {
    try {
      const seen = visitNamespace(calls, namespace, (fd) => seeNamespace(calls, fd, looking));
      if (looking.devicesLeft < 0) {
        const reason = `no more than ${devicesMax} devices are asked`;
        unavailable.push({ what: `tcx and netkit in netns ${namespace.inode}`, reason });
      }
      const netns = {
        inode: namespace.inode,
        ...(namespace.name === undefined ? {} : { name: namespace.name }),
      };
      for (const sighting of seen ?? []) sightings.push({ ...sighting, netns });
    } catch (error) {
      if (!isSystemCallError(error)) throw error;
      unavailable.push({ what: `netns ${namespace.inode}`, reason: error.message });
    }
  }
  if (namespaces.length > namespacesMax) {
    const what = `${namespaces.length - namespacesMax} network namespaces`;
    unavailable.push({ what, reason: `no more than ${namespacesMax} are looked into` });
  }
  return { sightings, unavailable };
}

interface Looking {
  readonly parts: NetworkParts;
  readonly query: ProgramQuery;
  /** Negative where a namespace had more than were left. */
  devicesLeft: number;
}

function seeNamespace(calls: Calls, namespace: Fd, looking: Looking): readonly Sighting[] {
  const { parts, query } = looking;
  const seen: Sighting[] = parts.netns ? [...seeWholeNamespace(namespace, query)] : [];
  if (!parts.tc && !parts.xdp) return seen;
  using socket = new RouteSocket(calls);
  const devices = listDevices(socket);
  if (parts.xdp) seen.push(...devices.flatMap(xdpOf));
  if (parts.tc) {
    seen.push(...seeTrafficControl(socket, devices));
    for (const device of devices.slice(0, Math.max(looking.devicesLeft, 0))) {
      seen.push(...seeDevice(device, query));
    }
    looking.devicesLeft -= devices.length;
  }
  return seen;
}

function seeWholeNamespace(namespace: Fd, query: ProgramQuery): readonly Sighting[] {
  return namespacePlaces.flatMap((attachType): Sighting[] => {
    const answer = query.ask(namespace, typeNumber('attach', attachType), { hasLinks: false });
    if (typeof answer === 'string') return [];
    return answer.programs.map(({ programId }) => ({
      kind: 'netns',
      object: { kind: 'program', id: programId },
      attachType,
    }));
  });
}

function xdpOf({ ifindex, name, xdp }: Device): readonly Sighting[] {
  return xdp.map(({ mode, programId }) => ({
    kind: 'xdp',
    object: { kind: 'program', id: programId },
    attachType: mode,
    device: { ifindex, name },
  }));
}

function seeTrafficControl(socket: RouteSocket, devices: readonly Device[]): readonly Sighting[] {
  const names = new Map(devices.map(({ ifindex, name }) => [ifindex, name]));
  const filters = listFilters(socket).map((filter): Sighting => {
    const name = names.get(filter.ifindex);
    return {
      kind: 'tc',
      object: { kind: 'program', id: filter.programId },
      attachType: filter.where,
      device: { ifindex: filter.ifindex, ...(name === undefined ? {} : { name }) },
      filter: `pref ${filter.preference} handle 0x${filter.handle.toString(16)}`,
      ...(filter.isDirectAction ? { flags: ['direct_action'] } : {}),
    };
  });
  const actions = listActions(socket).map(
    ({ programId, index }): Sighting => ({
      kind: 'tc',
      object: { kind: 'program', id: programId },
      attachType: 'action',
      filter: `action index ${index}`,
    }),
  );
  return [...filters, ...actions];
}

/** A kernel without the place, or a device of another kind, answers with an error: then nothing is there. */
function seeDevice({ ifindex, name }: Device, query: ProgramQuery): readonly Sighting[] {
  return devicePlaces.flatMap(([kind, attachType, type]): Sighting[] => {
    const answer = query.ask({ ifindex }, typeNumber('attach', type), { hasLinks: true });
    if (typeof answer === 'string') return [];
    return answer.programs.map(({ programId, linkId }) => ({
      kind,
      object: { kind: 'program', id: programId },
      attachType,
      device: { ifindex, name },
      link: linkId ?? 0,
    }));
  });
}
