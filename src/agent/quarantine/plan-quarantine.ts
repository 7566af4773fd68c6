import { PinfoldError } from '../../model/error.ts';
import { type PinPath, parsePathBytes, pathMembers } from '../../model/path.ts';
import type { QuarantineRecord } from '../../model/store.ts';
import { noAnnotations } from '../inventory/annotations.ts';
import type { SavedNote } from '../journal/plan.ts';
import { isSameObject, pinnedObjectOf } from '../operation/holds.ts';
import { mismatch } from '../operation/move.ts';
import { type Line, type Planning, planParents } from '../operation/planning.ts';
import type { Asked, ChangeRequest } from '../operation/request.ts';
import { describeObject, quote } from '../operation/sentence.ts';
import type { PinState } from '../operation/sink.ts';
import { factsOf, isInode } from '../operation/site.ts';
import { Subject } from '../operation/subject.ts';
import { DiscardMove } from './discard-move.ts';
import { type Check, QuarantineMove } from './quarantine-move.ts';
import { noteOf, pinOf } from './records.ts';
import { RestoreMove } from './restore-move.ts';
import { type Unwanted, unwantedCheck } from './unwanted.ts';

/** A pin that shall go into quarantine, as it was seen. */
export interface Candidate {
  readonly pin: PinState;
  readonly note: Omit<SavedNote, 'id'>;
  readonly terms: Unwanted;
}

/** Moves a pin aside, if it is what was seen and nobody needs it. */
export function quarantineRequest({ pin, note, terms }: Candidate, asked: Asked): ChangeRequest {
  const { path } = pin;
  const plan = (planning: Planning): readonly Line[] => {
    const subject = planning.view.get(path);
    if (!isInode(subject.state?.inode, pin)) throw mismatch(path);
    const { environment, site, holds } = planning;
    const check = unwantedCheck({ environment, site, holds, subject, path }, terms);
    check();
    const slot = planning.newSlot();
    const id = idOf(slot, environment.agentUuid);
    planning.view.remove(path);
    const move = new QuarantineMove(site, { path, slot, note: { ...note, id } }, { subject, check });
    return [{ kind: 'quarantine', path, moves: [move], subject: undefined, created: false }];
  };
  return { kind: 'quarantine', ...asked, onlyPath: path, plan };
}

/** Gives a pin the name back that it had. @throws PinfoldError pin_exists with what is there, conflict… */
export function restoreRequest(record: QuarantineRecord, asked: Asked): ChangeRequest {
  const plan = (planning: Planning): readonly Line[] => {
    const { slot } = record;
    const path = pathOf(record);
    const there = planning.view.find(path);
    if (there !== undefined) throw isTaken(path, there);
    const subject = openSlot(planning, record);
    const directories = planParents(planning.view, path, true);
    const move = new RestoreMove(planning.site, { path, slot, note: noteOf(record), directories }, subject);
    planning.view.putDirectories(directories);
    planning.view.putPin(path, subject);
    return [{ kind: 'restore', path, moves: [move], subject, created: true }];
  };
  const onlyPath = asked.context.dryRun ? undefined : pathOf(record);
  return { kind: 'restore', ...asked, onlyPath, plan };
}

/**
 * Removes a pin from quarantine for good. With `terms` it must be what was recorded, and nobody may need it;
 * without, hazards are all that is asked about.
 */
export function discardRequest(
  record: QuarantineRecord,
  terms: Unwanted | undefined,
  asked: Asked,
): ChangeRequest {
  const path = pathOf(record);
  const plan = (planning: Planning): readonly Line[] => {
    const { environment, site, holds } = planning;
    const subject = openSlot(planning, record);
    const known = pinOf(record);
    const isRecorded = known !== undefined && isInode(subject.known().inode, known);
    if (terms !== undefined && !isRecorded) throw mismatch(path);
    const suspect = { environment, site, holds, subject, path };
    const check: Check = terms === undefined ? () => undefined : unwantedCheck(suspect, terms);
    check();
    const where = { path, slot: record.slot, note: noteOf(record) };
    const move = new DiscardMove(site, where, { subject, check });
    const vacates = [{ path, subject }];
    return [{ kind: 'discard', path, moves: [move], subject: undefined, created: false, vacates }];
  };
  return { kind: 'discard', ...asked, onlyPath: asked.context.dryRun ? undefined : path, plan };
}

/**
 * What is in a slot now, held until the operation ends, with the labels and owner it had. Where an undone
 * removal has pinned it again it is another inode, never another object: what somebody else has put there is
 * theirs, and left alone.
 */
function openSlot({ site, holds, view }: Planning, record: QuarantineRecord): Subject {
  const path = pathOf(record);
  using open = site.instance === record.instance ? site.findSlot(record.slot) : undefined;
  if (open === undefined) throw isGone(path, 'somebody has removed it there');
  if (open.type !== 'file') throw isGone(path, 'something else is in its place');
  view.noteLinks(open);
  const held = holds.add(site.kernel.objects.holdPinned(open.fd, holds));
  const { mount, instance } = site;
  const known = pinOf(record);
  const annotations = known?.annotations ?? noAnnotations;
  const object = pinnedObjectOf(held);
  const isOther = known !== undefined && !isSameObject(known.object, object);
  if (isOther) throw isGone(path, `${describeObject(object)} is in its place`);
  return Subject.of({ mount, instance, path, inode: factsOf(open), object, annotations }, held);
}

function pathOf({ path }: QuarantineRecord): PinPath {
  return parsePathBytes(Buffer.from(path, 'latin1'));
}

/** The part of a slot's name that is not the agent's. */
function idOf(slot: string, agentUuid: string): string {
  return slot.slice(agentUuid.length + 1);
}

function isTaken(path: PinPath, there: Subject): PinfoldError {
  const detail = `Cannot restore ${quote(path)}: it holds ${describeObject(there.object)} by now.`;
  return new PinfoldError('pin_exists', {
    detail,
    ...pathMembers(path),
    errno: 'EEXIST',
    existing: there.object,
  });
}

function isGone(path: PinPath, why: string): PinfoldError {
  const detail = `What was at ${quote(path)} is no longer in quarantine: ${why}.`;
  return new PinfoldError('quarantine_not_found', { detail, ...pathMembers(path) });
}
