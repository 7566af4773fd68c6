import { hash } from 'node:crypto';
import type { PinState } from './operation/sink.ts';

/**
 * The strong entity tag of a pin, quotes included: its identity, its object's fingerprint, its mode, uid,
 * gid, labels and owner.
 *
 * Whoever sends it back in `If-Match` says exactly what they saw. Names and hard links are not part of it:
 * labels and owner follow a rename, and so may a tag.
 */
export function etagOfPin(pin: Pick<PinState, 'instance' | 'inode' | 'object' | 'annotations'>): string {
  const { inode, object, annotations } = pin;
  const labels = Object.entries(annotations.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  // Without the instance's marker: it may appear between a read and the change that sends the tag.
  const facts = [
    pin.instance.slice(0, pin.instance.lastIndexOf('/')),
    inode.inode,
    String(inode.mtimeNs),
    object.kind,
    object.id,
    object.fingerprint,
    inode.mode,
    inode.uid,
    inode.gid,
    labels,
    annotations.owner,
  ];
  return `"${hash('sha256', JSON.stringify(facts), 'base64url').slice(0, 27)}"`;
}

/**
 * Tells whether an `If-Match` value allows a change to what has this tag (RFC 9110, 13.1.1): `*`, or one of
 * its tags is the same. Weak tags never match: strong comparison is what the header asks for.
 */
export function matchesEtag(ifMatch: string, etag: string): boolean {
  if (ifMatch.trim() === '*') return true;
  return ifMatch.split(',').some((tag) => tag.trim() === etag);
}
