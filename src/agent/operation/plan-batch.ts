import type { BatchOperation } from '../../model/schema/request.ts';
import { forPart } from './about.ts';
import { planMakeDirectory, planRemoveDirectory } from './plan-directory.ts';
import { planPatch, planPin, planUnpin } from './plan-pin.ts';
import type { Line, Planning } from './planning.ts';
import { requestedPath } from './requested-path.ts';

/** Plans every line before the first is carried out; an error says which operation it is about. */
export function planBatch(planning: Planning, operations: readonly BatchOperation[]): readonly Line[] {
  return operations.map((operation, index) => {
    const pointer = `/body/operations/${index}`;
    return { ...forPart(pointer, () => planOne(planning, operation)), pointer };
  });
}

function planOne(planning: Planning, operation: BatchOperation): Line {
  const path = requestedPath(operation, 'path');
  const ifMatch = 'if_match' in operation ? operation.if_match : undefined;
  const seen = { ifMatch, createOnly: false };
  switch (operation.op) {
    case 'pin':
      return planPin(planning, path, operation, { ifMatch, createOnly: operation.if_none_match === '*' });
    case 'unpin':
      return planUnpin(planning, path, seen);
    case 'rename':
      return planPatch(planning, path, renamePatch(operation), seen);
    case 'attributes': {
      const { mode, uid, gid, labels, owner } = operation;
      return planPatch(planning, path, definedOf({ mode, uid, gid, labels, owner }), seen);
    }
    case 'mkdir':
      return planMakeDirectory(planning, path, operation, seen);
    case 'rmdir':
      return planRemoveDirectory(planning, path, seen);
  }
}

/** A rename in a batch says `to` where a patch says `path`. */
function renamePatch(operation: Extract<BatchOperation, { readonly op: 'rename' }>) {
  requestedPath(operation, 'to');
  const { to, to_bytes, parents, replace } = operation;
  return definedOf({ path: to, path_bytes: to_bytes, parents, replace });
}

type Defined<Members> = { [Name in keyof Members]?: Exclude<Members[Name], undefined> };

function definedOf<Members extends object>(members: Members): Defined<Members> {
  const defined = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined) as Defined<Members>;
}
