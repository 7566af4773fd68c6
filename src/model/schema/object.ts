import { type Static, Type } from 'typebox';
import { BtfInfo } from './btf-info.ts';
import { Time } from './common.ts';
import { LinkInfo } from './link-info.ts';
import { MapInfo } from './map-info.ts';
import { ProgramStatistics } from './program-code.ts';
import { ProgramInfo } from './program-info.ts';

/** What the kernel tells of one object: its info structure and its fdinfo, discriminated by `kind`. */
export type ObjectInfo = MapInfo | ProgramInfo | LinkInfo | BtfInfo;

/**
 * Who holds an object: the kernel's counters, and what is known of the holders. Absent members are not
 * known here.
 */
export const References = Type.Object(
  {
    refcnt: Type.Optional(
      Type.Integer({ description: 'everything that keeps it, our own references left out' }),
    ),
    usercnt: Type.Optional(Type.Integer({ description: 'maps: open files and pinned inodes' })),
    writecnt: Type.Optional(
      Type.Integer({ description: 'maps: mappings that may write, and system calls that are writing' }),
    ),
    pins: Type.Integer({ description: 'pinned inodes seen in all reachable instances' }),
    fds: Type.Optional(
      Type.Integer({ description: 'open files, mapped ones and unlinked pins that are open among them' }),
    ),
    programs: Type.Optional(Type.Integer({ description: 'programs that use it' })),
    maps: Type.Optional(Type.Integer({ description: 'slots of maps it is in' })),
    links: Type.Optional(Type.Integer({ description: 'links that run it or are attached to it' })),
    attachments: Type.Optional(Type.Integer({ description: 'places that hold it without a link' })),
    unexplained: Type.Optional(
      Type.Integer({ description: 'what the kernel counts and nobody shows; never given for programs' }),
    ),
    unheld_since: Type.Optional({
      ...Time,
      description:
        'since when nothing but its own pins has held it, as far as observations tell; ' +
        'absent while something does',
    }),
    holders_observed_at: Type.Optional(Time),
    unavailable: Type.Optional(Type.String({ description: 'why the counters are absent' })),
  },
  { $id: 'References' },
);
export type References = Static<typeof References>;

/** Where an object is pinned. */
export const PinReference = Type.Object({
  mount: Type.String(),
  path: Type.String(),
  path_bytes: Type.Optional(Type.String()),
});
export type PinReference = Static<typeof PinReference>;

const observed = {
  fingerprint: Type.String({
    description: 'what makes this object differ from another that gets the same id',
  }),
  pins: Type.Array(PinReference),
  references: References,
  first_seen: Type.Optional(Time),
  etag: Type.String(),
};

/** `GET /v1/maps/{id}`. */
export const MapDocument = Type.Object({ ...MapInfo.properties, ...observed }, { $id: 'Map' });
/** `GET /v1/programs/{id}`. */
export const ProgramDocument = Type.Object(
  { ...ProgramInfo.properties, ...observed, statistics: Type.Optional(ProgramStatistics) },
  { $id: 'Program' },
);
/** `GET /v1/links/{id}`. */
export const LinkDocument = Type.Object(
  {
    ...LinkInfo.properties,
    ...observed,
    cgroup_path: Type.Optional(
      Type.String({ description: 'where that cgroup is now; only of one link, read from the kernel' }),
    ),
  },
  { $id: 'Link' },
);
/** `GET /v1/btfs/{id}`. */
export const BtfDocument = Type.Object({ ...BtfInfo.properties, ...observed }, { $id: 'Btf' });

/** An object as `GET /v1/maps/{id}` and its sisters answer it. */
export type ObjectDocument =
  | Static<typeof MapDocument>
  | Static<typeof ProgramDocument>
  | Static<typeof LinkDocument>
  | Static<typeof BtfDocument>;
