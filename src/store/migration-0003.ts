/**
 * Claims: who needs which pins. One row an owner, and one for each path.
 *
 * Deadlines are milliseconds of CLOCK_BOOTTIME in the boot named beside them. `mount` is null for the primary
 * instance. Paths go with their claim, by a trigger, because whoever looks with `sqlite3` has foreign keys
 * turned off.
 */
export const claimSchema = `
CREATE TABLE claim (
  owner BLOB PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  mount TEXT,
  boot_id TEXT NOT NULL,
  lease_ms INTEGER,
  deadline_boot_id TEXT CHECK ((deadline_boot_id IS NULL) = (lease_ms IS NULL)),
  deadline_ms INTEGER CHECK ((deadline_ms IS NULL) = (lease_ms IS NULL)),
  labels TEXT NOT NULL,
  made_at TEXT NOT NULL,
  renewed_at TEXT NOT NULL,
  actor TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE claim_pin (
  owner BLOB NOT NULL REFERENCES claim (owner),
  path BLOB NOT NULL,
  kind TEXT CHECK (kind IN ('map', 'program', 'link')),
  object_id INTEGER CHECK ((object_id IS NULL) = (kind IS NULL)),
  object_type TEXT CHECK ((object_type IS NULL) = (kind IS NULL)),
  object_name TEXT CHECK ((object_name IS NULL) = (kind IS NULL)),
  fingerprint TEXT CHECK ((fingerprint IS NULL) = (kind IS NULL)),
  PRIMARY KEY (owner, path)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER claim_gone BEFORE DELETE ON claim BEGIN
  DELETE FROM claim_pin WHERE owner = OLD.owner;
END;
`;
