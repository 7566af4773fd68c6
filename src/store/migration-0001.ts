/**
 * The first released schema; docs/storage.md explains each table.
 *
 * `store` comes first so that its only row is on page 2 of the file, where inspect.ts finds the identity
 * without SQLite. A pin or object has at most one row without `gone_at` in its place, which the `_present`
 * indices enforce; they and the `_gone` ones are partial, so that a row is in exactly one of them.
 */
export const initialSchema = `
CREATE TABLE store (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  identity TEXT NOT NULL,
  event_seq INTEGER NOT NULL
) STRICT;

CREATE TABLE setting (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE probe (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  ballast BLOB NOT NULL
) STRICT;

CREATE TABLE operation (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('running', 'applied', 'not_applied', 'unknown')),
  boot_id TEXT NOT NULL,
  instance TEXT NOT NULL,
  started_at TEXT NOT NULL,
  settled_at TEXT CHECK ((settled_at IS NULL) = (outcome = 'running')),
  actor TEXT NOT NULL,
  request_id TEXT,
  subject TEXT NOT NULL,
  accepted TEXT NOT NULL,
  detail TEXT,
  plan TEXT CHECK ((plan IS NULL) = (outcome <> 'running'))
) STRICT;
CREATE INDEX operation_open ON operation (seq) WHERE outcome = 'running';
CREATE INDEX operation_settled ON operation (settled_at) WHERE settled_at IS NOT NULL;

CREATE TABLE pin (
  id INTEGER PRIMARY KEY,
  instance TEXT NOT NULL,
  inode INTEGER NOT NULL,
  mtime_ns TEXT NOT NULL,
  path BLOB NOT NULL,
  mount TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('map', 'program', 'link')),
  object_id INTEGER,
  fingerprint TEXT,
  mode TEXT NOT NULL,
  uid INTEGER NOT NULL,
  gid INTEGER NOT NULL,
  first_seen TEXT NOT NULL,
  last_seen TEXT NOT NULL,
  gone_at TEXT,
  labels TEXT NOT NULL,
  owner TEXT,
  managed INTEGER NOT NULL CHECK (managed IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX pin_identity ON pin (path, instance, inode, mtime_ns);
CREATE UNIQUE INDEX pin_present ON pin (path, instance) WHERE gone_at IS NULL;
CREATE INDEX pin_gone ON pin (gone_at) WHERE gone_at IS NOT NULL;

CREATE TABLE object (
  seq INTEGER PRIMARY KEY,
  id INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('map', 'program', 'link', 'btf')),
  boot_id TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  info TEXT NOT NULL,
  first_seen TEXT NOT NULL,
  last_seen TEXT NOT NULL,
  gone_at TEXT
) STRICT;
CREATE UNIQUE INDEX object_identity ON object (id, kind, boot_id, fingerprint);
CREATE UNIQUE INDEX object_present ON object (id, kind, boot_id) WHERE gone_at IS NULL;
CREATE INDEX object_gone ON object (gone_at) WHERE gone_at IS NOT NULL;

CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  time TEXT NOT NULL,
  node TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  type TEXT NOT NULL,
  mount TEXT,
  path BLOB,
  kind TEXT,
  object_id INTEGER,
  object_type TEXT,
  object_name TEXT,
  actor TEXT NOT NULL,
  operation_id TEXT,
  before TEXT,
  after TEXT
) STRICT;
CREATE INDEX event_path ON event (path, mount) WHERE path IS NOT NULL;
CREATE INDEX event_object ON event (object_id, kind) WHERE object_id IS NOT NULL;
CREATE INDEX event_type ON event (type);
CREATE INDEX event_actor ON event (actor);
CREATE INDEX event_time ON event (time);

CREATE TABLE token (
  name TEXT PRIMARY KEY,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'reader', 'operator', 'admin')),
  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
  created_at TEXT NOT NULL,
  expires_at TEXT,
  last_used_at TEXT,
  created_by TEXT NOT NULL
) STRICT;

CREATE TABLE idempotency (
  caller TEXT NOT NULL,
  key TEXT NOT NULL,
  request_hash BLOB NOT NULL,
  status INTEGER NOT NULL,
  headers TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (caller, key)
) STRICT;
CREATE INDEX idempotency_created ON idempotency (created_at);
`;
