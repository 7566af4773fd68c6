import { type Static, Type } from 'typebox';
import { oneOf, PathBytes, PathText, Time } from './common.ts';

const closed = { additionalProperties: false } as const;

/** Kinds of objects that specifications are kept of. */
export const specifiedKinds = ['map', 'program'] as const;
/** One of them. */
export type SpecifiedKind = (typeof specifiedKinds)[number];

/** What the kernel does not tell, or not as it was given. */
export const NotRecoverable = Type.Object(
  {
    member: Type.String({ description: 'what would be needed, as this document or bpf(2) calls it' }),
    reason: Type.String(),
  },
  closed,
);
export type NotRecoverable = Static<typeof NotRecoverable>;

/** Of which object a specification is, and what it lacks. To make an object from it, it is not asked for. */
export const SpecificationAbout = Type.Object(
  {
    kind: oneOf(specifiedKinds),
    id: Type.Integer({ description: 'the kernel’s id of the object; ids are reused' }),
    fingerprint: Type.String(),
    state: oneOf(['present', 'gone']),
    read_at: Type.Optional(
      Type.String({ format: 'date-time', description: 'when this was read from the kernel' }),
    ),
    first_seen: Type.Optional(Time),
    gone_at: Type.Optional(Time),
    map_ids: Type.Optional(Type.Array(Type.Integer(), { description: 'of a program: the maps it uses' })),
    not_recoverable: Type.Array(NotRecoverable, {
      description: 'what it takes to make an equal object and is not in here, with reasons',
    }),
  },
  closed,
);
export type SpecificationAbout = Static<typeof SpecificationAbout>;

/** Bytes of a program: instructions, or records about them. */
const Blob = Type.Object(
  {
    base64: Type.String(),
    record_bytes: Type.Integer({ description: 'bytes of one record' }),
    count: Type.Integer(),
  },
  closed,
);

const ReferencedMap = Type.Object(
  {
    id: Type.Integer(),
    type: Type.Optional(Type.String()),
    name: Type.Optional(Type.String()),
    fingerprint: Type.Optional(Type.String()),
    specification: Type.String({ description: 'where its specification is' }),
  },
  closed,
);

const Attachment = Type.Object(
  { link_id: Type.Integer(), link_type: Type.String(), attach_type: Type.Optional(Type.String()) },
  closed,
);

/**
 * All there is to know of what a program was made with. Unlike a map's it is no recipe: the kernel keeps what
 * the verifier made of the instructions, and `about.not_recoverable` says what is missing.
 */
export const ProgramSpecification = Type.Object(
  {
    name: Type.String(),
    type: Type.String({ description: 'as bpftool names it' }),
    tag: Type.String({ description: 'hash of the instructions as they were loaded' }),
    gpl_compatible: Type.Optional(Type.Boolean({ description: 'all that is kept of the licence' })),
    expected_attach_type: Type.Optional(Type.String({ description: 'absent where none applies' })),
    attach_btf: Type.Optional(
      Type.Object(
        {
          btf_id: Type.Optional(Type.Integer({ description: 'BTF object the target is in' })),
          btf_name: Type.Optional(Type.String({ description: 'vmlinux, a module, or of a program' })),
          type_id: Type.Integer(),
          name: Type.Optional(Type.String({ description: 'function it was made for' })),
        },
        closed,
      ),
    ),
    instructions: Type.Optional(
      Type.Object(
        {
          xlated_base64: Type.String({ description: 'after verification, eight bytes a slot' }),
          loaded_base64: Type.Optional(
            Type.String({
              description: 'as they were loaded, with map ids for descriptors; the tag proves them',
            }),
          ),
          count: Type.Integer({ description: 'slots after verification' }),
        },
        closed,
      ),
    ),
    btf: Type.Optional(Type.Object({ blob_base64: Type.String() }, closed)),
    func_info: Type.Optional(Blob),
    line_info: Type.Optional(Blob),
    maps: Type.Array(ReferencedMap, { description: 'maps it uses, by reference' }),
    attachments: Type.Array(Attachment, {
      description: 'links through which it was attached when this was read',
    }),
    about: SpecificationAbout,
  },
  { ...closed, $id: 'ProgramSpecification' },
);
export type ProgramSpecification = Static<typeof ProgramSpecification>;

/** One line of `GET /v1/specifications`. */
export const StoredSpecificationItem = Type.Object({
  kind: oneOf(specifiedKinds),
  id: Type.Integer(),
  fingerprint: Type.String(),
  type: Type.String(),
  name: Type.String(),
  state: oneOf(['present', 'gone']),
  first_seen: Time,
  recorded_at: Time,
  gone_at: Type.Optional(Time),
  pins: Type.Array(
    Type.Object({ mount: Type.String(), path: PathText, path_bytes: Type.Optional(PathBytes) }),
    { description: 'where it is or was pinned, as far as that is remembered' },
  ),
});
export type StoredSpecificationItem = Static<typeof StoredSpecificationItem>;
