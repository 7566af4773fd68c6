import { PinfoldError } from '../model/error.ts';
import { nestsDeeper } from '../model/json.ts';
import { escapeStep } from '../model/json-pointer.ts';
import { limits } from '../model/limits.ts';

/** Characters of a member's name that an error shows. */
const nameShownMax = 64;

/**
 * Refuses what nests so deep that no type has such values, at the door: whatever goes through a value later
 * by calling itself would run out of stack.
 *
 * @throws PinfoldError invalid_input, its pointer to the member that nests, or `pointer` itself
 */
export function assertShallow(value: unknown, pointer: string): void {
  if (!nestsDeeper(value, limits.jsonDepthMax)) return;
  const isWithin = ([, part]: readonly [string, unknown]): boolean =>
    nestsDeeper(part, limits.jsonDepthMax - 1);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const [name] = (isObject ? Object.entries(value).find(isWithin) : undefined) ?? [];
  const where = name === undefined ? pointer : `${pointer}/${escapeStep(name.slice(0, nameShownMax))}`;
  const detail = `arrays and objects are in each other, more than ${limits.jsonDepthMax} deep`;
  throw new PinfoldError('invalid_input', {
    detail: `The request is not valid: ${where}: ${detail}.`,
    errors: [{ pointer: where, detail }],
  });
}
