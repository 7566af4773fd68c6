import type { AttachmentFact, AttachmentKind, ObjectHoldFact } from '../../model/holder/facts.ts';
import { objectInfo, openObjectById } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import { Fields } from '../object/fields.ts';
import { type LinkDetail, linkDetail } from '../object/link-detail.ts';
import { readLinkTexts } from '../object/link-texts.ts';
import { typeName } from '../object/names.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { HolderSources } from './sources.ts';

/** The common head of struct bpf_link_info. */
const at = { size: 64, type: 0, programId: 8 } as const;

/** One link, as its info structure tells it. */
export interface LinkFact {
  readonly id: number;
  readonly type: string;
  /** 0 where it has none. */
  readonly programId: number;
  readonly detail: LinkDetail;
}

/** Every link but our own; about 8 µs each. */
export function readLinks({ objects, calls }: HolderSources): readonly LinkFact[] {
  const links: LinkFact[] = [];
  for (let id = objects.nextId('link', 0); id !== undefined; id = objects.nextId('link', id)) {
    try {
      using fd = openObjectById('link', id, calls.fds);
      const bytes = objectInfo(fd, new Struct(at.size));
      const fields = new Fields(bytes);
      const type = typeName('link', fields.u32(at.type) ?? 0);
      const detail = linkDetail(type, fields, readLinkTexts(fd, bytes));
      links.push({ id, type, programId: fields.u32(at.programId) ?? 0, detail });
    } catch (error) {
      // Gone meanwhile, or not finished being made.
      if (!isSystemCallError(error, 'ENOENT', 'EAGAIN')) throw error;
    }
  }
  return links;
}

/**
 * What links hold: the program they run, and the map they go over, listen to or register.
 *
 * An iterator over elements takes the map with a user reference (bpf_iter_attach_map in
 * kernel/bpf/map_iter.c), and so does a link of a sockmap (bpf_sk_skb... sock_map_link_create in
 * net/core/sock_map.c).
 */
export function linkHolds(links: readonly LinkFact[]): readonly ObjectHoldFact[] {
  return links.flatMap(({ id, type, programId, detail }): ObjectHoldFact[] => {
    const holder = { kind: 'link', id } as const;
    const map = detail.map_id ?? 0;
    return [
      ...(programId === 0
        ? []
        : [{ holder, held: { kind: 'program', id: programId }, hold: 'runs' } as const]),
      ...(map === 0
        ? []
        : [
            {
              holder,
              held: { kind: 'map', id: map },
              hold: 'target',
              ...(type === 'iter' || type === 'sockmap' ? { isUser: true } : {}),
            } as const,
          ]),
    ];
  });
}

const attachmentKindByType: Readonly<Record<string, AttachmentKind>> = {
  raw_tracepoint: 'tracing',
  tracing: 'tracing',
  kprobe_multi: 'tracing',
  uprobe_multi: 'tracing',
  cgroup: 'cgroup',
  netns: 'netns',
  xdp: 'xdp',
  perf_event: 'perf_event',
  struct_ops: 'struct_ops',
  netfilter: 'netfilter',
  tcx: 'tcx',
  netkit: 'netkit',
  sockmap: 'sockmap',
};

/** Where links attach what they hold; nothing for iterators, and for those whose target has gone. */
export function linkAttachments(links: readonly LinkFact[]): readonly AttachmentFact[] {
  return links.flatMap((link): AttachmentFact[] => {
    const { id, type, programId, detail } = link;
    const kind = attachmentKindByType[type];
    if (kind === undefined || detail.is_attached === false) return [];
    const map = detail.map_id ?? 0;
    const object =
      type === 'struct_ops'
        ? ({ kind: 'map', id: map } as const)
        : ({ kind: 'program', id: programId } as const);
    if (object.id === 0) return [];
    const attachType = attachTypeOf(link);
    const { cgroup_id: cgroupId, ifindex, netns_ino: netns } = detail;
    return [
      {
        kind,
        object,
        link: id,
        ...(attachType === undefined ? {} : { attachType }),
        ...(cgroupId === undefined ? {} : { cgroup: { id: Number(cgroupId) } }),
        ...(ifindex === undefined ? {} : { device: { ifindex } }),
        ...(netns === undefined ? {} : { netns: { inode: netns } }),
        ...(type === 'sockmap' && map !== 0 ? { map } : {}),
      },
    ];
  });
}

/** What is attached to, as far as no other member says it. */
function attachTypeOf({ type, detail }: LinkFact): string | undefined {
  switch (type) {
    case 'raw_tracepoint':
      return detail.tp_name;
    case 'perf_event':
      return [detail.perf_type, detail.tp_name ?? detail.func_name ?? detail.file_name]
        .filter(Boolean)
        .join(' ');
    case 'kprobe_multi':
      return detail.count === undefined
        ? type
        : `${type} of ${detail.count} ${detail.count === 1 ? 'function' : 'functions'}`;
    case 'uprobe_multi':
      return detail.path === undefined ? type : `${type} ${detail.path}`;
    case 'netfilter':
      return `family ${detail.pf ?? '?'} hook ${detail.hooknum ?? '?'} priority ${detail.priority ?? '?'}`;
    case 'tcx':
    case 'netkit':
      return detail.attach_type?.replace(/^(tcx|netkit)_/, '');
    default:
      return detail.attach_type;
  }
}
