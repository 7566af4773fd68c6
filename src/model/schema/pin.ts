import { type Static, Type } from 'typebox';
import { Labels, PathBytes, PathText, PinnableKindSchema, Time } from './common.ts';

/** A pin as the kernel shows it, with what Pinfold stored about it (labels, owner, managed). */
export const PinDocument = Type.Object(
  {
    mount: Type.String({ description: 'major:minor of the bpffs instance, such as 0:39' }),
    path: PathText,
    path_bytes: Type.Optional(PathBytes),
    kind: PinnableKindSchema,
    id: Type.Optional(Type.Integer({ description: 'the kernel’s id of the object; ids are reused' })),
    type: Type.Optional(Type.String({ description: 'as bpftool names it: hash, sched_cls, tcx…' })),
    name: Type.Optional(Type.String({ description: 'the object’s own name, cut to 15 bytes by the kernel' })),
    fingerprint: Type.Optional(Type.String()),
    unreadable: Type.Optional(
      Type.String({ description: 'why the object behind the name could not be read' }),
    ),
    mode: Type.String(),
    uid: Type.Integer(),
    gid: Type.Integer(),
    links: Type.Integer({ description: 'names of this inode (hard links); they share one reference' }),
    inode: Type.Integer(),
    pinned_at: Time,
    labels: Labels,
    owner: Type.Union([Type.String(), Type.Null()]),
    managed: Type.Boolean({ description: 'made or replaced through Pinfold' }),
    claims: Type.Array(Type.String()),
    first_seen: Type.Optional(Time),
    etag: Type.String(),
  },
  { $id: 'Pin' },
);
export type PinDocument = Static<typeof PinDocument>;

/** One line of `GET /v1/tree`. */
export const TreeEntry = Type.Object(
  {
    mount: Type.String(),
    path: PathText,
    path_bytes: Type.Optional(PathBytes),
    entry: Type.Union([
      Type.Literal('directory'),
      Type.Literal('pin'),
      Type.Literal('symlink'),
      Type.Literal('other'),
    ]),
    target: Type.Optional(Type.String({ description: 'where a symbolic link points' })),
    target_bytes: Type.Optional(PathBytes),
    kind: Type.Optional(PinnableKindSchema),
    id: Type.Optional(Type.Integer()),
    type: Type.Optional(Type.String()),
    name: Type.Optional(Type.String()),
    mode: Type.Optional(Type.String()),
    uid: Type.Optional(Type.Integer()),
    gid: Type.Optional(Type.Integer()),
    mtime: Type.Optional(Time),
    inode: Type.Integer(),
  },
  { $id: 'TreeEntry' },
);
export type TreeEntry = Static<typeof TreeEntry>;

/** One mount point at which an instance (or a part of it) is seen. */
export const MountPath = Type.Object({
  path: Type.String({ description: 'as the processes of that mount namespace see it' }),
  path_bytes: Type.Optional(PathBytes),
  namespace: Type.Integer({ description: 'inode of the mount namespace' }),
  pid: Type.Integer({ description: 'a process in it, through whose /proc/PID/root it is reached' }),
  subtree: Type.Optional(Type.String({ description: 'the part of the instance a bind mount shows' })),
  shadowed: Type.Boolean({ description: 'another mount lies over it' }),
  read_only: Type.Boolean(),
});
export type MountPath = Static<typeof MountPath>;

/** One bpffs superblock, at all the places from which it can be seen. */
export const MountDocument = Type.Object(
  {
    id: Type.String({ description: 'major:minor' }),
    instance: Type.String({ description: 'boot id, major:minor and marker inode: never used again' }),
    primary: Type.Boolean({ description: 'the one requests address without ?mount=' }),
    paths: Type.Array(MountPath),
    mode: Type.Optional(Type.String({ description: 'permission bits of its root' })),
    uid: Type.Optional(Type.Integer()),
    gid: Type.Optional(Type.Integer()),
    read_only: Type.Boolean(),
    shadowed: Type.Boolean({ description: 'every path of it is shadowed' }),
    reachable: Type.Boolean(),
    unreachable_reason: Type.Optional(Type.String()),
  },
  { $id: 'Mount' },
);
export type MountDocument = Static<typeof MountDocument>;
