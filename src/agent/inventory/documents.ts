import { hash } from 'node:crypto';
import type { Counters } from '../../model/hazard.ts';
import type { PinnableKind } from '../../model/kind.ts';
import { pathMembers } from '../../model/path.ts';
import type { EventSubject } from '../../model/schema/event.ts';
import type { ObjectDocument, References } from '../../model/schema/object.ts';
import type { PinDocument, TreeEntry } from '../../model/schema/pin.ts';
import { etagOfPin } from '../etag.ts';
import type { PinState } from '../operation/sink.ts';
import { factsOf, type NamedEntry } from './entry.ts';
import type { Inventory } from './inventory.ts';
import type { ObjectEntry } from './objects.ts';

/** Permission bits as the API writes them: four octal digits. */
export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** RFC 3339 in milliseconds from nanoseconds since the epoch. */
export function timeText(nanoseconds: bigint): string {
  return new Date(Number(nanoseconds / 1_000_000n)).toISOString();
}

/**
 * A pin as the API shows it; `claims` are the owners who need it, as text, and `firstSeen` since when its
 * inode has been known, where that is.
 */
export function pinDocument(
  pin: PinState & { readonly firstSeen?: string },
  claims: readonly string[] = [],
  firstSeen: string | undefined = pin.firstSeen,
): PinDocument {
  const { inode, object, annotations } = pin;
  return {
    mount: pin.mount,
    ...pathMembers(pin.path),
    kind: object.kind,
    id: object.id,
    type: object.type,
    name: object.name,
    fingerprint: object.fingerprint,
    mode: modeText(inode.mode),
    uid: inode.uid,
    gid: inode.gid,
    links: inode.links,
    inode: inode.inode,
    pinned_at: timeText(inode.mtimeNs),
    labels: annotations.labels,
    owner: annotations.owner,
    managed: annotations.managed,
    claims: [...claims],
    ...(firstSeen === undefined ? {} : { first_seen: firstSeen }),
    etag: etagOfPin(pin),
  };
}

/** An object as the API shows it, with the pins of it that are known. */
export function objectDocument(entry: ObjectEntry, inventory: Inventory, held: HeldBy): ObjectDocument {
  const pins = inventory
    .pinsOf(entry.kind, entry.id)
    .filter((pin) => pin.object.fingerprint === entry.fingerprint);
  return {
    ...entry.info,
    fingerprint: entry.fingerprint,
    pins: pins.map((pin) => ({ mount: pin.mount, ...pathMembers(pin.path) })),
    references: {
      ...references(inventory.countPinnedInodes(entry.kind, entry.id), held),
      ...unheldMember(inventory, entry),
    },
    first_seen: entry.firstSeen,
    etag: etagOfObject(entry.fingerprint),
  };
}

/** The kernel's counters of an object, or why they are not known. */
export type HeldBy = { readonly counters: Counters } | { readonly unavailable: string };

function references(pins: number, held: HeldBy): References {
  if ('unavailable' in held) return { pins, unavailable: held.unavailable };
  const { refcnt, usercnt, writecnt } = held.counters;
  return {
    refcnt: Number(refcnt),
    ...(usercnt === undefined ? {} : { usercnt: Number(usercnt) }),
    ...(writecnt === undefined ? {} : { writecnt: Number(writecnt) }),
    pins,
  };
}

function unheldMember({ objects }: Inventory, { kind, id }: ObjectEntry): Pick<References, 'unheld_since'> {
  const since = objects.unheldOf(kind, id)?.since;
  return since === undefined ? {} : { unheld_since: since };
}

/** The strong entity tag of an object: its URL is a reusable id, so the tag is the fingerprint. */
export function etagOfObject(fingerprint: string): string {
  return `"${hash('sha256', fingerprint, 'base64url').slice(0, 27)}"`;
}

/** One line of the tree. */
export function treeEntry(mount: string, path: string, named: NamedEntry): TreeEntry {
  const facts = factsOf(named);
  return {
    mount,
    ...pathMembers(path),
    entry: named.entry,
    ...(named.entry === 'symlink' ? targetMembers(named.target) : {}),
    ...(named.entry === 'pin' ? objectMembers(named.pin) : {}),
    mode: modeText(facts.mode),
    uid: facts.uid,
    gid: facts.gid,
    mtime: timeText(facts.mtimeNs),
    inode: facts.inode,
  };
}

function targetMembers(target: string): { target: string; target_bytes?: string } {
  const { path, path_bytes } = pathMembers(target);
  return { target: path, ...(path_bytes === undefined ? {} : { target_bytes: path_bytes }) };
}

function objectMembers(pin: PinState): { kind: PinnableKind; id: number; type: string; name: string } {
  const { kind, id, type, name } = pin.object;
  return { kind, id, type, name };
}

/** What an event about a pin is about. */
export function pinSubject(pin: PinState): EventSubject {
  return { mount: pin.mount, ...pathMembers(pin.path), ...objectMembers(pin) };
}

/** What an event about an object is about. */
export function objectSubject({ kind, id, info }: Pick<ObjectEntry, 'kind' | 'id' | 'info'>): EventSubject {
  return { kind, id, type: info.type, ...('name' in info ? { name: info.name } : {}) };
}

/** An object as the history keeps it: what makes it what it is, without who holds it at the moment. */
export function objectHistory({ info, fingerprint }: ObjectEntry): Record<string, unknown> {
  return { ...info, fingerprint };
}
