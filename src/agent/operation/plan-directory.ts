import type { PinPath } from '../../model/path.ts';
import type { DirectoryRequest } from '../../model/schema/request.ts';
import type { Attributes } from '../journal/plan.ts';
import { attributesOf, MakeDirectoryMove, RemoveDirectoryMove } from './directory.ts';
import {
  checkPreconditions,
  type Line,
  type Planning,
  type Preconditions,
  parseMode,
  planParents,
  untagged,
} from './planning.ts';

/**
 * `PUT /v1/directories/{path}`: a directory shall be there. One that is, is given only what the request
 * names.
 */
export function planMakeDirectory(
  planning: Planning,
  path: PinPath,
  request: DirectoryRequest,
  conditions: Preconditions,
): Line {
  const { site, view } = planning;
  const missing = view.missingDirectories(path);
  const isThere = missing.length === 0;
  checkPreconditions(path, isThere ? untagged : undefined, conditions);
  const directories = isThere ? [] : [...planParents(view, path, request.parents), path];
  const wished = wishedAttributes(request);
  const facts = isThere ? view.directoryFacts(path) : undefined;
  const before = facts === undefined ? null : attributesOf(facts);
  view.putDirectories(directories, ((wished.mode ?? 0) & 0o2000) === 0 ? undefined : wished.gid);
  const isDone = isThere && isWithin(wished, before);
  const moves = isDone
    ? []
    : [new MakeDirectoryMove(site, { path, directories, attributes: wished, before })];
  return { kind: 'mkdir', path, moves, subject: undefined, created: !isThere };
}

/** `DELETE /v1/directories/{path}`: only an empty one goes. */
export function planRemoveDirectory(planning: Planning, path: PinPath, conditions: Preconditions): Line {
  const { site, view } = planning;
  view.assertDirectory(path);
  checkPreconditions(path, untagged, conditions);
  const facts = view.directoryFacts(path);
  const before = facts === undefined ? { mode: 0o755, uid: 0, gid: 0 } : attributesOf(facts);
  view.remove(path);
  const moves = [new RemoveDirectoryMove(site, path, before)];
  return { kind: 'rmdir', path, moves, subject: undefined, created: false };
}

function wishedAttributes(request: DirectoryRequest): Partial<Attributes> {
  return {
    ...(request.mode === undefined ? {} : { mode: parseMode(request.mode) }),
    ...(request.uid === undefined ? {} : { uid: request.uid }),
    ...(request.gid === undefined ? {} : { gid: request.gid }),
  };
}

function isWithin(wished: Partial<Attributes>, now: Attributes | null): boolean {
  if (now === null) return Object.keys(wished).length === 0;
  return JSON.stringify({ ...now, ...wished }) === JSON.stringify(now);
}
