/**
 * A process that claims pins, or releases them, or recovers, and kills itself with SIGKILL right after the
 * nth passing of a step.
 *
 * claim-victim '{"bpffs":…,"stateDir":…,"act":"unpin","dieAt":"release.committed","nth":1}'
 *
 * It ends with 0 where the step was never reached.
 */

import { ClaimBook } from '../../../src/agent/claim/claim-book.ts';
import { AgentClaims } from '../../../src/agent/claim/claims.ts';
import type { Claims } from '../../../src/agent/claim/contract.ts';
import { Inventory } from '../../../src/agent/inventory/inventory.ts';
import { PinChanges } from '../../../src/agent/operation/changes.ts';
import { recover } from '../../../src/agent/recovery/recover.ts';
import { openKernel } from '../../../src/kernel/open-kernel.ts';
import { parseOwner } from '../../../src/model/claim/owner.ts';
import { PinfoldError } from '../../../src/model/error.ts';
import type { StepName } from '../../../src/model/step.ts';
import { asking, clock, environmentOf, mountId, openStateIn, path } from '../../kernel/changes-fixture.ts';

/** What the process is told. */
export interface ClaimOrders {
  readonly bpffs: string;
  readonly stateDir: string;
  readonly act: 'claim' | 'change' | 'release' | 'unpin' | 'recover';
  readonly dieAt?: StepName;
  readonly nth?: number;
}

const owner = parseOwner('pod');
const paths = ['old', 'other', 'spare'].map(path);

async function carryOut(claims: Claims, act: Exclude<ClaimOrders['act'], 'recover'>): Promise<void> {
  const asked = { mount: undefined, adopts: false };
  const context = asking();
  if (act === 'claim') await claims.put(owner, { ...asked, paths }, context);
  else if (act === 'change') await claims.put(owner, { ...asked, labels: { changed: 'yes' } }, context);
  else await claims.release(owner, { unpins: act === 'unpin' }, context);
}

async function main({ bpffs, stateDir, act, dieAt, nth = 1 }: ClaimOrders): Promise<void> {
  let passed = 0;
  const onStep = (step: StepName): void => {
    if (step === dieAt && ++passed === nth) process.kill(process.pid, 'SIGKILL');
  };
  const kernel = openKernel();
  const store = openStateIn(stateDir, kernel);
  const { bootId } = kernel.facts;
  const primaryMount = () => mountId({ path: bpffs });
  const book = new ClaimBook({ store, clock, bootId, primaryMount, announce: () => undefined });
  const environment = { ...environmentOf({ kernel, store, bpffs: { path: bpffs }, onStep }), claims: book };
  const changes = new PinChanges(environment, () => undefined);
  const reads = {
    pin: () => {
      throw new PinfoldError('pin_not_found');
    },
  };
  const observedAt = () => undefined;
  const inventory = new Inventory();
  const parts = { book, environment, reads, inventory, changes, primaryMount, observedAt };
  if (act === 'recover') recover(environment);
  else await carryOut(new AgentClaims(parts), act);
  store.close();
  kernel[Symbol.dispose]();
}

const [, file = '', orders] = process.argv;
if (orders !== undefined && import.meta.filename === file) await main(JSON.parse(orders));
