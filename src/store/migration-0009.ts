/**
 * Since when nothing but its own pins has held an object: one row while that is so.
 *
 * `since_boottime_ms` is on CLOCK_BOOTTIME of `boot_id`, which setting the wall clock does not change.
 */
export const unheldSchema = `
CREATE TABLE unheld (
  boot_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('map', 'program', 'link')),
  id INTEGER NOT NULL,
  fingerprint TEXT NOT NULL,
  since TEXT NOT NULL,
  since_boottime_ms INTEGER NOT NULL,
  PRIMARY KEY (boot_id, kind, id)
) STRICT, WITHOUT ROWID;
`;
