import { isPinfoldError } from '../../model/error.ts';
import type { OperationEnvironment } from '../operation/environment.ts';
import { type RecoveryReport, recover } from './recover.ts';

/**
 * Recovery at the start, and again for what could not be recovered then because its instance was out of
 * reach, and for what could not be recorded since because the disk was full.
 */
export class Recovery {
  readonly #environment: OperationEnvironment;
  #isWaiting = false;
  #hasUnsettled = false;

  constructor(environment: OperationEnvironment) {
    this.#environment = environment;
  }

  run(whileRunning = false): RecoveryReport {
    const report = recover(this.#environment, whileRunning);
    this.#isWaiting = report.waiting.length > 0;
    this.#hasUnsettled = false;
    return report;
  }

  noteUnsettled(): void {
    this.#hasUnsettled = true;
  }

  /**
   * Settles what could not be recorded. An observation that came before it would take our own changes for
   * somebody else's, so it fails while this does. @throws PinfoldError storage_full, storage_failed
   */
  settleNow(): void {
    if (this.#hasUnsettled) this.run(true);
  }

  /** The same before the next changes; where it fails, they will find out themselves. */
  trySettling(): void {
    try {
      this.settleNow();
    } catch (error) {
      if (!isPinfoldError(error)) throw error;
    }
  }

  tryAgain(): void {
    if (this.#isWaiting) this.run(true);
  }
}
