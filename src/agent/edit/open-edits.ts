import { type BatchEdits, EntryBatches } from './batches.ts';
import { type Creation, type CreationParts, MapCreation } from './create-map.ts';
import type { JournalParts } from './journal.ts';
import { type EntryEdits, MapEdits } from './map-edits.ts';

/** Everything that changes what is in maps, as an agent has it. */
export interface EditParts {
  readonly edits: EntryEdits;
  readonly batches: BatchEdits;
  readonly creation: Creation;
}

/** The same with its end: what still runs is settled before the store is closed. */
export interface OpenEdits {
  readonly parts: EditParts;
  stop(): Promise<void>;
}

/** Makes them from what they stand on. */
export function openEdits(from: JournalParts & CreationParts): OpenEdits {
  const edits = new MapEdits(from);
  const batches = new EntryBatches({ ...from, edits });
  return { parts: { edits, batches, creation: new MapCreation(from) }, stop: () => batches.stop() };
}
