/**
 * A process that carries out one change, or a recovery, and kills itself with SIGKILL right after the nth
 * passing of a step.
 *
 * victim '{"bpffs":…,"stateDir":…,"dieAt":"pin.staged","nth":1,"change":{…}}'
 *
 * Without `change` it recovers. It ends with 0 where the step was never reached.
 */

import { recover } from '../../../src/agent/recovery/recover.ts';
import { openKernel } from '../../../src/kernel/open-kernel.ts';
import type { Hazard } from '../../../src/model/hazard.ts';
import type { BatchOperation, PinPatch, PinRequest } from '../../../src/model/schema/request.ts';
import type { StepName } from '../../../src/model/step.ts';
import { asking, environmentOf, ImmediateChanges, openStateIn, path } from '../../kernel/changes-fixture.ts';

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

/** What the process is told. */
export interface Orders {
  readonly bpffs: string;
  readonly stateDir: string;
  readonly dieAt: StepName;
  readonly nth: number;
  /** Throws at this passing of a visible step, so that things are taken back. */
  readonly failAt?: number;
  readonly change?: Change;
}

/** Carries a change out. */
export function apply(changes: ImmediateChanges, change: Change): void {
  switch (change.do) {
    case 'pin':
      return void changes.pin(
        path(change.path),
        undefined,
        change.request,
        asking({ accept: new Set(change.accept) }),
      );
    case 'patch':
      return void changes.patch(path(change.path), undefined, change.patch, asking());
    case 'unpin':
      return void changes.unpin(path(change.path), undefined, asking());
    case 'batch':
      return void changes.batch(change.operations, undefined, asking());
  }
}

function main(orders: Orders): void {
  let passed = 0;
  let visible = 0;
  const onStep = (step: StepName): void => {
    if (step === orders.dieAt && ++passed === orders.nth) process.kill(process.pid, 'SIGKILL');
    if (step === 'batch.step_done' && ++visible === orders.failAt) throw new Error('a defect at this step');
  };
  const kernel = openKernel();
  const store = openStateIn(orders.stateDir, kernel);
  const environment = environmentOf({ kernel, store, bpffs: { path: orders.bpffs }, onStep });
  if (orders.change === undefined) recover(environment);
  else apply(new ImmediateChanges(environment), orders.change);
  store.close();
  kernel[Symbol.dispose]();
}

const [, file = '', orders] = process.argv;
if (orders !== undefined && import.meta.filename === file) main(JSON.parse(orders));
