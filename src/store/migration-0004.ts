/**
 * Pins in quarantine, one row each until they are restored or gone for good.
 *
 * `due_boottime_ms` is on CLOCK_BOOTTIME of `boot_id`; without it a pin stays until somebody decides.
 */
export const quarantineSchema = `
CREATE TABLE quarantine (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  slot TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  instance TEXT NOT NULL,
  mount TEXT NOT NULL,
  path BLOB NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('map', 'program', 'link')),
  object_id INTEGER NOT NULL,
  pin TEXT NOT NULL,
  rule TEXT,
  why TEXT NOT NULL,
  run TEXT,
  min_age_ms INTEGER NOT NULL,
  quarantined_at TEXT NOT NULL,
  due_boottime_ms INTEGER
) STRICT;
CREATE INDEX quarantine_path ON quarantine (path, mount);
CREATE INDEX quarantine_object ON quarantine (object_id, kind);
CREATE INDEX quarantine_run ON quarantine (run) WHERE run IS NOT NULL;
CREATE INDEX quarantine_due ON quarantine (due_boottime_ms) WHERE due_boottime_ms IS NOT NULL;
`;
