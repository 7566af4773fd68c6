import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { PinPath } from '../../model/path.ts';
import type { OperationDocument } from '../../model/schema/operation.ts';
import type { BatchOperation, DirectoryRequest, PinPatch, PinRequest } from '../../model/schema/request.ts';
import type { ChangeContext, ChangeResult, Changes, MountChoice } from '../agent.ts';
import { carryOut, type Done } from './carry-out.ts';
import type { OperationEnvironment } from './environment.ts';
import {
  batchRequest,
  type ChangeRequest,
  makeDirectoryRequest,
  patchRequest,
  pinRequest,
  removeDirectoryRequest,
  unpinRequest,
} from './request.ts';

/** A change that waits for its turn, and whoever waits for it. */
interface Waiting {
  readonly request: ChangeRequest;
  readonly resolve: (result: ChangeResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Every way in which a node's pins are changed.
 *
 * What is asked for in one turn of the event loop is carried out at the end of it, in one critical section,
 * in the order in which it came. When a promise resolves, its change is applied, recorded and seen by reads.
 */
export class PinChanges implements Changes {
  readonly #environment: OperationEnvironment;
  readonly #beforeChanges: () => void;
  #waiting: Waiting[] = [];

  /** `beforeChanges` settles what earlier changes have left unsettled. */
  constructor(environment: OperationEnvironment, beforeChanges: () => void) {
    this.#environment = environment;
    this.#beforeChanges = beforeChanges;
  }

  pin(path: PinPath, mount: MountChoice, request: PinRequest, context: ChangeContext): Promise<ChangeResult> {
    return this.ask(pinRequest(path, request, { mount, context }));
  }

  patch(path: PinPath, mount: MountChoice, patch: PinPatch, context: ChangeContext): Promise<ChangeResult> {
    return this.ask(patchRequest(path, patch, { mount, context }));
  }

  unpin(path: PinPath, mount: MountChoice, context: ChangeContext): Promise<ChangeResult> {
    return this.ask(unpinRequest(path, { mount, context }));
  }

  makeDirectory(
    path: PinPath,
    mount: MountChoice,
    request: DirectoryRequest,
    context: ChangeContext,
  ): Promise<ChangeResult> {
    return this.ask(makeDirectoryRequest(path, request, { mount, context }));
  }

  removeDirectory(path: PinPath, mount: MountChoice, context: ChangeContext): Promise<ChangeResult> {
    return this.ask(removeDirectoryRequest(path, { mount, context }));
  }

  batch(
    operations: readonly BatchOperation[],
    mount: MountChoice,
    context: ChangeContext,
  ): Promise<ChangeResult> {
    return this.ask(batchRequest(operations, { mount, context }));
  }

  operation(id: string): OperationDocument | undefined {
    return this.#environment.store.journal.find(id);
  }

  /** Carries a change out at once, for who holds its own critical section. @throws as the change rejects */
  askNow(request: ChangeRequest): ChangeResult {
    const [done] = this.#outcomesOf([request]);
    if (done !== undefined && 'result' in done) return done.result;
    throw done?.error;
  }

  /** Asks for a change of any kind. */
  ask(request: ChangeRequest): Promise<ChangeResult> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= limits.changesWaitingMax) throw tooMany();
      if (this.#waiting.length === 0) setImmediate(() => this.#carryOut());
      this.#waiting.push({ request, resolve, reject });
    });
  }

  #carryOut(): void {
    const now = this.#waiting.splice(0, limits.changesAGroupMax);
    if (this.#waiting.length > 0) setImmediate(() => this.#carryOut());
    const done = this.#outcomesOf(now.map(({ request }) => request));
    for (const [index, { resolve, reject }] of now.entries()) {
      const outcome = done[index];
      if (outcome !== undefined && 'result' in outcome) resolve(outcome.result);
      else reject(outcome?.error);
    }
  }

  /** A defect is an answer to those who wait, not the end of the agent. */
  #outcomesOf(requests: readonly ChangeRequest[]): readonly Done[] {
    try {
      this.#beforeChanges();
      return carryOut(this.#environment, requests);
    } catch (error) {
      return requests.map(() => ({ error }));
    }
  }
}

function tooMany(): PinfoldError {
  const detail = `More than ${limits.changesWaitingMax} changes are waiting to be carried out.`;
  return new PinfoldError('overloaded', { detail, retry_after: 1 });
}
