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

/** Makes them from what they stand on. */
export function openEdits(parts: JournalParts & CreationParts): EditParts {
  const edits = new MapEdits(parts);
  const batches = new EntryBatches({ ...parts, edits });
  return { edits, batches, creation: new MapCreation(parts) };
}
