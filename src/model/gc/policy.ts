import { parseDurationMs } from '../duration.ts';
import { limits } from '../limits.ts';
import { type PinPath, parsePath } from '../path.ts';
import { isRecord } from '../record.ts';
import { type GcRule, gcRules } from '../word-lists.ts';

/** A clean-up that is done by itself. */
export interface GcPolicy {
  readonly rules: readonly GcRule[];
  readonly prefix: PinPath | undefined;
  readonly minAgeMs: number;
  readonly graceMs: number;
  readonly everyMs: number;
}

/** How this agent cleans up: `gc:` in the configuration file. */
export interface GcSettings {
  /** How long a pin must have been there, and stays in quarantine, where a request does not say. */
  readonly minAgeMs: number;
  readonly graceMs: number;
  readonly pinsASecond: number;
  /** None: nothing is cleaned up unless somebody asks. */
  readonly policies: readonly GcPolicy[];
}

/** What holds where the configuration says nothing. */
export const usualGc: GcSettings = {
  minAgeMs: 24 * 3_600_000,
  graceMs: 24 * 3_600_000,
  pinsASecond: limits.gcPinsASecondDefault,
  policies: [],
};

/** Reads `gc:`. @throws RangeError that says in one sentence what is wrong; PinfoldError bad_path */
export function parseGcSettings(document: unknown): GcSettings {
  if (document === undefined || document === null) return usualGc;
  if (!isRecord(document)) throw new RangeError('"gc" must map names to values.');
  const { min_age, grace, pins_a_second, policies, ...rest } = document;
  assertKnown('gc', rest);
  const minAgeMs = durationOf('gc.min_age', min_age) ?? usualGc.minAgeMs;
  const graceMs = durationOf('gc.grace', grace) ?? usualGc.graceMs;
  const given = policies ?? [];
  if (!Array.isArray(given) || given.length > limits.gcPoliciesMax)
    throw new RangeError(`gc.policies wants a list of ${limits.gcPoliciesMax} at most.`);
  return {
    minAgeMs,
    graceMs,
    pinsASecond: paceOf(pins_a_second) ?? usualGc.pinsASecond,
    policies: given.map((policy) => policyOf(policy, { minAgeMs, graceMs })),
  };
}

function policyOf(value: unknown, usual: { readonly minAgeMs: number; readonly graceMs: number }): GcPolicy {
  if (!isRecord(value)) throw new RangeError('A policy of gc is {rules: […], every: 1h, …}.');
  const { rules, prefix, min_age, grace, every, ...rest } = value;
  assertKnown('gc.policies', rest);
  const everyMs = durationOf('every', every);
  if (everyMs === undefined || everyMs < limits.gcEveryMsMin)
    throw new RangeError('A policy of gc wants "every", of at least 1m.');
  if (prefix !== undefined && typeof prefix !== 'string')
    throw new RangeError('The prefix of a policy of gc must be a text.');
  return {
    rules: rulesOf(rules),
    prefix: prefix === undefined ? undefined : parsePath(prefix),
    minAgeMs: durationOf('min_age', min_age) ?? usual.minAgeMs,
    graceMs: durationOf('grace', grace) ?? usual.graceMs,
    everyMs,
  };
}

function rulesOf(value: unknown): readonly GcRule[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new RangeError(`A policy of gc wants "rules", of ${gcRules.join(' and ')}.`);
  return value.map((rule) => {
    const known = gcRules.find((id) => id === rule);
    if (known !== undefined) return known;
    throw new RangeError(`"${String(rule)}" is not a rule to clean up by; there are ${gcRules.join(', ')}.`);
  });
}

function durationOf(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const ms = typeof value === 'string' ? parseDurationMs(value) : undefined;
  if (ms === undefined) throw new RangeError(`"${name}" wants a time such as 30m or 24h.`);
  return ms;
}

function paceOf(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const isPace = typeof value === 'number' && Number.isSafeInteger(value);
  if (isPace && value >= 1 && value <= limits.gcPinsASecondMax) return value;
  throw new RangeError(`gc.pins_a_second wants a whole number from 1 to ${limits.gcPinsASecondMax}.`);
}

function assertKnown(of: string, rest: Readonly<Record<string, unknown>>): void {
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new RangeError(`"${unknown}" is not a setting of ${of}.`);
}
