import { type ClaimOwner, parseOwnerBytes } from '../model/claim/owner.ts';
import { escapeText, parseEscaped } from '../model/escape.ts';
import { UsageError } from './exit.ts';

/**
 * Reads an owner as people type it and as Pinfold prints it: `\xNN` is a byte and `\\` a backslash.
 *
 * @throws UsageError for another backslash, PinfoldError invalid_input for what can be no owner
 */
export function parseOwnerArgument(text: string): ClaimOwner {
  const bytes = parseEscaped(text);
  if (bytes !== undefined) return parseOwnerBytes(bytes);
  throw new UsageError(
    `In ${escapeText(text)} a backslash must be written \\\\, or begin an escape such as \\x0a.`,
  );
}
