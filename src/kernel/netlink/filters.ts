import { isSystemCallError } from '../sys/errno.ts';
import { attribute, type Message, parseAttributes, textAttribute, u32Of } from './message.ts';
import type { RouteSocket } from './route-socket.ts';

/** Requests of include/uapi/linux/rtnetlink.h. */
const RTM_GETQDISC = 38;
const RTM_GETTCLASS = 42;
const RTM_GETTFILTER = 46;
const RTM_GETACTION = 50;

/** struct tcmsg and struct tcamsg. */
const trafficControl = { size: 20, ifindex: 4, handle: 8, parent: 12, info: 16 } as const;
const actions = { size: 4 } as const;

/** TCA_KIND and TCA_OPTIONS, which actions have too. */
const TCA_KIND = 1;
const TCA_OPTIONS = 2;

/** TCA_BPF_* of a filter and TCA_ACT_BPF_* of an action (pkt_cls.h, tc_act/tc_bpf.h). */
const filterOptions = { flags: 8, id: 11 } as const;
const actionOptions = { parms: 2, id: 9 } as const;

/** TCA_BPF_FLAG_ACT_DIRECT. */
const DIRECT_ACTION = 1;

/** TCA_ACT_TAB: the list of actions, one attribute each. */
const TCA_ACT_TAB = 1;

/** TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS) and _EGRESS, and the handle of the older `ingress`. */
const clsactParents = { ingress: 0xfffffff2, egress: 0xfffffff3 } as const;
const ingressHandle = 0xffff0000;

/** Queueing disciplines that take no filters (no tcf_block in their class operations). */
const filterless = ['noqueue', 'pfifo_fast', 'pfifo', 'bfifo', 'pfifo_head_drop', 'mq', 'noop', 'tbf'];

/** A place of a device to which filters are attached. */
interface FilterPlace {
  readonly ifindex: number;
  readonly parent: number;
}

/** A program that cls_bpf runs. */
export interface BpfFilter extends FilterPlace {
  readonly programId: number;
  /** `ingress`, `egress`, or the class it is attached to, such as `1:10`. */
  readonly where: string;
  readonly preference: number;
  readonly handle: number;
  readonly isDirectAction: boolean;
}

/** A program that act_bpf runs; actions belong to no device. */
export interface BpfAction {
  readonly programId: number;
  readonly index: number;
}

/** Every cls_bpf filter of the socket's namespace that has a program of eBPF. @throws SystemCallError */
export function listFilters(socket: RouteSocket): readonly BpfFilter[] {
  return listPlaces(socket).flatMap(({ ifindex, parent }) =>
    unlessGone(() => socket.dump(RTM_GETTFILTER, tcMessage(ifindex, parent))).flatMap(
      (message) => parseFilter(message, parent) ?? [],
    ),
  );
}

/**
 * Every act_bpf action of the namespace; none where the kernel has no such actions. @throws SystemCallError
 */
export function listActions(socket: RouteSocket): readonly BpfAction[] {
  const kind = attribute(TCA_KIND, Buffer.from('bpf\0'));
  const request = Buffer.concat([Buffer.alloc(actions.size), attribute(TCA_ACT_TAB, attribute(1, kind))]);
  return unlessGone(() => socket.dump(RTM_GETACTION, request)).flatMap(parseActions);
}

/** One RTM_NEWTFILTER; undefined for filters of other kinds, and for classic BPF, which has no id. */
export function parseFilter({ body }: Message, askedParent: number): BpfFilter | undefined {
  if (body.length < trafficControl.size) return undefined;
  const attributes = parseAttributes(body.subarray(trafficControl.size));
  const options = attributes.get(TCA_OPTIONS);
  if (textAttribute(attributes, TCA_KIND) !== 'bpf' || options === undefined) return undefined;
  const bpf = parseAttributes(options);
  const programId = u32Of(bpf, filterOptions.id);
  if (programId === undefined) return undefined;
  const parent = body.readUInt32LE(trafficControl.parent) || askedParent;
  return {
    programId,
    ifindex: body.readInt32LE(trafficControl.ifindex),
    parent,
    where: whereOf(parent),
    preference: body.readUInt32LE(trafficControl.info) >>> 16,
    handle: body.readUInt32LE(trafficControl.handle),
    isDirectAction: ((u32Of(bpf, filterOptions.flags) ?? 0) & DIRECT_ACTION) !== 0,
  };
}

/** One RTM_NEWACTION, which lists several actions. */
export function parseActions({ body }: Message): readonly BpfAction[] {
  const table = parseAttributes(body.subarray(actions.size)).get(TCA_ACT_TAB);
  if (table === undefined) return [];
  return [...parseAttributes(table).values()].flatMap((bytes) => {
    const action = parseAttributes(bytes);
    const options = action.get(TCA_OPTIONS);
    if (textAttribute(action, TCA_KIND) !== 'bpf' || options === undefined) return [];
    const bpf = parseAttributes(options);
    const programId = u32Of(bpf, actionOptions.id);
    // struct tc_act_bpf begins with the index (tc_gen in pkt_cls.h).
    const index = u32Of(bpf, actionOptions.parms) ?? 0;
    return programId === undefined ? [] : [{ programId, index }];
  });
}

/** Where filters may be: of each queueing discipline that takes some, and of each class of those. */
function listPlaces(socket: RouteSocket): readonly FilterPlace[] {
  const places: FilterPlace[] = [];
  const classful = new Set<number>();
  for (const { body } of socket.dump(RTM_GETQDISC, tcMessage(0, 0))) {
    if (body.length < trafficControl.size) continue;
    const kind = textAttribute(parseAttributes(body.subarray(trafficControl.size)), TCA_KIND) ?? '';
    const ifindex = body.readInt32LE(trafficControl.ifindex);
    if (filterless.includes(kind)) continue;
    if (kind === 'clsact') {
      places.push({ ifindex, parent: clsactParents.ingress }, { ifindex, parent: clsactParents.egress });
    } else if (kind === 'ingress') {
      places.push({ ifindex, parent: ingressHandle });
    } else {
      classful.add(ifindex);
      places.push({ ifindex, parent: body.readUInt32LE(trafficControl.handle) });
    }
  }
  return [...places, ...[...classful].flatMap((ifindex) => listClasses(socket, ifindex))];
}

function listClasses(socket: RouteSocket, ifindex: number): readonly FilterPlace[] {
  return unlessGone(() => socket.dump(RTM_GETTCLASS, tcMessage(ifindex, 0))).flatMap(({ body }) =>
    body.length < trafficControl.size ? [] : [{ ifindex, parent: body.readUInt32LE(trafficControl.handle) }],
  );
}

function tcMessage(ifindex: number, parent: number): Buffer {
  const message = Buffer.alloc(trafficControl.size);
  message.writeInt32LE(ifindex, trafficControl.ifindex);
  message.writeUInt32LE(parent >>> 0, trafficControl.parent);
  return message;
}

function whereOf(parent: number): string {
  if (parent === clsactParents.ingress || parent === ingressHandle) return 'ingress';
  if (parent === clsactParents.egress) return 'egress';
  return `${(parent >>> 16).toString(16)}:${(parent & 0xffff).toString(16)}`;
}

/** Nothing, where the device or the discipline has gone, or the kernel has no such kind. */
function unlessGone(list: () => readonly Message[]): readonly Message[] {
  try {
    return list();
  } catch (error) {
    if (isSystemCallError(error, 'ENODEV', 'ENOENT', 'EINVAL', 'EOPNOTSUPP')) return [];
    throw error;
  }
}
