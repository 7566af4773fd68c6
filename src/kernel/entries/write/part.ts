import type { Json } from '../../../model/json.ts';
import type { JsonText } from '../../btf/codec/json-text.ts';
import type { Emit } from '../../json-code/json-code.ts';

/** Writes the bytes at an offset as JSON. */
export type Write = (bytes: Buffer, at: number, text: JsonText) => void;

/** Where an entry lies in the buffers of a reader; changed in place while they are gone through. */
export interface EntryPlace {
  keys: Buffer;
  keyAt: number;
  values: Buffer;
  valueAt: number;
}

/** Writes an entry, or members of it, as JSON. */
export type EntryWrite = (place: EntryPlace, text: JsonText) => void;

/** How a key, or a value, is shown and understood. */
export interface Part {
  readonly write: Write;
  /** Makes code that writes the same; left out where only `write` can. */
  readonly emit?: Emit | undefined;
  /** The bytes of what `write` shows. @throws PinfoldError invalid_input */
  readonly parse: (value: Json) => Buffer;
}

/** Makes sure that so many bytes can be set behind the text; the caller then moves `length` on. */
export function reserve(text: JsonText, more: number): void {
  if (text.length + more <= text.bytes.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(text.bytes.length * 2, text.length + more));
  text.bytes.copy(larger, 0, 0, text.length);
  text.bytes = larger;
}
