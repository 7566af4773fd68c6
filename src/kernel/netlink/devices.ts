import { parseAttributes, textAttribute, u32Of } from './message.ts';
import type { RouteSocket } from './route-socket.ts';

/** RTM_GETLINK of include/uapi/linux/rtnetlink.h. */
const RTM_GETLINK = 18;

/** struct ifinfomsg. */
const ifInfo = { size: 16, index: 4 } as const;

/** Attributes of a device and, nested, of its XDP (include/uapi/linux/if_link.h). */
const IFLA_IFNAME = 3;
const IFLA_XDP = 43;
const xdp = { attached: 2, programId: 4, driver: 5, generic: 6, hardware: 7 } as const;

/** XDP_ATTACHED_* by value, in bpftool's words; `multi` is said by the attributes of each mode. */
const modes = ['none', 'driver', 'generic', 'offload'] as const;

/** A program that runs on a device before the stack, and how. */
export interface XdpProgram {
  readonly mode: 'driver' | 'generic' | 'offload';
  readonly programId: number;
}

/** A network device of one namespace. */
export interface Device {
  readonly ifindex: number;
  /** Byte string. */
  readonly name: string;
  readonly xdp: readonly XdpProgram[];
}

/** Every device of the socket's namespace. @throws SystemCallError */
export function listDevices(socket: RouteSocket): readonly Device[] {
  return socket.dump(RTM_GETLINK, Buffer.alloc(ifInfo.size)).flatMap(({ body }) => parseDevice(body) ?? []);
}

/** One RTM_NEWLINK; undefined where it is too short to be one. */
export function parseDevice(body: Buffer): Device | undefined {
  if (body.length < ifInfo.size) return undefined;
  const attributes = parseAttributes(body.subarray(ifInfo.size));
  const nested = attributes.get(IFLA_XDP);
  return {
    ifindex: body.readInt32LE(ifInfo.index),
    name: textAttribute(attributes, IFLA_IFNAME) ?? '',
    xdp: nested === undefined ? [] : parseXdp(parseAttributes(nested)),
  };
}

/**
 * Since Linux 5.0 each mode has its own attribute (rtnl_xdp_fill in net/core/rtnetlink.c); before, only the
 * one mode there is.
 */
function parseXdp(attributes: ReadonlyMap<number, Buffer>): readonly XdpProgram[] {
  const byMode = [
    ['driver', u32Of(attributes, xdp.driver)],
    ['generic', u32Of(attributes, xdp.generic)],
    ['offload', u32Of(attributes, xdp.hardware)],
  ] as const;
  const found = byMode.flatMap(([mode, programId]) =>
    programId === undefined || programId === 0 ? [] : [{ mode, programId }],
  );
  if (found.length > 0) return found;
  const mode = modes[attributes.get(xdp.attached)?.[0] ?? 0];
  const programId = u32Of(attributes, xdp.programId) ?? 0;
  return mode === undefined || mode === 'none' || programId === 0 ? [] : [{ mode, programId }];
}
