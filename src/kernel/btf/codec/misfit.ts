import { PinfoldError } from '../../../model/error.ts';
import type { Json, JsonObject } from '../../../model/json.ts';
import { escapeStep } from '../../../model/json-pointer.ts';

/** A value that its type cannot hold. On its way out each level adds which of its parts it was. */
export class Misfit extends Error {
  /** The way to the value, innermost first. */
  readonly #segments: string[] = [];

  /** To be called by each level the misfit passes, with the name or index of the part. */
  within(segment: string | number): this {
    this.#segments.push(escapeStep(String(segment)));
    return this;
  }

  /** The refusal for the caller, with a JSON pointer (RFC 6901) into the value. */
  toError(): PinfoldError {
    const pointer = this.#segments.reduceRight((path, segment) => `${path}/${segment}`, '');
    return new PinfoldError('invalid_input', {
      detail: `${pointer === '' ? 'the value' : pointer}: ${this.message}`,
      errors: [{ pointer, detail: this.message }],
    });
  }
}

/** Runs the encoder of a part; a misfit in it learns which part it was. */
export function inside(segment: string | number, encode: () => void): void {
  try {
    encode();
  } catch (thrown) {
    throw thrown instanceof Misfit ? thrown.within(segment) : thrown;
  }
}

/** Whether it is an object of JSON, not null and not an array. */
export function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Characters of a value that a sentence has room for. */
const shownMax = 40;

/** A value for a sentence: cut, and never more than a line; of what has parts, only what it is. */
export function shown(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (isObject(value)) return 'an object';
  // What is said of a text costs no more than what is shown of it, however long it is.
  const text = JSON.stringify(typeof value === 'string' ? value.slice(0, shownMax) : value);
  const isCut = text.length > shownMax || (typeof value === 'string' && value.length > shownMax);
  return isCut ? `${text.slice(0, shownMax)}…` : text;
}
