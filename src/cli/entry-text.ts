import { isPrintable } from '../model/escape.ts';
import { formatJsonLine } from './format/document.ts';

/** A key or a value as a person has written it: bytes, or JSON text. */
export type EntryText = { readonly hex: string } | { readonly json: string };

const decimal = /^-?(0|[1-9]\d*)$/;

/**
 * `hex:0a000001` is bytes; what is JSON goes as it is; anything else is a text, written without quotes.
 * Numbers that JSON would round go as texts, which is how the API writes those of 64 bits.
 */
export function parseEntryText(text: string): EntryText {
  const hex = /^hex:((?:[0-9a-fA-F]{2})+)$/.exec(text)?.[1];
  if (hex !== undefined) return { hex };
  if (decimal.test(text) && !Number.isSafeInteger(Number(text))) return { json: JSON.stringify(text) };
  try {
    JSON.parse(text);
    return { json: text };
  } catch {
    return { json: JSON.stringify(text) };
  }
}

/**
 * A key or a value for people, so that `parseEntryText` reads it back: a text is bare where that means the
 * same text or is a number of 64 bits, and is JSON otherwise, as all other values are.
 */
export function entryText(value: unknown): string {
  if (typeof value !== 'string' || value === '' || !isPrintable(value)) return formatJsonLine(value);
  if (decimal.test(value)) return value;
  const parsed = parseEntryText(value);
  return 'json' in parsed && parsed.json === JSON.stringify(value) ? value : formatJsonLine(value);
}
