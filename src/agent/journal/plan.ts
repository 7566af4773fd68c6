import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { PinPath } from '../../model/path.ts';
import { PinnableKindSchema } from '../../model/schema/common.ts';
import type { Annotations, PinnedObject, PinState } from '../operation/sink.ts';

/** A byte string that a parser of model/path.ts has made before it was written down. */
const SavedPath = Type.Unsafe<PinPath>(Type.String({ minLength: 1 }));

const SavedAnnotations = Type.Unsafe<Annotations>(
  Type.Object({
    labels: Type.Record(Type.String(), Type.String()),
    owner: Type.Union([Type.String(), Type.Null()]),
    managed: Type.Boolean(),
  }),
);

const SavedObject = Type.Unsafe<PinnedObject>(
  Type.Object({
    kind: PinnableKindSchema,
    id: Type.Integer(),
    type: Type.String(),
    name: Type.String(),
    fingerprint: Type.String(),
  }),
);

/** Final permissions of a pin or directory. */
export const Attributes = Type.Object({ mode: Type.Integer(), uid: Type.Integer(), gid: Type.Integer() });
export type Attributes = Static<typeof Attributes>;

/** A PinState as JSON carries it; mount and instance are those of the intent or the record. */
export const SavedPin = Type.Object({
  path: SavedPath,
  inode: Type.Integer(),
  mtimeNs: Type.String({ pattern: '^\\d+$' }),
  ctimeNs: Type.String({ pattern: '^\\d+$' }),
  links: Type.Integer(),
  attributes: Attributes,
  object: SavedObject,
  annotations: SavedAnnotations,
});
/** A PinState as JSON carries it. */
export type SavedPin = Static<typeof SavedPin>;

const Slot = Type.String({ description: 'name of the entry in the staging directory' });
const Directories = Type.Array(SavedPath, {
  description: 'missing when the operation was planned, outermost first',
});

/** A pin an item works on; null where an earlier item of the same batch has yet to make it. */
const Expected = Type.Union([SavedPin, Type.Null()]);

/** A new pin under a name that was free. */
export const PinItem = Type.Object({
  kind: Type.Literal('pin'),
  path: SavedPath,
  slot: Slot,
  object: SavedObject,
  attributes: Attributes,
  annotations: SavedAnnotations,
  directories: Directories,
  /** What was made, once that is known. */
  made: Expected,
});
/** A new pin under a name that was free. */
export type PinItem = Static<typeof PinItem>;

/** A new pin that displaces another. */
export const ReplaceItem = Type.Object({
  kind: Type.Literal('replace'),
  path: SavedPath,
  slot: Slot,
  object: SavedObject,
  attributes: Attributes,
  annotations: SavedAnnotations,
  expected: Expected,
  made: Expected,
});
/** A new pin that displaces another. */
export type ReplaceItem = Static<typeof ReplaceItem>;

/** A pin that goes. */
export const UnpinItem = Type.Object({
  kind: Type.Literal('unpin'),
  path: SavedPath,
  slot: Slot,
  expected: Expected,
});
/** A pin that goes. */
export type UnpinItem = Static<typeof UnpinItem>;

/** A pin that gets another name. */
export const RenameItem = Type.Object({
  kind: Type.Literal('rename'),
  path: SavedPath,
  to: SavedPath,
  slot: Slot,
  expected: Expected,
  /** What is at the new name and shall go; absent where the name is free. */
  displaced: Type.Optional(Expected),
  directories: Directories,
});
/** A pin that gets another name. */
export type RenameItem = Static<typeof RenameItem>;

/** New permissions, labels or owner of a pin. */
export const AttributesItem = Type.Object({
  kind: Type.Literal('attributes'),
  path: SavedPath,
  expected: Expected,
  attributes: Attributes,
  annotations: SavedAnnotations,
});
/** New permissions, labels or owner of a pin. */
export type AttributesItem = Static<typeof AttributesItem>;

/** A directory that shall be there. */
export const MakeDirectoryItem = Type.Object({
  kind: Type.Literal('mkdir'),
  path: SavedPath,
  directories: Directories,
  attributes: Type.Partial(Attributes),
  /** Of the directory that is already there; null where it is to be made. */
  before: Type.Union([Attributes, Type.Null()]),
});
/** A directory that shall be there. */
export type MakeDirectoryItem = Static<typeof MakeDirectoryItem>;

