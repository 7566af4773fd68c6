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
  readonly collector: Pick<Collector, 'start' | 'isBusy'>;
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
    const { policies, collector, clock } = this.#parts;
    if (policies.length === 0 || this.#isRunning || collector.isBusy) return;
    const mount = this.#parts.primaryMount();
    const nowMs = clock.bootMs();
    const due = mount === undefined ? undefined : this.#findDue(nowMs);
    if (mount === undefined || due === undefined) return;
    this.#isRunning = true;
    this.#start(due, { mount, nowMs })
      .catch(onFailure)
      .finally(() => {
        this.#isRunning = false;
      });
  }

  /** Where another clean-up has begun meanwhile, or the agent stops, it stays due. */
  async #start(policy: GcPolicy, { mount, nowMs }: { mount: string; nowMs: number }): Promise<void> {
    const { rules, prefix, minAgeMs, graceMs } = policy;
    let isPutOff = false;
    try {
      await this.#parts.collector.start({ rules, prefix, minAgeMs, mount }, graceMs, ownContext);
    } catch (error) {
      isPutOff = isPinfoldError(error, 'conflict') || isPinfoldError(error, 'not_ready');
      if (!isPutOff) throw error;
    } finally {
      if (!isPutOff) this.#note({ ...this.#lastRuns(), [keyOf(policy)]: nowMs });
    }
  }

  /** Of the policies whose time has come the one that waits longest, so that none keeps another from it. */
  #findDue(nowMs: number): GcPolicy | undefined {
    const { policies } = this.#parts;
    const known = this.#lastRuns();
    const lastRuns = Object.fromEntries(
      policies.map((policy) => [keyOf(policy), known[keyOf(policy)] ?? nowMs]),
    );
    this.#note(lastRuns);
    const restMs = (policy: GcPolicy) => (lastRuns[keyOf(policy)] ?? nowMs) + policy.everyMs - nowMs;
    const [first] = policies.toSorted((one, other) => restMs(one) - restMs(other));
    return first !== undefined && restMs(first) <= 0 ? first : undefined;
  }

  #note(lastRuns: Readonly<Record<string, number>>): void {
    const { store, bootId } = this.#parts;
    const text = JSON.stringify({ boot_id: bootId, at_ms: lastRuns });
    if (store.settings.get(settingName) !== text) store.settings.set(settingName, text);
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
