import { PinfoldError } from '../../model/error.ts';
import type { PinPath } from '../../model/path.ts';
import type { PinDocument } from '../../model/schema/pin.ts';
import type { WaitCondition } from '../../model/schema/wait.ts';
import type { EventLog } from '../../model/store.ts';
import type { HolderReads, Reads } from '../agent.ts';

/** What a path holds now. */
export interface Sight {
  readonly pin: PinDocument | null;
  /** Whether what it holds is attached; read when it is asked for. @throws PinfoldError */
  isAttached(): boolean;
}

/** Decides of what was read whether it is what somebody waits for. @throws PinfoldError */
export type Condition = (sight: Sight) => boolean;

/** Makes a waiter's condition; `changed` compares with the tags that are known, or with what was there. */
export function conditionOf(
  wanted: WaitCondition,
  hasChangedSince: () => boolean,
  { first, etags }: { readonly first: Sight; readonly etags: string | undefined },
): Condition {
  switch (wanted) {
    case 'exists':
      return ({ pin }) => pin !== null;
    case 'absent':
      return ({ pin }) => pin === null;
    case 'attached':
      return (sight) => sight.pin !== null && sight.isAttached();
    case 'changed': {
      if (etags !== undefined) return ({ pin }) => !isKnown(etags, pin?.etag);
      if (hasChangedSince()) return () => true;
      const known = first.pin?.etag;
      // An event may come later than what it tells of could be read: then nothing differs, and it counts.
      return ({ pin }) => pin?.etag !== known || hasChangedSince();
    }
  }
}

/** A path without a pin has no tag, so whoever sends one has seen a change; `*` is any pin. */
function isKnown(etags: string, etag: string | undefined): boolean {
  if (etag === undefined) return false;
  return etags.trim() === '*' || etags.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}

/** Tells whether history has an event about a path after a number; what left it by a rename is one. */
export function hasEventSince(
  events: EventLog,
  at: { readonly mount: string | undefined; readonly path: PinPath },
  since: number,
): boolean {
  const { mount, path } = at;
  const there = mount === undefined ? {} : { mount };
  return events.list({ ...there, path, afterSeq: since, limit: 1 }).length > 0;
}

/**
 * Whether a program runs somewhere, or a link still has its target. Of links whose kernel does not tell,
 * being there is all that can be said.
 *
 * @throws PinfoldError invalid_input for a map, not_supported with `--pins-only`
 */
export function isPinAttached(
  { kind, id }: Pick<PinDocument, 'kind' | 'id'>,
  { reads, holders }: { readonly reads: Pick<Reads, 'object'>; readonly holders: HolderReads },
): boolean {
  if (kind === 'map') {
    throw new PinfoldError('invalid_input', {
      detail: 'A map is never attached; wait for exists or changed, or for the program that uses it.',
      errors: [{ pointer: '/query/for', detail: 'attached is for programs and links' }],
    });
  }
  if (id === undefined) return false;
  if (kind === 'link') {
    const { value } = reads.object(kind, id);
    return value.kind === 'link' && value.is_attached !== false;
  }
  const references = holders.referencesOf({ kind, id });
  if (references === undefined) {
    throw new PinfoldError('not_supported', {
      detail: 'This agent runs with --pins-only and never uses ids: where programs run cannot be told.',
    });
  }
  return (references.links ?? 0) > 0 || (references.attachments ?? 0) > 0;
}
