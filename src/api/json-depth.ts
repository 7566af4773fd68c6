import { PinfoldError } from '../model/error.ts';
import { nestsDeeper } from '../model/json.ts';
import { limits } from '../model/limits.ts';

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
  const where = name === undefined ? pointer : `${pointer}/${escaped(name)}`;
  const detail = `arrays and objects are in each other, more than ${limits.jsonDepthMax} deep`;
  throw new PinfoldError('invalid_input', {
    detail: `The request is not valid: ${where}: ${detail}.`,
    errors: [{ pointer: where, detail }],
  });
}

/** A member's name in a JSON pointer (RFC 6901); a long one is cut. */
function escaped(name: string): string {
  return name.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1');
}
