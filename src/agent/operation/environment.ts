import type { Kernel } from '../../kernel/kernel.ts';
import type { Clock } from '../../model/clock.ts';
import type { OperationReport } from '../../model/statistics.ts';
import type { OnStep } from '../../model/step.ts';
import type { Store } from '../../model/store.ts';
import type { OperationClaims } from './claimed.ts';
import type { ChangeSink, MountFinder, QuarantineSink } from './sink.ts';

/** What every change and recovery stand on; made once, in create-agent.ts. */
export interface OperationEnvironment {
  readonly kernel: Kernel;
  readonly store: Store;
  readonly sink: ChangeSink;
  readonly quarantine: QuarantineSink;
  /** Who needs which pin: taking one away from its owner is a hazard. */
  readonly claims: OperationClaims;
  readonly mounts: MountFinder;
  readonly clock: Clock;
  /**
   * Of this agent's state directory; begins the name of each staging entry, since two agents may share an
   * instance.
   */
  readonly agentUuid: string;
  readonly newOperationId: () => string;
  /** `--read-only`: every change is refused. */
  readonly isReadOnly: boolean;
  /** `--pins-only`: ids are never used, neither as a source nor to count. */
  readonly usesIds: boolean;
  /** Tests stop or interfere here. */
  readonly onStep: OnStep;
  /** Told where outcomes could not be recorded: their intents are still open. */
  readonly onUnsettled: () => void;
  /** Told of each change that was asked for, refused ones too. */
  readonly onOperation: (report: OperationReport) => void;
}
