import { isDeepStrictEqual } from 'node:util';
import { PinfoldError } from '../../model/error.ts';
import { type PinPath, parentOf, pathMembers } from '../../model/path.ts';
import type { PinPatch, PinRequest } from '../../model/schema/request.ts';
import type { Attributes } from '../journal/plan.ts';
import { AttributesMove } from './attributes.ts';
import type { Vacated } from './claimed.ts';
import { isSameObject } from './holds.ts';
import { PinMove } from './pin.ts';
import {
  checkPreconditions,
  type Line,
  type Planning,
  type Preconditions,
  parseMode,
  planParents,
} from './planning.ts';
import { RenameMove } from './rename.ts';
import { ReplaceMove } from './replace.ts';
import { findRequestedPath } from './requested-path.ts';
import { describeObject, quote } from './sentence.ts';
import type { Annotations } from './sink.ts';
import { type HeldSource, holdSource } from './source.ts';
import type { Subject } from './subject.ts';
import { UnpinMove } from './unpin.ts';

/** What a new pin allows, unless the request says otherwise: as the kernel makes it under any umask. */
const defaultMode = 0o600;

/** Who makes a new pin: this process, for as long as it runs. */
const maker = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

/** The members of a request that change a pin without changing what it holds. */
type Wishes = Pick<PinPatch, 'mode' | 'uid' | 'gid' | 'labels' | 'owner'>;

/** `PUT /v1/pins/{path}`: the path shall hold this object. Doing it again changes nothing. */
export function planPin(
  planning: Planning,
  path: PinPath,
  request: PinRequest,
  conditions: Preconditions,
): Line {
  const found = planning.view.find(path);
  checkPreconditions(path, found, conditions);
  const source = holdSource(planning, request.source);
  if (found === undefined) return planNewPin(planning, path, request, source);
  if (!isSameObject(found.object, source.object))
    return planReplace(planning, { path, found, source }, request);
  const moves = planAttributes(planning, { path, subject: found }, request);
  return { kind: 'attributes', path, moves, subject: found, created: false };
}

function planNewPin(planning: Planning, path: PinPath, request: PinRequest, source: HeldSource): Line {
  const { site, view } = planning;
  const directories = planParents(view, path, request.parents);
  view.putDirectories(directories);
  const inherited = view.inheritedGid(parentOf(path));
  const attributes = wishedAttributes(request, {
    mode: defaultMode,
    uid: maker.uid,
    gid: inherited ?? maker.gid,
  });
  const annotations = wishedAnnotations(request, { labels: {}, owner: null, managed: true });
  const { object, held } = source;
  const move = new PinMove(
    site,
    { path, slot: planning.newSlot(), object, attributes, annotations, directories },
    held,
  );
  view.putPin(path, move.subject);
  return { kind: 'pin', path, moves: [move], subject: move.subject, created: true };
}

function planReplace(
  planning: Planning,
  pins: {
    readonly path: PinPath;
    readonly found: Subject;
    readonly source: HeldSource;
  },
  request: PinRequest,
): Line {
  const { path, found, source } = pins;
  const { around } = planning;
  if (request.replace !== true) throw holdsAnother(path, found, source);
  const { object, held } = source;
  const { annotations, attributes } = found.planned;
  const spec = {
    path,
    slot: planning.newSlot(),
    object,
    attributes: wishedAttributes(request, attributes),
    annotations: wishedAnnotations(request, { ...annotations, managed: true }),
  };
  const move = new ReplaceMove(planning.site, spec, { source: held, displaced: found, around });
  planning.view.putPin(path, move.subject);
  const vacates = [{ path, subject: found }];
  return { kind: 'replace', path, moves: [move], vacates, subject: move.subject, created: false };
}

/**
 * `PATCH /v1/pins/{path}`: other permissions, labels or owner, and another name. Labels given replace all.
 */
