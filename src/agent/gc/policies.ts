import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Clock } from '../../model/clock.ts';
import { isPinfoldError } from '../../model/error.ts';
import type { GcPolicy } from '../../model/gc/policy.ts';
import type { Store } from '../../model/store.ts';
import { ownContext } from '../quarantine/sweep.ts';
import type { Collector } from './collector.ts';

/** Under which name it is stored when policies were carried out last. */
const settingName = 'gc_policies';

/** By policy, when it was carried out last: CLOCK_BOOTTIME of that boot. */
const LastRuns = Type.Object({ boot_id: Type.String(), at_ms: Type.Record(Type.String(), Type.Number()) });

/** What policies are carried out with. */
export interface PolicyParts {
  readonly policies: readonly GcPolicy[];
  readonly collector: Pick<Collector, 'start'>;
  readonly store: Store;
  readonly clock: Clock;
  readonly bootId: string;
  readonly primaryMount: () => string | undefined;
}

/**
 * Starts clean-ups by itself, each policy as often as it says; the first time when that long has passed since
 * the agent first knew of it.
 */
export class GcPolicies {
  readonly #parts: PolicyParts;
  #isRunning = false;

  constructor(parts: PolicyParts) {
    this.#parts = parts;
  }

  /** Called when a pass is over; what is due goes on by itself. */
  afterPass(onFailure: (error: unknown) => void): void {
    if (this.#parts.policies.length === 0 || this.#isRunning) return;
    const mount = this.#parts.primaryMount();
    const due = mount === undefined ? undefined : this.#takeDue();
    if (mount === undefined || due === undefined) return;
    this.#isRunning = true;
    this.#start(due, mount)
      .catch(onFailure)
      .finally(() => {
        this.#isRunning = false;
      });
  }

  async #start({ rules, prefix, minAgeMs, graceMs }: GcPolicy, mount: string): Promise<void> {
    try {
      await this.#parts.collector.start({ rules, prefix, minAgeMs, mount }, graceMs, ownContext);
    } catch (error) {
      // Another clean-up is under way, or the agent stops: there will be another time.
      if (!isPinfoldError(error, 'conflict') && !isPinfoldError(error, 'not_ready')) throw error;
    }
  }

  /** The first policy whose time has come; notes that it is carried out now. */
  #takeDue(): GcPolicy | undefined {
    const { policies, clock, store, bootId } = this.#parts;
    const nowMs = clock.bootMs();
    const known = this.#lastRuns();
    const lastRuns = Object.fromEntries(
      policies.map((policy) => [keyOf(policy), known[keyOf(policy)] ?? nowMs]),
    );
    const due = policies.find((policy) => nowMs - (lastRuns[keyOf(policy)] ?? nowMs) >= policy.everyMs);
    if (due !== undefined) lastRuns[keyOf(due)] = nowMs;
    const text = JSON.stringify({ boot_id: bootId, at_ms: lastRuns });
    if (store.settings.get(settingName) !== text) store.settings.set(settingName, text);
    return due;
  }

  #lastRuns(): Readonly<Record<string, number>> {
    const { store, bootId } = this.#parts;
    const stored: unknown = JSON.parse(store.settings.get(settingName) ?? 'null');
    return Value.Check(LastRuns, stored) && stored.boot_id === bootId ? stored.at_ms : {};
  }
}

/** A policy that is changed is another. */
function keyOf(policy: GcPolicy): string {
  return JSON.stringify(policy);
}
