import { PinfoldError } from '../../model/error.ts';
import { type PinPath, parentOf, pathMembers } from '../../model/path.ts';
import type { OperationKind } from '../../model/schema/operation.ts';
import { etagOfPin, matchesEtag } from '../etag.ts';
import type { Vacated } from './claimed.ts';
import type { OperationEnvironment } from './environment.ts';
import type { Holds } from './holds.ts';
import type { Move } from './move.ts';
import type { AroundExchange } from './replace.ts';
import { quote } from './sentence.ts';
import type { Site } from './site.ts';
import type { Subject } from './subject.ts';
import type { View } from './view.ts';

/** What planning stands on: one instance, what it holds, and the slots of one operation. */
export interface Planning {
  readonly environment: OperationEnvironment;
  readonly site: Site;
  readonly view: View;
  readonly holds: Holds;
  /** Another name in the staging directory; no other operation of any agent has it. */
  readonly newSlot: () => string;
  /** Done around the exchange, where the change puts one pin in the place of another. */
  readonly around: AroundExchange | undefined;
}

/** What a caller saw, or wants to be the first to make. */
export interface Preconditions {
  readonly ifMatch: string | undefined;
  readonly createOnly: boolean;
}

/** One request, planned: the moves that carry it out, and what is answered when they have. */
export interface Line {
  readonly kind: OperationKind;
  readonly path: PinPath;
  readonly moves: readonly Move[];
  /** Names that will not hold what they held; none unless told. */
  readonly vacates?: readonly Vacated[];
  /** The pin the answer shows. */
  readonly subject: Subject | undefined;
  readonly created: boolean;
  /** Where the request asks for it, where it asks for several: `/body/operations/3`. */
  readonly pointer?: string;
}

/** What is there and has no entity tag: of what If-Match may say, only `*` is true of it. */
export const untagged: Pick<Subject, 'state'> = { state: undefined };

/** @throws PinfoldError precondition_failed */
export function checkPreconditions(
  path: PinPath,
  found: Pick<Subject, 'state'> | undefined,
  { ifMatch, createOnly }: Preconditions,
): void {
  if (createOnly && found !== undefined) throw failed(path, 'there is something at this path already');
  if (ifMatch === undefined) return;
  if (found === undefined) throw failed(path, 'there is nothing at this path');
  const etag = found.state === undefined ? undefined : etagOfPin(found.state);
  if (etag === undefined ? ifMatch.trim() !== '*' : !matchesEtag(ifMatch, etag)) {
    throw failed(path, 'it is not what If-Match says', etag);
  }
}

/**
 * The directories to make before a name can be. @throws PinfoldError parent_not_found unless they may be made
 */
export function planParents(view: View, path: PinPath, mayMake: boolean | undefined): readonly PinPath[] {
  const missing = view.missingDirectories(parentOf(path));
  const [first] = missing;
  if (first === undefined || mayMake === true) return missing;
  const detail = `The directory ${quote(first)} does not exist; "parents" makes what is missing.`;
  throw new PinfoldError('parent_not_found', { detail, ...pathMembers(path), ...view.answerAt(first) });
}

/** Permission bits from their octal text, as ModeText allows it. */
export function parseMode(text: string): number {
  return Number.parseInt(text, 8);
}

function failed(path: PinPath, why: string, etag?: string): PinfoldError {
  const detail = `Nothing was done to ${quote(path)}: ${why}.`;
  return new PinfoldError('precondition_failed', {
    detail,
    ...pathMembers(path),
    ...(etag === undefined ? {} : { etag }),
  });
}
