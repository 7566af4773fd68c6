import { ClientError } from '../../client/client-error.ts';
import { escapeText } from '../../model/escape.ts';

/** What was asked for, or why there is none: a description is shown as far as it can be. */
export type Found<Value> = { readonly value: Value } | { readonly why: string };

/** Refusals that say something about the object or the caller, not about the agent as a whole. */
const telling: ReadonlySet<string> = new Set([
  'forbidden',
  'invalid_input',
  'not_readable',
  'not_supported',
  'object_not_found',
  'permission_denied',
  'too_many_requests',
]);

/** Waits for an answer. @throws ClientError where there can be no answer at all */
export async function found<Value>(answer: Promise<Value>): Promise<Found<Value>> {
  try {
    return { value: await answer };
  } catch (error) {
    if (error instanceof ClientError && telling.has(error.code)) return { why: escapeText(error.message) };
    throw error;
  }
}
