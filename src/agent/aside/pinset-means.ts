import type { ObservedPath } from '../../model/cluster/pinset/observed.ts';
import type { PinPath } from '../../model/path.ts';
import type { MapCopies } from '../copy/map-copies.ts';
import type { Asides } from './asides.ts';

/** What reconciling pin sets needs of an agent beside the operations that everybody may ask for. */
export interface PinSetMeans {
  /** What paths of the primary instance are now, read from the kernel. @throws PinfoldError */
  look(paths: readonly PinPath[]): Promise<ReadonlyMap<PinPath, ObservedPath>>;
  /** Second pins that protect names. */
  readonly asides: Pick<Asides, 'hold' | 'letGo' | 'list'>;
  /** Maps that are copied into others. */
  readonly copies: Pick<MapCopies, 'advance' | 'abandon' | 'list'>;
  /** Tells a test how far it has come. */
  readonly onStep: (step: 'pinset.applied' | 'pinset.step_done') => void;
}
