import { type Static, Type } from 'typebox';
import { hazards } from '../hazard.ts';
import { attachmentKinds } from '../holder/facts.ts';
import { ObjectKindSchema, oneOf, PathBytes, PathText, Time } from './common.ts';
import { References } from './object.ts';

const text = (description: string) => Type.Optional(Type.String({ description }));
const leftOut = Type.Optional(
  Type.Integer({ description: 'how many descriptors, names or paths the lists of this node leave out' }),
);
const key = Type.String({ description: 'names the node within this answer, and nowhere else' });

/** A descriptor of a process. */
const DescriptorSchema = Type.Object({ pid: Type.Integer(), fd: Type.Integer() });

/** A place where a program runs or a struct_ops map is registered. */
export const HolderAttachment = Type.Object({
  kind: oneOf(attachmentKinds),
  text: Type.String({ description: 'the place in words, such as tc ingress of eth0 in netns 4026531840' }),
  attach_type: text('as bpftool names it: ingress, cgroup_inet_egress; for XDP the mode'),
  netns: Type.Optional(Type.Object({ inode: Type.Integer(), name: Type.Optional(Type.String()) })),
  device: Type.Optional(Type.Object({ ifindex: Type.Integer(), name: Type.Optional(Type.String()) })),
  cgroup: Type.Optional(Type.Object({ id: Type.Integer(), path: Type.Optional(Type.String()) })),
  map_id: Type.Optional(Type.Integer({ description: 'the sockmap or sockhash' })),
  event: Type.Optional(
    Type.Object({ ...DescriptorSchema.properties, what: Type.String() }, { description: 'who keeps it' }),
  ),
  filter: text('tc: preference and handle'),
  flags: Type.Optional(Type.Array(Type.String(), { description: 'attach flags by name' })),
});
export type HolderAttachment = Static<typeof HolderAttachment>;

/** The object asked about, or one that holds it. */
const ObjectNode = Type.Object({
  node: Type.Literal('object'),
  key,
  kind: ObjectKindSchema,
  id: Type.Integer(),
  type: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  attached_to: Type.Optional(
    Type.Array(HolderAttachment, {
      description: 'links: what they keep attached, which holds nothing itself',
    }),
  ),
});

const PinNode = Type.Object({
  node: Type.Literal('pin'),
  key,
  mount: Type.String({ description: 'major:minor' }),
  inode: Type.Integer(),
  names: Type.Array(Type.Object({ path: PathText, path_bytes: Type.Optional(PathBytes) }), {
    description: 'several are hard links: one reference',
  }),
  left_out: leftOut,
});

const OpenInodeNode = Type.Object({
  node: Type.Literal('open_inode', { description: 'a pin without a name, that descriptors keep' }),
  key,
  mount: Type.String(),
  inode: Type.Integer(),
  path: Type.String({ description: 'where it was' }),
  descriptors: Type.Array(DescriptorSchema),
  left_out: leftOut,
});

const FileNode = Type.Object({
  node: Type.Literal('file', { description: 'an open file: one reference, however many descriptors' }),
  key,
  through: oneOf(['object', 'iterator'] as const),
  descriptors: Type.Array(DescriptorSchema),
  mapped_by: Type.Array(Type.Integer(), { description: 'processes that have it mapped' }),
  left_out: leftOut,
});

const ProcessNode = Type.Object({
  node: Type.Literal('process'),
  key,
  pid: Type.Integer(),
  start_time: Type.Integer({
    description: 'clock ticks after boot: with the pid it is one process for good',
  }),
  comm: Type.String(),
  cgroup: Type.String(),
  unit: text('systemd unit, from the cgroup’s path'),
  container: text('container id, from the cgroup’s path'),
  pod: text('uid of the Kubernetes pod, from the cgroup’s path'),
  ecs_task: text('id of the Amazon ECS task, from the cgroup’s path'),
  nomad_task: text('name of the Nomad task, from the cgroup’s path'),
  nomad_allocation: text('id of its allocation'),
});

