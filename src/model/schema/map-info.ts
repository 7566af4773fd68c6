import { type Static, Type } from 'typebox';

/**
 * Everything the kernel tells of a map (struct bpf_map_info and fdinfo); what does not apply or this kernel
 * does not give is absent.
 */
export const MapInfo = Type.Object({
  kind: Type.Literal('map'),
  id: Type.Integer({ description: 'the kernel’s id; ids are reused' }),
  type: Type.String({ description: 'as bpftool names it; `type_<N>` for one this build does not know' }),
  name: Type.String({ description: 'cut to 15 bytes by the kernel; empty before Linux 4.15' }),
  key_size: Type.Integer({ description: 'bytes of a key' }),
  value_size: Type.Integer({ description: 'bytes of a value; of one CPU’s value for per-CPU maps' }),
  max_entries: Type.Integer({
    description: 'how many entries fit; bytes for ring buffers, pages for arenas',
  }),
  map_flags: Type.Integer({ description: 'flags as the kernel’s number' }),
  flags: Type.Array(Type.String(), {
    description: 'names of the flags; `bit_<N>` for one this build does not know',
  }),
  map_extra: Type.Optional(
    Type.String({ description: 'what the type makes of it, as a decimal number; Linux 5.16' }),
  ),
  ifindex: Type.Optional(Type.Integer({ description: 'network device a map is offloaded to' })),
  netns_dev: Type.Optional(Type.String({ description: 'device number of that device’s network namespace' })),
  netns_ino: Type.Optional(Type.Integer({ description: 'inode of that device’s network namespace' })),
  btf_id: Type.Optional(Type.Integer({ description: 'BTF object that describes keys and values' })),
  btf_key_type_id: Type.Optional(Type.Integer({ description: 'type of a key in that BTF' })),
  btf_value_type_id: Type.Optional(Type.Integer({ description: 'type of a value in that BTF' })),
  btf_vmlinux_value_type_id: Type.Optional(
    Type.Integer({ description: 'struct_ops: type of the value in the kernel’s BTF; Linux 5.6' }),
  ),
  btf_vmlinux_id: Type.Optional(
    Type.Integer({ description: 'struct_ops: the kernel or module BTF that type is in; Linux 6.9' }),
  ),
  frozen: Type.Optional(
    Type.Boolean({ description: 'closed to writes from user space for good; Linux 5.2' }),
  ),
  memlock: Type.Optional(Type.Integer({ description: 'bytes of memory the kernel accounts to it' })),
  owner_prog_type: Type.Optional(Type.String({ description: 'prog_array: type of the programs it takes' })),
  owner_jited: Type.Optional(Type.Boolean({ description: 'prog_array: whether those must be compiled' })),
  unread: Type.Optional(
    Type.String({
      description: 'which members are absent because the map may not be opened, and why that is so',
    }),
  ),
});
export type MapInfo = Static<typeof MapInfo>;
