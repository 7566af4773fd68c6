import type { PinPath } from '../../model/path.ts';
import type { OperationKind } from '../../model/schema/operation.ts';
import type { BatchOperation, DirectoryRequest, PinPatch, PinRequest } from '../../model/schema/request.ts';
import type { ChangeContext, MountChoice } from '../agent.ts';
import { planBatch } from './plan-batch.ts';
import { planMakeDirectory, planRemoveDirectory } from './plan-directory.ts';
import { planPatch, planPin, planUnpin } from './plan-pin.ts';
import type { Line, Planning } from './planning.ts';
import type { AroundExchange } from './replace.ts';

/** A change as it was asked for; nothing has been looked at yet. */
export interface ChangeRequest {
  readonly kind: OperationKind;
  readonly mount: MountChoice;
  readonly context: ChangeContext;
  /**
   * The one path it is about, where it concerns nothing else: it may then share a group with changes of
   * other paths. Undefined where it goes alone.
   */
  readonly onlyPath: PinPath | undefined;
  readonly plan: (planning: Planning) => readonly Line[];
  /** The claim that ends where it is applied; it does not stand in its own way. */
  readonly releases?: string;
  /** Done around the exchange, where it puts one pin in the place of another. */
  readonly around?: AroundExchange;
}

/** Where a change is asked for, and by whom. */
export interface Asked {
  readonly mount: MountChoice;
  readonly context: ChangeContext;
  /** As of the change. */
  readonly around?: AroundExchange;
}

/** `PUT /v1/pins/{path}` */
export function pinRequest(path: PinPath, request: PinRequest, asked: Asked): ChangeRequest {
  // Directories may be shared, a source pin is another path, and a process's descriptor counts as ours.
  const isSimple = 'id' in request.source && request.parents !== true && !asked.context.dryRun;
  const plan = (planning: Planning) => [planPin(planning, path, request, asked.context)];
  return { kind: 'pin', ...asked, onlyPath: isSimple ? path : undefined, plan };
}

/** `PATCH /v1/pins/{path}` */
export function patchRequest(path: PinPath, patch: PinPatch, asked: Asked): ChangeRequest {
  const plan = (planning: Planning) => [planPatch(planning, path, patch, asked.context)];
  return { kind: 'attributes', ...asked, onlyPath: undefined, plan };
}

/** `DELETE /v1/pins/{path}` */
export function unpinRequest(path: PinPath, asked: Asked): ChangeRequest {
  const plan = (planning: Planning) => [planUnpin(planning, path, asked.context)];
  return { kind: 'unpin', ...asked, onlyPath: asked.context.dryRun ? undefined : path, plan };
}

/** `PUT /v1/directories/{path}` */
export function makeDirectoryRequest(path: PinPath, request: DirectoryRequest, asked: Asked): ChangeRequest {
  const plan = (planning: Planning) => [planMakeDirectory(planning, path, request, asked.context)];
  return { kind: 'mkdir', ...asked, onlyPath: undefined, plan };
}

/** `DELETE /v1/directories/{path}` */
export function removeDirectoryRequest(path: PinPath, asked: Asked): ChangeRequest {
  const plan = (planning: Planning) => [planRemoveDirectory(planning, path, asked.context)];
  return { kind: 'rmdir', ...asked, onlyPath: undefined, plan };
}

/** `POST /v1/batch` */
export function batchRequest(operations: readonly BatchOperation[], asked: Asked): ChangeRequest {
  const plan = (planning: Planning) => planBatch(planning, operations);
  return { kind: 'batch', ...asked, onlyPath: undefined, plan };
}
