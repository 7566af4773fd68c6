import type { LinkInfo } from '../../model/schema/link-info.ts';
import { type Fields, nonZero, nonZeroText } from './fields.ts';
import type { LinkTexts } from './link-texts.ts';
import { typeName } from './names.ts';

/** What the union of struct bpf_link_info says of one type; members that are undefined do not apply. */
export type LinkDetail = {
  readonly [Name in Exclude<keyof LinkInfo, 'kind' | 'id' | 'type'>]?: LinkInfo[Name] | undefined;
};

type Decoder = (fields: Fields, texts: LinkTexts) => LinkDetail;

/**
 * Reads the union of struct bpf_link_info as the type lays it out; it begins at byte 16.
 *
 * A target that has gone shows as zero where kernel/bpf/net_namespace.c, net/core/dev.c, kernel/bpf/tcx.c and
 * kernel/bpf/cgroup.c fill in its index or id; `is_attached` is said only where it does.
 */
export function linkDetail(type: string, fields: Fields, texts: LinkTexts): LinkDetail {
  return decoders[type]?.(fields, texts) ?? {};
}

/**
 * tracing, kprobe_multi, netkit, struct_ops and perf_event on a kprobe are unproven here: tested on bytes
 * laid out by hand (test/unit/object-info.test.ts).
 */
const decoders: Readonly<Record<string, Decoder>> = {
  raw_tracepoint: (fields, texts) => ({ tp_name: texts.name, cookie: cookie(fields, 32) }),
  tracing: (fields) => ({
    attach_type: attachType(fields, 16),
    target_obj_id: nonZero(fields.u32(20)),
    target_btf_id: nonZero(fields.u32(24)),
    cookie: cookie(fields, 32),
  }),
  cgroup: (fields) => ({
    cgroup_id: fields.decimal(16),
    attach_type: attachType(fields, 24),
    is_attached: isThere(fields.u64(16)),
  }),
  iter: (fields, texts) => ({ target_name: texts.name, ...iterTarget(fields, texts.name ?? '') }),
  netns: (fields) => ({
    netns_ino: fields.u32(16),
    attach_type: attachType(fields, 20),
    is_attached: isThere(fields.u32(16)),
  }),
  xdp: (fields) => ({ ifindex: fields.u32(16), is_attached: isThere(fields.u32(16)) }),
  perf_event: perfEvent,
  kprobe_multi: (fields, texts) => ({
    count: fields.u32(24),
    flags: fields.u32(28),
    missed: fields.count(32),
    addrs: texts.addrs?.map((address) => `0x${address.toString(16)}`),
    cookies: texts.cookies?.map(String),
  }),
  struct_ops: (fields) => ({ map_id: fields.u32(16), is_attached: isThere(fields.u32(16)) }),
  netfilter: (fields) => ({
    pf: fields.u32(16),
    hooknum: fields.u32(20),
    priority: fields.s32(24),
    flags: fields.u32(28),
  }),
  tcx: device,
  netkit: device,
  uprobe_multi: (fields, texts) => ({
    path: texts.name,
    count: fields.u32(52),
    flags: fields.u32(56),
    pid: nonZero(fields.u32(60)),
    offsets: texts.offsets?.map(String),
    ref_ctr_offsets: texts.refCtrOffsets?.map(String),
    cookies: texts.cookies?.map(String),
  }),
  sockmap: (fields) => ({
    map_id: fields.u32(16),
    attach_type: attachType(fields, 20),
    is_attached: isThere(fields.u32(16)),
  }),
};

/**
 * tcx and netkit: the kernel shows 0 for a device that is gone, and says nothing of one moved to another
 * namespace.
 */
function device(fields: Fields): LinkDetail {
  return {
    ifindex: fields.u32(16),
    attach_type: attachType(fields, 20),
    is_attached: isThere(fields.u32(16)),
  };
}

/**
 * `union { map; }` at 28 and `union { cgroup; task; }` at 32: which of them counts, only the target's name
 * tells.
 */
function iterTarget(fields: Fields, target: string): LinkDetail {
  if (target === 'bpf_map_elem' || target === 'bpf_sk_storage_map' || target === 'sockmap') {
    return { map_id: fields.u32(28) };
  }
  if (target === 'cgroup') {
    return { cgroup_id: nonZeroText(fields.decimal(32)), order: typeName('order', fields.u32(40) ?? 0) };
  }
  if (target.startsWith('task')) return { tid: nonZero(fields.u32(32)), pid: nonZero(fields.u32(36)) };
  return {};
}

function perfEvent(fields: Fields, texts: LinkTexts): LinkDetail {
  const perfType = typeName('perf', fields.u32(16) ?? 0);
  switch (perfType) {
    case 'uprobe':
    case 'uretprobe':
      return {
        perf_type: perfType,
        file_name: texts.name,
        offset: fields.u32(36),
        cookie: cookie(fields, 40),
        ref_ctr_offset: nonZeroText(fields.decimal(48)),
      };
    case 'kprobe':
    case 'kretprobe':
      return {
        perf_type: perfType,
        func_name: texts.name,
        offset: fields.u32(36),
        addr: nonZeroText(fields.address(40)),
        missed: fields.count(48),
        cookie: cookie(fields, 56),
      };
    case 'tracepoint':
      return { perf_type: perfType, tp_name: texts.name, cookie: cookie(fields, 40) };
    case 'event':
      return {
        perf_type: perfType,
        event_config: fields.decimal(24),
        event_type: fields.u32(32),
        cookie: cookie(fields, 40),
      };
    default:
      return { perf_type: perfType };
  }
}

function attachType(fields: Fields, offset: number): string | undefined {
  const number = fields.u32(offset);
  return number === undefined ? undefined : typeName('attach', number);
}

/** A target that has an index or an id; undefined where this kernel does not tell. */
function isThere(target: number | bigint | undefined): boolean | undefined {
  return target === undefined ? undefined : target !== 0 && target !== 0n;
}

/** A cookie nobody has set is zero. */
function cookie(fields: Fields, offset: number): string | undefined {
  return nonZeroText(fields.decimal(offset));
}
