import type { PinnableKind } from './kind.ts';

/** Since when nothing but its own pins has held an object, as far as looks at its counters tell. */
export interface Unheld {
  /** RFC 3339, by the wall clock of that moment. */
  readonly since: string;
  /** The same moment on CLOCK_BOOTTIME, which nobody sets: how long it has been goes by this. */
  readonly sinceBootMs: number;
}

/** How long nothing but its own pins has held an object; undefined while something does, or is not known. */
export function unheldMs(unheld: Unheld | undefined, nowBootMs: number): number | undefined {
  return unheld === undefined ? undefined : Math.max(0, nowBootMs - unheld.sinceBootMs);
}

/** Which object that is: an id alone is used again. */
export interface UnheldRecord extends Unheld {
  readonly kind: PinnableKind;
  readonly id: number;
  readonly fingerprint: string;
}

/** What of that outlives the agent; ids mean something in one boot only. */
export interface UnheldRecords {
  /** Those of this boot; what other boots left is removed. */
  recall(bootId: string): readonly UnheldRecord[];
  /** In one transaction; what is put replaces what is known of the same id. */
  update(
    bootId: string,
    rows: {
      readonly put: readonly UnheldRecord[];
      readonly remove: readonly Pick<UnheldRecord, 'kind' | 'id'>[];
    },
  ): void;
}
