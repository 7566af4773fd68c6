import { PinfoldError } from '../../model/error.ts';
import { type Complaint, complaintsOf, type Wanted } from '../../model/map-rule/complaints.ts';
import { mapFlagBit } from '../../model/map-rule/flags.ts';
import { typeRules } from '../../model/map-rule/type-rules.ts';
import { mapTypeNumber } from '../object/names.ts';

/** A map's attributes as numbers, but for what must be open when it is made. */
export interface Recipe {
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly numaNode: number;
  readonly extra: bigint;
}

const numaFlag = 'numa_node';

/**
 * Translates a specification to numbers, and says all that is wrong with it at once. What only the kernel
 * knows, it says when the map is made.
 *
 * @throws PinfoldError invalid_input with a pointer for each complaint
 */
export function recipeOf(wanted: Wanted, pointer: string): Recipe {
  const rule = typeRules[wanted.type];
  const type = mapTypeNumber(wanted.type);
  const complaints = [...complaintsOf(wanted)].map((complaint) => ({
    ...complaint,
    pointer: `${pointer}${complaint.pointer}`,
  }));
  if (rule === undefined || type === undefined || complaints.length > 0) throw invalid(complaints);
  const given = (wanted.flags ?? []).filter((name) => rule.impliedFlags?.includes(name) !== true);
  const names = wanted.numa_node === undefined ? given : [...given, numaFlag];
  return {
    type,
    keySize: wanted.key_size,
    valueSize: wanted.value_size,
    maxEntries: wanted.max_entries,
    flags: names.reduce((bits, name) => (bits | (mapFlagBit(name) ?? 0)) >>> 0, 0),
    numaNode: wanted.numa_node ?? 0,
    extra: BigInt(wanted.map_extra ?? 0),
  };
}

function invalid(errors: readonly Complaint[]): PinfoldError {
  const [first] = errors;
  const detail = `The map cannot be made like this: ${first?.pointer ?? ''} ${first?.detail ?? ''}.`;
  return new PinfoldError('invalid_input', { detail, errors });
}
