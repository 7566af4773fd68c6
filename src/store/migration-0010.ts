/**
 * The two tables that every change writes, with the columns, indices and rules they had, the rules said in
 * words that cost nothing: for each `IN` with a list SQLite builds a table whenever it checks a row
 * (OpenEphemeral in EXPLAIN), which was a tenth of what the database takes of a change.
 */
export const plainChecksSchema = `
CREATE TABLE operation_plain (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  outcome TEXT NOT NULL
    CHECK (outcome = 'running' OR outcome = 'applied' OR outcome = 'not_applied' OR outcome = 'unknown'),
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
INSERT INTO operation_plain (seq, id, kind, outcome, boot_id, instance, started_at, settled_at, actor,
  request_id, subject, accepted, detail, plan)
SELECT seq, id, kind, outcome, boot_id, instance, started_at, settled_at, actor, request_id, subject,
  accepted, detail, plan FROM operation ORDER BY seq;
DROP TABLE operation;
ALTER TABLE operation_plain RENAME TO operation;
CREATE INDEX operation_open ON operation (seq) WHERE outcome = 'running';
CREATE INDEX operation_settled ON operation (settled_at) WHERE settled_at IS NOT NULL;

CREATE TABLE pin_plain (
  id INTEGER PRIMARY KEY,
  instance TEXT NOT NULL,
  inode INTEGER NOT NULL,
  mtime_ns TEXT NOT NULL,
  path BLOB NOT NULL,
  mount TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind = 'map' OR kind = 'program' OR kind = 'link'),
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
  managed INTEGER NOT NULL CHECK (managed = 0 OR managed = 1)
) STRICT;
INSERT INTO pin_plain (id, instance, inode, mtime_ns, path, mount, kind, object_id, fingerprint, mode, uid,
  gid, first_seen, last_seen, gone_at, labels, owner, managed)
SELECT id, instance, inode, mtime_ns, path, mount, kind, object_id, fingerprint, mode, uid, gid, first_seen,
  last_seen, gone_at, labels, owner, managed FROM pin ORDER BY id;
DROP TABLE pin;
ALTER TABLE pin_plain RENAME TO pin;
CREATE UNIQUE INDEX pin_identity ON pin (path, instance, inode, mtime_ns);
CREATE UNIQUE INDEX pin_present ON pin (path, instance) WHERE gone_at IS NULL;
CREATE INDEX pin_gone ON pin (gone_at) WHERE gone_at IS NOT NULL;
`;