const FilesystemNode = Type.Object({
  node: Type.Literal('filesystem'),
  key,
  mount: Type.String({ description: 'major:minor' }),
  state: oneOf(['mounted', 'shadowed', 'detached'] as const),
  paths: Type.Array(
    Type.Object({
      path: Type.String(),
      namespace: Type.Integer({ description: 'inode of the mount namespace' }),
      pid: Type.Optional(Type.Integer({ description: 'a process in it; absent where there is none' })),
      bound_at: text('where a mount keeps that namespace'),
    }),
    { description: 'where it is mounted, as it is seen in that mount namespace' },
  ),
  descriptors: Type.Array(DescriptorSchema, { description: 'what keeps a detached one' }),
  working_directories: Type.Optional(
    Type.Array(Type.Integer(), { description: 'processes whose working directory keeps a detached one' }),
  ),
  left_out: leftOut,
});

const AttachmentNode = Type.Object({ node: Type.Literal('attachment'), key, ...HolderAttachment.properties });

/** A node of the graph. */
export const HolderNode = Type.Union([
  ObjectNode,
  PinNode,
  OpenInodeNode,
  FileNode,
  ProcessNode,
  FilesystemNode,
  AttachmentNode,
]);
export type HolderNode = Static<typeof HolderNode>;

/** Who holds whom. */
export const HolderEdge = Type.Object({
  holder: Type.String({ description: 'key of a node' }),
  held: Type.String({ description: 'key of a node' }),
  hold: oneOf([
    'pin',
    'open',
    'mapped',
    'attached',
    'keeps',
    'uses',
    'slot',
    'runs',
    'target',
    'types',
  ] as const),
  slot: text('which slot of the map'),
});
export type HolderEdge = Static<typeof HolderEdge>;

const ObjectRef = Type.Object({
  kind: ObjectKindSchema,
  id: Type.Integer(),
  type: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
});

/** `GET /v1/maps/{id}/holders` and its sisters. */
export const HolderGraph = Type.Object(
  {
    object: ObjectRef,
    observed_at: Time,
    references: References,
    unexplained: Type.Optional(
      Type.Object(
        {
          users: Type.Integer({ description: 'files and pins out of sight; of maps' }),
          kernel: Type.Integer({ description: 'all others' }),
        },
        {
          description: 'what the kernel counts and nobody shows; absent for programs, where it means nothing',
        },
      ),
    ),
    nodes: Type.Array(HolderNode),
    edges: Type.Array(HolderEdge),
    nodes_left_out: Type.Optional(Type.Integer({ description: 'the graph is larger than an answer may be' })),
    edges_left_out: Type.Optional(
      Type.Integer({ description: 'the same of edges between nodes that are shown' }),
    ),
    unavailable: Type.Array(Type.Object({ what: Type.String(), reason: Type.String() }), {
      description: 'what could not be read, so that its silence says nothing',
    }),
  },
  { $id: 'HolderGraph' },
);
export type HolderGraph = Static<typeof HolderGraph>;

/** What would happen if a pin were removed. */
export const UnpinConsequence = Type.Object({
  mount: Type.String(),
  path: PathText,
  path_bytes: Type.Optional(PathBytes),
  holds: ObjectRef,
  hazards: Type.Array(oneOf(hazards)),
  detached: Type.Array(ObjectRef, { description: 'links whose programs would stop running' }),
  freed: Type.Array(ObjectRef, {
    description: 'objects on the way to the one asked about that would be gone',
  }),
  perhaps_freed: Type.Array(ObjectRef, {
    description: 'objects of which it cannot be told what else holds them',
  }),
});
export type UnpinConsequence = Static<typeof UnpinConsequence>;

/** `GET /v1/maps/{id}/why` and its sisters. */
export const WhyDocument = Type.Object(
  {
    ...HolderGraph.properties,
    sentences: Type.Array(Type.String(), { description: 'for people; names in them are escaped' }),
    if_unpinned: Type.Array(UnpinConsequence),
    if_unpinned_left_out: Type.Optional(
      Type.Integer({ description: 'pins on the way of which it is not told what their removal would cost' }),
    ),
  },
  { $id: 'Why' },
);
export type WhyDocument = Static<typeof WhyDocument>;
