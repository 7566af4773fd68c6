import { type Static, Type } from 'typebox';
import { limits } from '../limits.ts';
import { Labels, ModeText, oneOf, PathBytes, PathText } from './common.ts';
import { entryFormats, views } from './entry.ts';
import { SpecificationAbout } from './specification.ts';

const closed = { additionalProperties: false } as const;
const U32 = { minimum: 0, maximum: 0xffffffff } as const;
const TypeId = Type.Integer({ minimum: 1, maximum: 0x7fffffff });
const ObjectId = Type.Integer({ minimum: 1, maximum: 0x7fffffff });

/**
 * The types of a map's keys and values. The BTF comes as a blob, or is that of a map that has it; the types
 * are told by their ids in it, or by their names.
 */
export const MapBtf = Type.Object(
  {
    blob_base64: Type.Optional(
      Type.String({ description: 'the whole BTF, as BPF_BTF_LOAD takes it, in base64' }),
    ),
    map: Type.Optional(Type.Integer({ minimum: 1, description: 'id of a map that has this BTF' })),
    pin: Type.Optional(Type.String({ description: 'path of a pin of such a map' })),
    key_type_id: Type.Optional(TypeId),
    value_type_id: Type.Optional(TypeId),
    key_type: Type.Optional(Type.String({ description: 'name of the type, in place of its id' })),
    value_type: Type.Optional(Type.String({ description: 'name of the type, in place of its id' })),
    vmlinux_value_type_id: Type.Optional(
      Type.Integer({ minimum: 1, description: 'struct_ops: type of the value in the kernel’s own BTF' }),
    ),
    vmlinux_value_type: Type.Optional(
      Type.String({ description: 'struct_ops: its name, such as bpf_struct_ops_tcp_congestion_ops' }),
    ),
  },
  closed,
);
export type MapBtf = Static<typeof MapBtf>;

/** What every map is made with, inner templates too. */
const shape = {
  type: Type.String({ description: 'as bpftool names it: hash, lru_percpu_hash, ringbuf…' }),
  key_size: Type.Integer({ ...U32, description: 'bytes of a key; 0 for types without keys' }),
  value_size: Type.Integer({ ...U32, description: 'bytes of a value; of one CPU’s value for per-CPU maps' }),
  max_entries: Type.Integer({
    ...U32,
    description: 'how many entries fit; bytes for ring buffers, pages for arenas',
  }),
  flags: Type.Optional(
    Type.Array(Type.String(), { maxItems: 32, description: 'names of flags: no_prealloc, mmapable…' }),
  ),
  map_extra: Type.Optional(
    Type.Union([Type.String({ pattern: '^\\d{1,20}$', examples: ['5'] }), Type.Integer({ minimum: 0 })], {
      description: 'what the type makes of it: hash functions of a bloom filter, the address of an arena',
    }),
  ),
  numa_node: Type.Optional(Type.Integer({ minimum: 0, maximum: 0x7fffffff })),
  btf: Type.Optional(MapBtf),
};

/** Maps inside of a map must be made like this one, which is only looked at, or like one that is there. */
export const InnerMap = Type.Union([
  Type.Object(shape, closed),
  Type.Object({ id: ObjectId }, closed),
  Type.Object({ pin: PathText }, closed),
]);
export type InnerMap = Static<typeof InnerMap>;

/** An entry as it is written; per-CPU maps have `values`, or one `value` for every CPU. */
export const EntryInput = Type.Object(
  {
    key: Type.Optional(Type.Unknown({ description: 'absent for queues, stacks and bloom filters' })),
    value: Type.Optional(Type.Unknown({ description: 'as reads write it' })),
    values: Type.Optional(
      Type.Array(Type.Object({ cpu: Type.Integer({ minimum: 0 }), value: Type.Unknown() }, closed), {
        description: 'for each possible CPU, in place of `value`',
      }),
    ),
  },
  closed,
);
export type EntryInput = Static<typeof EntryInput>;

/** Where a new map is pinned: what `PUT /v1/pins/{path}` takes, with the path. */
export const NewPin = Type.Object(
  {
    path: Type.Optional(PathText),
    path_bytes: Type.Optional(PathBytes),
    mount: Type.Optional(Type.String({ pattern: '^\\d{1,9}:\\d{1,9}$', examples: ['0:41'] })),
    parents: Type.Optional(Type.Boolean({ description: 'make missing directories' })),
    mode: Type.Optional(ModeText),
    uid: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xfffffffe })),
    gid: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xfffffffe })),
    labels: Type.Optional(Labels),
    owner: Type.Optional(
      Type.Union([Type.String({ minLength: 1, maxLength: limits.ownerCharsMax }), Type.Null()]),
    ),
  },
  closed,
);
export type NewPin = Static<typeof NewPin>;

/**
 * All that it takes to make a map: the body of `POST /v1/maps`, and of `GET /v1/maps/{id}/spec`. What is
 * made with one is equal to what it was read from, but for its id, its times and its pin.
 */
export const MapSpecification = Type.Object(
  {
    name: Type.Optional(
      Type.String({ pattern: '^[A-Za-z0-9_.]{0,15}$', description: 'up to 15 of A-Z a-z 0-9 _ and .' }),
    ),
    ...shape,
    ifindex: Type.Optional(
      Type.Integer({ ...U32, description: 'refused: maps of network devices end with the device' }),
    ),
    inner: Type.Optional(InnerMap),
    entries: Type.Optional(Type.Array(EntryInput, { description: 'what is in it from the beginning' })),
    format: Type.Optional(oneOf(entryFormats)),
    key_as: Type.Optional(oneOf(views)),
    value_as: Type.Optional(oneOf(views)),
    freeze: Type.Optional(
      Type.Boolean({ description: 'close it to writes from user space, once its entries are in it' }),
    ),
    memory_max: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'bytes of memory that making it may take at once; 1 GiB unless told',
      }),
    ),
    pin: Type.Optional(NewPin),
    about: Type.Optional(SpecificationAbout),
  },
  { ...closed, $id: 'MapSpecification' },
);
export type MapSpecification = Static<typeof MapSpecification>;
