import { attempting } from '../../kernel/bpffs/refusal.ts';
import { PinfoldError } from '../../model/error.ts';
import { escapeBytes, type PinPath, pathMembers, stagingName } from '../../model/path.ts';
import type { Item } from '../journal/plan.ts';
import type { Change, PinnedObject } from './sink.ts';
import type { factsOf, Site } from './site.ts';
import type { Subject } from './subject.ts';

/** Tells what a move has just done, in the second half of a StepName: `staged`, `renamed`. */
export type Say = (moment: string) => void;

/**
 * How far a move has come. `staged`: the new pin is in its slot. `aside`: the old one is, its new name not
 * yet given. `moved`: names are as asked, and what was displaced is in the slot. `unlinked`: it has lost that
 * name, and is being counted. `retired`: nothing is left to do.
 */
export type Progress = 'untouched' | 'staged' | 'aside' | 'moved' | 'unlinked' | 'retired';

/** A name that goes for good, unless what it holds would be lost with it. */
export interface Losing {
  readonly subject: Subject;
  readonly path: PinPath;
  /** Known once the name has been unlinked: whether the inode had no other. */
  readonly isLastName: boolean | undefined;
  /** Its inode has been closed, so that counters no longer show the reference; the object is still held. */
  readonly isClosed?: boolean;
  /** Where the request asks for it, where it asks for several. */
  readonly pointer?: string;
}

/** Whether a pin that was made may be removed again; recovery says no where that would free the object. */
export type MayDrop = (object: PinnedObject) => boolean;

/**
 * One line of a plan, able to do what it says step by step and to take it back.
 *
 * Each method either does all of its part, or puts things back as they were and throws; what cannot be put
 * back is never removed but left in the slot, and the error is then outcome_unknown.
 */
export interface Move {
  readonly action: string;
  readonly path: PinPath;
  /** What it does, for a dry run. */
  readonly sentence: string;
  readonly progress: Progress;
  /** New pins need a slot before anything visible happens. */
  readonly needsStaging: boolean;
  /** What the journal keeps of it now. */
  item(): Item;
  /** The object that gets one more pin. */
  arriving(): PinnedObject | undefined;
  /** The name that goes, until it has gone. */
  losing(): Losing | undefined;
  stage(say: Say): void;
  apply(say: Say): void;
  /**
   * Takes away for good the name that goes, where one does. Its inode stays open, so that its reference is
   * surely still counted while others are looked for.
   */
  unlink(say: Say): void;
  /** Ends it: nothing that went is missed. */
  retire(): void;
  /**
   * Asks before it drops a pin that the operation itself has made; what may not be dropped stays in its slot.
   */
  undo(mayDrop: MayDrop): void;
  /**
   * What it has done to names, for records and events; after `undo`, what could not be put back quite the
   * same.
   */
  changes(): readonly Change[];
  /**
   * Finds out from the kernel how far an interrupted one had come; `stage` and `apply` then go on from there.
   */
  examine(): void;
  /** Takes it for done, because a later line has been: only the kernel no longer shows it. */
  assumeDone(): void;
}

/** @throws PinfoldError outcome_unknown, saying where the pin is now */
export function strand(slot: string, path: PinPath, cause: unknown): never {
  const shown = escapeBytes(path);
  const why = cause instanceof PinfoldError ? ` (${cause.message})` : '';
  const kept = `is kept as ${stagingName}/${slot}`;
  const detail = `"${shown}" ${kept}: its name could not be given back${why}.`;
  throw new PinfoldError('outcome_unknown', { detail, ...pathMembers(path), staged_as: slot }, cause);
}

/** What an operation says that found another inode than the one it was asked about. */
export function mismatch(path: PinPath): PinfoldError {
  const shown = escapeBytes(path);
  const detail = `The pin at "${shown}" was replaced by somebody else meanwhile; it is as they left it.`;
  return new PinfoldError('identity_mismatch', { detail, ...pathMembers(path) });
}

/**
 * Gives a path back to what is in a slot; never takes the name from anybody. @throws PinfoldError
 * outcome_unknown
 */
export function giveBack(site: Site, slot: string, path: PinPath): void {
  try {
    site.at(path, (place) => site.move(site.slot(slot), place, path));
  } catch (error) {
    strand(slot, path, error);
  }
}

/**
 * Makes a pin anew in its slot for an object that has lost its name but that we still hold, with the
 * permissions it had. It is another inode: the subject's state says so afterwards.
 *
 * @throws PinfoldError outcome_unknown where the kernel refuses
 */
export function pinBack(site: Site, slot: string, subject: Subject): void {
  const { path, inode } = subject.known();
  try {
    letGo(site, slot);
    if (subject.held === undefined) throw new TypeError('nothing holds the object any more');
    site.kernel.objects.pin(subject.held, site.slot(slot));
    using open = site.openSlot(slot);
    subject.update({ inode: site.setAttributes(open, inode) });
  } catch (error) {
    const detail = `The pin at "${escapeBytes(path)}" was removed and could not be made again.`;
    throw new PinfoldError('outcome_unknown', { detail, ...pathMembers(path) }, error);
  }
}

/**
 * Takes the name from what is in a slot, and keeps it open.
 *
 * @param unlinked - called once the name is gone, and again when it is known whether the inode had another
 */
export function unlinkKept(
  site: Site,
  slot: string,
  path: PinPath,
  unlinked: (isLastName?: boolean) => void,
): void {
  const open = site.takeSlot(slot) ?? site.openSlot(slot);
  site.keepSlot(slot, open);
  attempting({ attempt: 'unpin', path }, () => site.kernel.calls.unlinkat(site.slot(slot)));
  unlinked();
  unlinked(site.kernel.bpffs.stat(open.fd).links === 0);
}

/** Lets go of what was kept of a slot. */
export function letGo(site: Site, slot: string): void {
  site.takeSlot(slot)?.[Symbol.dispose]();
}

/** The inode in a slot now; undefined where the slot is empty. */
export function slotInode(site: Site, slot: string): ReturnType<typeof factsOf> | undefined {
  return site.inodeAt(site.slot(slot));
}
