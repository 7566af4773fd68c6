import { type Item, type Plan, restorePin, type SavedPin } from '../journal/plan.ts';
import { AttributesMove } from '../operation/attributes.ts';
import { MakeDirectoryMove, RemoveDirectoryMove } from '../operation/directory.ts';
import type { Move } from '../operation/move.ts';
import { PinMove } from '../operation/pin.ts';
import { RenameMove } from '../operation/rename.ts';
import { ReplaceMove } from '../operation/replace.ts';
import type { Site } from '../operation/site.ts';
import { Subject } from '../operation/subject.ts';
import { UnpinMove } from '../operation/unpin.ts';
import { DiscardMove } from '../quarantine/discard-move.ts';
import { QuarantineMove } from '../quarantine/quarantine-move.ts';
import { RestoreMove } from '../quarantine/restore-move.ts';

/**
 * The moves of a plan, as the process that died had them, but with nothing held: what an object's only holder
 * was is in a slot or under a name. An item that waited for an earlier one to make its pin has not begun, and
 * is left out.
 */
export function reviveMoves(site: Site, plan: Plan): readonly Move[] {
  return plan.items.flatMap((item) => revive(site, item) ?? []);
}

function revive(site: Site, item: Item): Move | undefined {
  switch (item.kind) {
    case 'pin': {
      const move = new PinMove(site, item, undefined);
      move.subject.state = stateOf(site, item.made);
      return move;
    }
    case 'replace': {
      const displaced =
        subjectOf(site, item.expected) ?? new Subject({ object: item.object, held: undefined }, item);
      const move = new ReplaceMove(site, item, { source: undefined, displaced, around: undefined });
      move.subject.state = stateOf(site, item.made);
      return move;
    }
    case 'unpin':
      return withSubject(site, item.expected, (subject) => new UnpinMove(site, item, subject));
    case 'rename':
      return withSubject(site, item.expected, (subject) => {
        if (item.displaced === null) return undefined;
        const displaced = item.displaced === undefined ? undefined : subjectOf(site, item.displaced);
        return new RenameMove(site, { ...item, displaced }, subject);
      });
    case 'attributes':
      return withSubject(site, item.expected, (subject) => new AttributesMove(site, item, subject));
    case 'mkdir':
      return new MakeDirectoryMove(site, item);
    case 'rmdir':
      return new RemoveDirectoryMove(site, item.path, item.before);
    case 'quarantine':
      return withSubject(
        site,
        item.expected,
        (subject) => new QuarantineMove(site, item, unchecked(subject)),
      );
    case 'restore':
      return withSubject(site, item.expected, (subject) => new RestoreMove(site, item, subject));
    case 'discard':
      return withSubject(site, item.expected, (subject) => new DiscardMove(site, item, unchecked(subject)));
  }
}

/** Recovery takes nothing away, so that there is nothing to check. */
function unchecked(subject: Subject) {
  return { subject, check: () => undefined };
}

function stateOf(site: Site, saved: SavedPin | null): ReturnType<typeof restorePin> | undefined {
  return saved === null ? undefined : restorePin(saved, { mount: site.mount, instance: site.instance });
}

function subjectOf(site: Site, saved: SavedPin | null): Subject | undefined {
  const state = stateOf(site, saved);
  return state === undefined ? undefined : Subject.of(state, undefined);
}

function withSubject(
  site: Site,
  saved: SavedPin | null,
  make: (subject: Subject) => Move | undefined,
): Move | undefined {
  const subject = subjectOf(site, saved);
  return subject === undefined ? undefined : make(subject);
}
