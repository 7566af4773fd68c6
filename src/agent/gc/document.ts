import type { GcPin, GcPlan } from '../../model/gc/plan.ts';
import { limits } from '../../model/limits.ts';
import { pathMembers } from '../../model/path.ts';
import type { GcDocument } from '../../model/schema/gc.ts';

/** How a plan is shown: everything that would go, and what stays though a rule objects to it. */
export function gcDocument(
  { lines, more, passed }: GcPlan,
  about: {
    readonly operationId: string | undefined;
    readonly dryRun: boolean;
    readonly graceMs: number;
    readonly at: Date;
  },
): GcDocument {
  return {
    dry_run: about.dryRun,
    operation_id: about.operationId ?? null,
    grace_seconds: about.graceMs / 1000,
    pins: lines.length,
    more,
    memory_bytes: sumMemory(lines),
    plan: lines.map((line) => ({
      ...membersOf(line),
      why: line.why,
      age_seconds: Math.floor(line.ageMs / 1000),
      hazards: [...line.hazards],
      lost: line.lost,
      ...memoryOf(line),
    })),
    passed: passed
      .slice(0, limits.gcPassedMax)
      .map((each) => ({ ...membersOf(each), reason: each.reason, why: each.why })),
    passed_total: passed.length,
    observed_at: about.at.toISOString(),
  };
}

function membersOf({ object, pin, rule }: GcPin) {
  const { kind, id, type } = object;
  const name = 'name' in object ? { name: object.name } : {};
  return { mount: pin.mount, ...pathMembers(pin.path), kind, id, type, ...name, rule };
}

function memoryOf({ object }: GcPin): { readonly memory_bytes?: number } {
  return object.kind === 'link' || object.memlock === undefined ? {} : { memory_bytes: object.memlock };
}

/** Each object once, however many pins of it go. */
function sumMemory(lines: readonly GcPin[]): number {
  const bytes = new Map(lines.map((line) => [line.object, memoryOf(line).memory_bytes ?? 0]));
  return [...bytes.values()].reduce((sum, each) => sum + each, 0);
}
