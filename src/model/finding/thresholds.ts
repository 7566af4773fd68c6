import { parseDurationMs } from '../duration.ts';
import { limits } from '../limits.ts';
import { type PinPath, parsePath, textOf } from '../path.ts';
import { isRecord } from '../record.ts';
import { type RuleId, ruleIds } from '../word-lists.ts';

/** How much memory the maps of an owner, or below a directory, may take. */
export interface MemoryBudget {
  readonly of: { readonly owner: string } | { readonly prefix: PinPath };
  readonly bytes: number;
}

/** When something is worth a finding: `findings:` in the configuration file. */
export interface Thresholds {
  /** How long nothing but its pins must have held an object, and how long one process alone. */
  readonly minAgeMs: number;
  /** What is younger is still being set up. */
  readonly settleMs: number;
  /** Entries of a map as a share of what fits. */
  readonly mapFullRatio: number;
  /** So many copies of one program are no finding yet. */
  readonly programCopiesMax: number;
  readonly memoryBudgets: readonly MemoryBudget[];
  /** Findings of one rule that are kept; how many more there would be is told with the rule. */
  readonly perRuleMax: number;
  /** Rules that are not tried. */
  readonly off: ReadonlySet<RuleId>;
}

/** No count of the configuration goes beyond this. */
const countMax = 100_000;

/** What holds where the configuration says nothing. */
export const usualThresholds: Thresholds = {
  minAgeMs: 3_600_000,
  settleMs: 60_000,
  mapFullRatio: 0.9,
  programCopiesMax: 16,
  memoryBudgets: [],
  perRuleMax: limits.findingsPerRuleMax,
  off: new Set(),
};

/** Reads `findings:`. @throws RangeError that says in one sentence what is wrong */
export function parseThresholds(document: unknown): Thresholds {
  if (document === undefined || document === null) return usualThresholds;
  if (!isRecord(document)) throw new RangeError('"findings" must map names to values.');
  const { min_age, settle, map_full_ratio, program_copies, memory_budgets, per_rule, off, ...rest } =
    document;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new RangeError(`"${unknown}" is not a setting of findings.`);
  return {
    minAgeMs: durationOf('min_age', min_age) ?? usualThresholds.minAgeMs,
    settleMs: durationOf('settle', settle) ?? usualThresholds.settleMs,
    mapFullRatio: ratioOf(map_full_ratio) ?? usualThresholds.mapFullRatio,
    programCopiesMax: countOf('program_copies', program_copies) ?? usualThresholds.programCopiesMax,
    memoryBudgets: arrayOf('memory_budgets', memory_budgets).map(budgetOf),
    perRuleMax: countOf('per_rule', per_rule) ?? usualThresholds.perRuleMax,
    off: new Set(arrayOf('off', off).map(ruleOf)),
  };
}

/** What a budget is of, for sentences. */
export function budgetName({ of }: MemoryBudget): string {
  return 'owner' in of ? `owner ${JSON.stringify(of.owner)}` : `"${textOf(of.prefix)}"`;
}

function durationOf(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const ms = typeof value === 'string' ? parseDurationMs(value) : undefined;
  if (ms === undefined) throw new RangeError(`findings.${name} wants a time such as 30s or 24h.`);
  return ms;
}

function ratioOf(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && value > 0 && value <= 1) return value;
  throw new RangeError('findings.map_full_ratio wants a number above 0, 1 at most.');
}

function countOf(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= countMax)
    return value;
  throw new RangeError(`findings.${name} wants a whole number from 1 to ${countMax}.`);
}

function arrayOf(name: string, value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw new RangeError(`findings.${name} wants a list.`);
}

function ruleOf(value: unknown): RuleId {
  const known = ruleIds.find((id) => id === value);
  if (known !== undefined) return known;
  throw new RangeError(`"${String(value)}" is not a rule; findings.off takes ${ruleIds.join(', ')}.`);
}

function budgetOf(value: unknown): MemoryBudget {
  const { owner, prefix, bytes, ...rest } = isRecord(value) ? value : {};
  const size = bytesOfText(bytes);
  const isOne = (owner === undefined) !== (prefix === undefined);
  if (size === undefined || !isOne || Object.keys(rest).length > 0) {
    throw new RangeError('A memory budget is {prefix: DIRECTORY, bytes: 64MiB}, or owner for prefix.');
  }
  if (typeof owner === 'string') return { of: { owner }, bytes: size };
  if (typeof prefix === 'string') return { of: { prefix: parsePath(prefix) }, bytes: size };
  throw new RangeError('The owner or prefix of a memory budget must be a text.');
}

const units = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

function bytesOfText(value: unknown): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,15})(KiB|MiB|GiB)?$/.exec(String(value)) ?? [];
  const factor = Object.entries(units).find(([name]) => name === unit)?.[1];
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}
