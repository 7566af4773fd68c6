/**
 * A process that carries out changes together, or a recovery, and kills itself with SIGKILL right after the
 * nth passing of a step.
 *
 * victim '{"bpffs":…,"stateDir":…,"dieAt":"pin.staged","nth":1,"changes":[…]}'
 *
 * Without `changes` it recovers. It ends with 0 where the step was never reached.
 */

import { carryOut } from '../../../src/agent/operation/carry-out.ts';
import type { OperationEnvironment } from '../../../src/agent/operation/environment.ts';
import {
  type Asked,
  batchRequest,
  type ChangeRequest,
  patchRequest,
  pinRequest,
  unpinRequest,
} from '../../../src/agent/operation/request.ts';
import { discardRequest, restoreRequest } from '../../../src/agent/quarantine/plan-quarantine.ts';
import { stillOf } from '../../../src/agent/quarantine/unwanted.ts';
import { recover } from '../../../src/agent/recovery/recover.ts';
import { openKernel } from '../../../src/kernel/open-kernel.ts';
import { isPinfoldError } from '../../../src/model/error.ts';
import type { Hazard } from '../../../src/model/hazard.ts';
import type { BatchOperation, PinPatch, PinRequest } from '../../../src/model/schema/request.ts';
import type { StepName } from '../../../src/model/step.ts';
import { asking, environmentOf, openStateIn, path } from '../../kernel/changes-fixture.ts';
import { anyAge, quarantining, seen } from '../../kernel/quarantine-fixture.ts';
import { until } from '../../support/until.ts';

/** A change as it travels to the process. */
export type Change =
  | {
      readonly do: 'pin';
      readonly path: string;
      readonly request: PinRequest;
      readonly accept?: readonly Hazard[];
    }
  | { readonly do: 'patch'; readonly path: string; readonly patch: PinPatch }
  | { readonly do: 'unpin'; readonly path: string }
  | { readonly do: 'batch'; readonly operations: readonly BatchOperation[] };

/** What is done with a pin that goes into quarantine, or is there. */
export interface KeptChange {
  readonly do: 'quarantine' | 'restore' | 'discard' | 'discard if unwanted';
  readonly path: string;
}

/** What the process is told. */
export interface Orders {
  readonly bpffs: string;
  readonly stateDir: string;
  readonly dieAt: StepName;
  readonly nth: number;
  /** Throws at this passing of a visible step, so that things are taken back. */
  readonly failAt?: number;
  readonly changes?: readonly (Change | KeptChange)[];
}

/** A change as an agent gets it. */
function requestOf(environment: OperationEnvironment, change: Change | KeptChange): ChangeRequest {
  const asked = { mount: undefined, context: asking() };
  switch (change.do) {
    case 'pin': {
      const context = asking({ accept: new Set(change.accept) });
      return pinRequest(path(change.path), change.request, { mount: undefined, context });
    }
    case 'patch':
      return patchRequest(path(change.path), change.patch, asked);
    case 'unpin':
      return unpinRequest(path(change.path), asked);
    case 'batch':
      return batchRequest(change.operations, asked);
    default:
      return keptRequest(environment, change, asked);
  }
}

function keptRequest(environment: OperationEnvironment, change: KeptChange, asked: Asked): ChangeRequest {
  if (change.do === 'quarantine') return quarantining(environment, seen(environment, change.path));
  const { store, mounts } = environment;
  const record = store.quarantine.findAt(mounts.findMount(undefined).id, change.path);
  if (record === undefined) throw new Error(`${change.path} is not in quarantine`);
  if (change.do === 'restore') return restoreRequest(record, asked);
  const context = asking({ accept: new Set(['last_reference']) });
  const terms = { minAgeMs: 0, ageMs: anyAge, kin: [] };
  const isOwn = change.do === 'discard if unwanted';
  return discardRequest(record, isOwn ? terms : undefined, { mount: undefined, context });
}

/**
 * Carries changes out together, and throws what the first failed with. False where it was that somebody holds
 * what nobody may hold: whoever only looks in passing is gone the next time.
 */
function apply(environment: OperationEnvironment, changes: readonly (Change | KeptChange)[]): boolean {
  const requests = changes.map((change) => requestOf(environment, change));
  const failed = carryOut(environment, requests).find((done) => 'error' in done);
  if (failed === undefined || !('error' in failed)) return true;
  if (isPinfoldError(failed.error, 'conflict') && stillOf(failed.error) === 'held') return false;
  throw failed.error;
}

async function main(orders: Orders): Promise<void> {
  let passed = 0;
  let visible = 0;
  const onStep = (step: StepName): void => {
    if (step === orders.dieAt && ++passed === orders.nth) process.kill(process.pid, 'SIGKILL');
    if (step === 'batch.step_done' && ++visible === orders.failAt) throw new Error('a defect at this step');
  };
  const kernel = openKernel();
  const store = openStateIn(orders.stateDir, kernel);
  const environment = environmentOf({ kernel, store, bpffs: { path: orders.bpffs }, onStep });
  const { changes } = orders;
  if (changes === undefined) recover(environment);
  else await until('nobody looks at it', () => apply(environment, changes));
  store.close();
  kernel[Symbol.dispose]();
}

const [, file = '', orders] = process.argv;
if (orders !== undefined && import.meta.filename === file) await main(JSON.parse(orders));
