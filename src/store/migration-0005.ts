/**
 * History that shows when it was changed (docs/history.md).
 *
 * Each event has a hash over itself and the one before; `store` knows the hash of the last event and, for the
 * events that retention has removed, the number and hash of the last of those. Events of older schemas have
 * none: they stand before the chain. `size` is what a row takes, about; `path_left` the name that a pin left
 * for that in `path`. A mark says how old history was when it had come to an event, see history-marks.ts.
 */
export const historySchema = `
ALTER TABLE event ADD COLUMN unit TEXT;
ALTER TABLE event ADD COLUMN path_left BLOB;
ALTER TABLE event ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN hash BLOB CHECK (length(hash) = 32);
CREATE INDEX event_path_left ON event (path_left, mount) WHERE path_left IS NOT NULL;

UPDATE event SET size = 384 + coalesce(octet_length(before), 0) + coalesce(octet_length(after), 0);
UPDATE event SET path_left = CAST(json_extract(before, '$.path') AS BLOB)
WHERE type = 'pin.renamed' AND json_extract(before, '$.path_bytes') IS NULL;

ALTER TABLE store ADD COLUMN event_hash BLOB NOT NULL CHECK (length(event_hash) = 32)
  DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';
ALTER TABLE store ADD COLUMN event_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE store ADD COLUMN event_floor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE store ADD COLUMN event_floor_hash BLOB NOT NULL CHECK (length(event_floor_hash) = 32)
  DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';
UPDATE store SET event_floor = event_seq, event_bytes = (SELECT coalesce(sum(size), 0) FROM event);

CREATE TABLE history_mark (
  age_ms INTEGER PRIMARY KEY,
  seq INTEGER NOT NULL,
  time TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  boot_ms INTEGER NOT NULL
) STRICT;
`;
