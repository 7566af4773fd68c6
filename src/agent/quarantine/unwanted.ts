import { PinfoldError } from '../../model/error.ts';
import { spanWords } from '../../model/finding/words.ts';
import { escapeBytes, type PinPath, pathMembers } from '../../model/path.ts';
import type { GcPassedReason } from '../../model/schema/gc.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import type { Holds } from '../operation/holds.ts';
import { describeObject, quote } from '../operation/sentence.ts';
import type { PinState } from '../operation/sink.ts';
import { isInode, type Site } from '../operation/site.ts';
import type { Subject } from '../operation/subject.ts';
import type { Check } from './quarantine-move.ts';

/** Another pin of the same object that goes, too: in its slot already, or still under its name. */
export interface Kin {
  readonly pin: PinState;
  readonly slot: string | undefined;
}

/** What a pin must be for nobody to miss it. */
export interface Unwanted {
  readonly minAgeMs: number;
  /** How long ago a moment of the wall clock was, never more than is certain. */
  readonly ageMs: (wallMs: number) => number;
  readonly kin: readonly Kin[];
}

/** What a check looks at. */
export interface Suspect {
  readonly environment: OperationEnvironment;
  readonly site: Site;
  readonly holds: Holds;
  readonly subject: Subject;
  readonly path: PinPath;
}

/**
 * Proves, each time it is called, that nobody needs a pin: nobody claims its path, it is old enough, and the
 * kernel counts no reference on its object but ours and those of its pins that go, each of which it finds
 * where it was. Its own inode must be there, or held open by the caller.
 *
 * @throws PinfoldError conflict, its member `still` being a GcPassedReason; not_supported where the kernel's
 * counters cannot be read, since nothing is ruled out then
 */
export function unwantedCheck(suspect: Suspect, terms: Unwanted): Check {
  return () => {
    assertUnclaimed(suspect);
    assertOld(suspect, terms);
    assertUnheld(suspect, terms);
  };
}

/** Why a check refused; undefined for other failures. */
export function stillOf(error: PinfoldError): string | undefined {
  const { still } = error.details;
  return typeof still === 'string' ? still : undefined;
}

function assertUnclaimed({ environment, site, path }: Suspect): void {
  const [first] = environment.claims.claimsOf({ mount: site.mount, path });
  if (first !== undefined) throw needed(path, 'claimed', `"${escapeBytes(first.owner)}" claims it`);
}

function assertOld({ subject, path }: Suspect, { minAgeMs, ageMs }: Unwanted): void {
  const age = ageMs(Number(subject.known().inode.mtimeNs / 1_000_000n));
  if (age >= minAgeMs) return;
  throw needed(path, 'too_young', `it was pinned ${spanWords(age)} ago, less than ${spanWords(minAgeMs)}`);
}

function assertUnheld({ environment, site, holds, subject, path }: Suspect, { kin }: Unwanted): void {
  const { object, held } = subject;
  const { counters } = environment.kernel;
  const why = environment.usesIds ? counters.unavailable(object.kind) : 'this agent runs with --pins-only';
  if (why !== undefined)
    throw new PinfoldError('not_supported', { detail: `Reference counts are not available: ${why}.` });
  const counted = counters.readOne(object.kind, object.id, held?.fd);
  const inodes = new Set([subject.known().inode.inode]);
  for (const { pin, slot } of kin) {
    const there = slot === undefined ? findAt(site, pin.path) : site.inodeAt(site.slot(slot));
    if (isInode(there, pin)) inodes.add(pin.inode.inode);
  }
  const others =
    counted === undefined ? undefined : counted.refcnt - BigInt(holds.countOf(object) + inodes.size);
  if (others !== undefined && others <= 0n) return;
  const who =
    others === undefined ? 'something' : others === 1n ? 'another holder' : `${others} other holders`;
  throw needed(path, 'held', `${who} may be using ${describeObject(object)}`);
}

function findAt(site: Site, path: PinPath) {
  return site.lookAt(path, (place) => site.inodeAt(place));
}

function needed(path: PinPath, still: GcPassedReason, why: string): PinfoldError {
  const detail = `${quote(path)} stays: ${why}.`;
  return new PinfoldError('conflict', { detail, ...pathMembers(path), still });
}
