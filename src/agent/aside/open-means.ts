import { MapCopies } from '../copy/map-copies.ts';
import type { DumpHolds } from '../dump/dump-holds.ts';
import type { PinChanges } from '../operation/changes.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import { Asides } from './asides.ts';
import { lookAtPaths } from './look.ts';
import type { PinSetMeans } from './pinset-means.ts';

/** Makes what reconciling pin sets needs, and forgets what lived in another kernel. */
export function openPinSetMeans(from: {
  readonly environment: OperationEnvironment;
  readonly changes: PinChanges;
  readonly holds: DumpHolds;
}): PinSetMeans {
  const { environment, changes, holds } = from;
  const { store, kernel, onStep } = environment;
  store.pinsets.forgetOtherBoots(kernel.facts.bootId);
  const asides = new Asides(environment);
  return {
    look: (paths) => lookAtPaths(environment, paths),
    asides,
    copies: new MapCopies({ environment, asides, holds }, changes),
    onStep,
  };
}