/** A directory that goes. */
export const RemoveDirectoryItem = Type.Object({
  kind: Type.Literal('rmdir'),
  path: SavedPath,
  before: Attributes,
});
/** A directory that goes. */
export type RemoveDirectoryItem = Static<typeof RemoveDirectoryItem>;

/** Why a pin is in quarantine, and until when. */
export const SavedNote = Type.Object({
  id: Type.String(),
  rule: Type.Union([Type.String(), Type.Null()]),
  why: Type.String(),
  run: Type.Union([Type.String(), Type.Null()]),
  minAgeMs: Type.Number(),
  quarantinedAt: Type.String(),
  dueBoottimeMs: Type.Union([Type.Number(), Type.Null()]),
});
/** Why a pin is in quarantine, and until when. */
export type SavedNote = Static<typeof SavedNote>;

const quarantined = { path: SavedPath, slot: Slot, expected: Expected, note: SavedNote };

/** A pin that is moved aside and kept there. */
export const QuarantineItem = Type.Object({ kind: Type.Literal('quarantine'), ...quarantined });
/** A pin that is moved aside and kept there. */
export type QuarantineItem = Static<typeof QuarantineItem>;

/** A kept pin that gets its name back. */
export const RestoreItem = Type.Object({
  kind: Type.Literal('restore'),
  ...quarantined,
  directories: Directories,
});
/** A kept pin that gets its name back. */
export type RestoreItem = Static<typeof RestoreItem>;

/** A kept pin that goes for good. */
export const DiscardItem = Type.Object({ kind: Type.Literal('discard'), ...quarantined });
/** A kept pin that goes for good. */
export type DiscardItem = Static<typeof DiscardItem>;

/** One line of a plan: what recovery needs to finish it or to take it back. */
export const Item = Type.Union([
  PinItem,
  ReplaceItem,
  UnpinItem,
  RenameItem,
  AttributesItem,
  MakeDirectoryItem,
  RemoveDirectoryItem,
  QuarantineItem,
  RestoreItem,
  DiscardItem,
]);
export type Item = Static<typeof Item>;

/**
 * How far an operation of several items had come: `open` from the intent on, `moving` once all new pins are
 * staged and known, `retiring` once every name is as asked and only displaced pins remain, `undoing` once it
 * has failed. An operation of one item stays `open`: the kernel itself shows how far it came.
 */
const Phase = Type.Union([
  Type.Literal('open'),
  Type.Literal('moving'),
  Type.Literal('retiring'),
  Type.Literal('undoing'),
]);
/** How far an operation of several items had come. */
export type Phase = Static<typeof Phase>;

/** What the journal keeps of an operation for recovery: `Intent.plan`. */
export const Plan = Type.Object({
  version: Type.Literal(1),
  mount: Type.String(),
  phase: Phase,
  items: Type.Array(Item),
  /** The id of the claim that ends where it is applied. */
  releases: Type.Optional(Type.String()),
});
export type Plan = Static<typeof Plan>;

/** Checks a plan that the journal has given back; undefined where it is not one this version wrote. */
export function parsePlan(json: unknown): Plan | undefined {
  return Value.Check(Plan, json) ? json : undefined;
}

/**
 * A pin's state as the journal keeps it, under the name an item finds it by (an earlier item may still have
 * to give it that name); null where it is yet to be made.
 */
export function savePin(state: PinState | undefined, path: PinPath): SavedPin | null {
  if (state === undefined) return null;
  const { inode } = state;
  return {
    path,
    inode: inode.inode,
    mtimeNs: String(inode.mtimeNs),
    ctimeNs: String(inode.ctimeNs),
    links: inode.links,
    attributes: { mode: inode.mode, uid: inode.uid, gid: inode.gid },
    object: state.object,
    annotations: state.annotations,
  };
}

/** The state that was saved, in the instance the intent names. */
export function restorePin(
  saved: SavedPin,
  where: { readonly mount: string; readonly instance: string },
): PinState {
  return {
    ...where,
    path: saved.path,
    inode: {
      inode: saved.inode,
      mtimeNs: BigInt(saved.mtimeNs),
      ctimeNs: BigInt(saved.ctimeNs),
      links: saved.links,
      ...saved.attributes,
    },
    object: saved.object,
    annotations: saved.annotations,
  };
}
