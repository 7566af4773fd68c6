/** How many hexadecimal digits of a hash a place carries. */
const hashDigits = 12;

/** A place in a node's history: after one event. */
export interface EventPlace {
  /** The number of that event; 0 is the beginning. */
  readonly seq: number;
  /**
   * What its hash begins with, in hexadecimal digits. Each event's hash covers all before it, so this tells
   * one history from another. Undefined where only a number is known.
   */
  readonly hash: string | undefined;
}

/** What a place is as text: `4711-0f3a9c…`, or a number alone. */
export const placePattern = '^\\d{1,15}(-[0-9a-f]{6,64})?$';

/** Reads a place; undefined for what is none. */
export function parseEventPlace(text: string): EventPlace | undefined {
  if (!new RegExp(placePattern).test(text)) return undefined;
  const [seq, hash] = text.split('-');
  return { seq: Number(seq), hash };
}

/** A place as clients carry it; digits beyond the first few tell nothing more. */
export function formatEventPlace({ seq, hash }: EventPlace, digits: number = hashDigits): string {
  return hash === undefined ? String(seq) : `${seq}-${hash.slice(0, digits)}`;
}
