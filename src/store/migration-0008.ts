/**
 * What a node has applied of pin sets, the pins it made for them, those it keeps aside in the staging
 * directory, and how far copies of maps have come.
 */
export const pinSetSchema = `
CREATE TABLE pinset (
  name TEXT PRIMARY KEY,
  generation INTEGER NOT NULL,
  spec TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('wanted', 'letting_go', 'gone')),
  applied_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pinset_made (
  name TEXT NOT NULL,
  path BLOB NOT NULL,
  identity TEXT,
  PRIMARY KEY (name, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE pinset_aside (
  slot TEXT PRIMARY KEY,
  pinset TEXT NOT NULL,
  path BLOB NOT NULL,
  role TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  instance TEXT NOT NULL,
  mount TEXT NOT NULL,
  kind TEXT NOT NULL,
  object_id INTEGER NOT NULL,
  fingerprint TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pinset_copy (
  pinset TEXT NOT NULL,
  path BLOB NOT NULL,
  boot_id TEXT NOT NULL,
  phase TEXT NOT NULL CHECK (phase IN ('filling', 'swapping', 'draining')),
  PRIMARY KEY (pinset, path)
) STRICT, WITHOUT ROWID;
`;