export function planPatch(
  planning: Planning,
  path: PinPath,
  patch: PinPatch,
  conditions: Preconditions,
): Line {
  const subject = planning.view.get(path);
  checkPreconditions(path, subject, conditions);
  const to = findRequestedPath(patch, 'path') ?? path;
  const attributes = planAttributes(planning, { path, subject }, patch);
  if (to === path) return { kind: 'attributes', path, moves: attributes, subject, created: false };
  const { move, vacates } = planRename(planning, { path, to, subject }, patch);
  return { kind: 'rename', path, moves: [...attributes, move], vacates, subject, created: false };
}

function planRename(
  planning: Planning,
  pin: {
    readonly path: PinPath;
    readonly to: PinPath;
    readonly subject: Subject;
  },
  request: { readonly parents?: boolean; readonly replace?: boolean },
): { readonly move: RenameMove; readonly vacates: readonly Vacated[] } {
  const { site, view } = planning;
  const { path, to, subject } = pin;
  const displaced = view.find(to);
  if (displaced !== undefined && request.replace !== true) throw isTaken(path, to, displaced);
  const directories = displaced === undefined ? planParents(view, to, request.parents) : [];
  view.remove(path);
  view.putDirectories(directories);
  view.putPin(to, subject);
  const where = { path, to, slot: planning.newSlot(), directories, displaced };
  const over = displaced === undefined ? [] : [{ path: to, subject: displaced }];
  return { move: new RenameMove(site, where, subject), vacates: [{ path, subject }, ...over] };
}

/** `DELETE /v1/pins/{path}` */
export function planUnpin(planning: Planning, path: PinPath, conditions: Preconditions): Line {
  const subject = planning.view.get(path);
  checkPreconditions(path, subject, conditions);
  planning.view.remove(path);
  const move = new UnpinMove(planning.site, { path, slot: planning.newSlot() }, subject);
  const vacates = [{ path, subject }];
  return { kind: 'unpin', path, moves: [move], vacates, subject: undefined, created: false };
}

/** No move at all where everything is as it is wished already. */
function planAttributes(
  planning: Planning,
  pin: { readonly path: PinPath; readonly subject: Subject },
  wishes: Wishes,
): readonly AttributesMove[] {
  const { path, subject } = pin;
  const attributes = wishedAttributes(wishes, subject.planned.attributes);
  const annotations = wishedAnnotations(wishes, subject.planned.annotations);
  const wished = { attributes, annotations };
  if (isDeepStrictEqual(wished, subject.planned)) return [];
  subject.planned = wished;
  return [new AttributesMove(planning.site, { path, ...wished }, subject)];
}

function wishedAttributes(wishes: Wishes, now: Attributes): Attributes {
  return {
    mode: wishes.mode === undefined ? now.mode : parseMode(wishes.mode),
    uid: wishes.uid ?? now.uid,
    gid: wishes.gid ?? now.gid,
  };
}

function wishedAnnotations(wishes: Wishes, now: Annotations): Annotations {
  return {
    labels: wishes.labels ?? now.labels,
    owner: wishes.owner === undefined ? now.owner : wishes.owner,
    managed: now.managed,
  };
}

function holdsAnother(path: PinPath, found: Subject, source: HeldSource): PinfoldError {
  const detail =
    `${quote(path)} holds ${describeObject(found.object)}, not ${describeObject(source.object)}; ` +
    '"replace" puts the one in place of the other.';
  return new PinfoldError('pin_exists', {
    detail,
    ...pathMembers(path),
    errno: 'EEXIST',
    existing: found.object,
    requested: source.object,
  });
}

function isTaken(path: PinPath, to: PinPath, there: Subject): PinfoldError {
  const detail = `Cannot rename ${quote(path)}: ${quote(to)} holds ${describeObject(there.object)}.`;
  return new PinfoldError('pin_exists', {
    detail,
    ...pathMembers(to),
    errno: 'EEXIST',
    existing: there.object,
  });
}
