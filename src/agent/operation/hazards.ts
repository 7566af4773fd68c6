import { type ErrorDetails, PinfoldError } from '../../model/error.ts';
import { type Counters, type Hazard, hazardSentences, hazardsOf } from '../../model/hazard.ts';
import { pathMembers } from '../../model/path.ts';
import { type CountedObjects, lossOf } from './counted.ts';
import type { Losing } from './move.ts';
import { describeObject } from './sentence.ts';
import type { PinnedObject } from './sink.ts';
import { type AtStake, atStake, type Stakes } from './stakes.ts';

/** What one object would suffer from the names that go. */
export interface Finding {
  readonly object: PinnedObject;
  readonly losing: readonly Losing[];
  readonly hazards: readonly Hazard[];
  /** One sentence a hazard, or why nothing can be ruled out. */
  readonly reasons: readonly string[];
}

/**
 * Decides, from the kernel's counters of each object that loses names, what the operation as a whole would
 * cost.
 *
 * Where counters cannot be read nothing is ruled out: every hazard the kind knows is then found, with that
 * reason, and the caller must accept them by name.
 */
export function findHazards(counted: CountedObjects, stakes: Stakes): readonly Finding[] {
  return atStake(stakes).map((one) => findOne(one, counted.of(one)));
}

function findOne(one: AtStake, counters: Counters | string): Finding {
  const { object, losing } = one;
  if (typeof counters === 'string') {
    const hazards = possibleHazards(object);
    const reason = `reference counts are not available (${counters}), so nothing can be ruled out`;
    return { object, losing, hazards, reasons: [reason] };
  }
  const hazards = hazardsOf(lossOf(one, counters));
  return { object, losing, hazards, reasons: hazards.map((hazard) => hazardSentences[hazard]) };
}

function possibleHazards(object: PinnedObject): readonly Hazard[] {
  if (object.type === 'prog_array') return ['last_reference', 'prog_array_emptied'];
  return object.kind === 'link' ? ['last_reference', 'link_detached'] : ['last_reference'];
}

/** So many objects a refusal describes; a batch may concern a thousand. */
const namedAtMost = 3;

/** What a caller has agreed to lose. */
export interface Acceptance {
  readonly accept: ReadonlySet<string>;
  readonly force: boolean;
}

/** Whether nothing that could be found of an object would be refused, so that it need not be found out. */
export function acceptsAll({ accept, force }: Acceptance, object: PinnedObject): boolean {
  return force || possibleHazards(object).every((hazard) => accept.has(hazard));
}

/** @throws PinfoldError hazard, unless every hazard found has been accepted by name */
export function refuseHazards(findings: readonly Finding[], acceptance: Acceptance): void {
  if (acceptance.force) return;
  const refused = findings.filter(({ hazards }) => hazards.some((hazard) => !acceptance.accept.has(hazard)));
  const [first] = refused;
  if (first === undefined) return;
  const hazards = [...new Set(refused.flatMap((finding) => finding.hazards))];
  const path = first.losing[0]?.path ?? '';
  throw new PinfoldError('hazard', {
    detail: `Refused unless it is accepted by name: ${listRefused(refused)}.`,
    ...pathMembers(path),
    kind: first.object.kind,
    id: first.object.id,
    hazards,
    ...complaintsOf(refused),
  });
}

/** Each operation of a batch that has a part in it, with what it would cost. */
function complaintsOf(refused: readonly Finding[]): Pick<ErrorDetails, 'errors'> {
  const errors = refused.flatMap((finding) =>
    finding.losing.flatMap(({ pointer }) =>
      pointer === undefined ? [] : [{ pointer, detail: describe(finding) }],
    ),
  );
  return errors.length === 0 ? {} : { errors };
}

function describe({ object, reasons }: Finding): string {
  return `${describeObject(object)} (${reasons.join('; ')})`;
}

/** The first few with their reasons, and how many there are besides. */
function listRefused(refused: readonly Finding[]): string {
  const named = refused.slice(0, namedAtMost).map(describe);
  const others = refused.length - named.length;
  if (others === 0) return named.join(', ');
  return `${named.join(', ')} and ${others} more ${others === 1 ? 'object' : 'objects'}`;
}
