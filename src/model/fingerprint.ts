import type { BtfInfo } from './schema/btf-info.ts';
import type { LinkInfo } from './schema/link-info.ts';
import type { MapInfo } from './schema/map-info.ts';
import type { ObjectInfo } from './schema/object.ts';
import type { ProgramInfo } from './schema/program-info.ts';

/**
 * What makes an object differ from another that gets the same id: readable, comparable, and free of the id
 * itself.
 *
 * `map/hash/k4/v8/n16/f0/btf0.0.0/name`: type, sizes, entries, flags, BTF ids, name.
 * `program/xdp/3b185187f1855c4c/t8121030400/name`: type, tag, load time in nanoseconds after boot, name.
 * `link/tcx/p12/tcx_ingress.ifindex3`: type, program, target; a link changes it when its program is replaced
 * (BPF_LINK_UPDATE) or its target goes.
 * `btf/user/s412/name`: type, size, name.
 */
export function fingerprintOf(info: ObjectInfo): string {
  switch (info.kind) {
    case 'map':
      return join(info.kind, info.type, ...mapParts(info));
    case 'program':
      return join(info.kind, info.type, ...programParts(info));
    case 'link':
      return join(info.kind, info.type, ...linkParts(info));
    case 'btf':
      return join(info.kind, info.type, ...btfParts(info));
  }
}

function mapParts(map: MapInfo): string[] {
  const { btf_id = 0, btf_key_type_id = 0, btf_value_type_id = 0 } = map;
  return [
    `k${map.key_size}`,
    `v${map.value_size}`,
    `n${map.max_entries}`,
    `f${map.map_flags.toString(16)}`,
    `btf${btf_id}.${btf_key_type_id}.${btf_value_type_id}`,
    map.name,
  ];
}

function programParts(program: ProgramInfo): string[] {
  return [program.tag, `t${program.load_time ?? 0}`, program.name];
}

function linkParts(link: LinkInfo): string[] {
  return [`p${link.prog_id ?? 0}`, linkTarget(link)];
}

function btfParts(btf: BtfInfo): string[] {
  return [`s${btf.btf_size}`, btf.name];
}

/**
 * The members that say what a link is attached to; everything else of a link may change while it stays the
 * same.
 */
const targetMembers = [
  'tp_name',
  'target_obj_id',
  'target_btf_id',
  'cgroup_id',
  'target_name',
  'map_id',
  'netns_ino',
  'ifindex',
  'pf',
  'hooknum',
  'priority',
  'perf_type',
  'file_name',
  'func_name',
  'offset',
  'event_type',
  'event_config',
  'path',
  'count',
] as const satisfies readonly (keyof LinkInfo)[];

function linkTarget(link: LinkInfo): string {
  const named = targetMembers.filter((member) => link[member] !== undefined);
  return [link.attach_type ?? '', ...named.map((member) => `${member}${link[member]}`)]
    .filter(Boolean)
    .join('.');
}

/**
 * Names come from whoever made the object: what could be taken for a separator becomes `%XX`, byte by byte.
 */
function join(...parts: readonly string[]): string {
  return parts.map(escapePart).join('/');
}

function escapePart(part: string): string {
  return part.replace(/[^\w.:<>+-]/gu, (char) =>
    Buffer.from(char, 'utf8').toString('hex').toUpperCase().replace(/../g, '%$&'),
  );
}
