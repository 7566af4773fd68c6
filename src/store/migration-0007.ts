/**
 * The fleet's store of a single machine: keys with revisions as etcd has them, leases, and what changed, so
 * that a watch that comes back misses nothing. Lease times are of CLOCK_BOOTTIME and mean nothing after
 * another boot, which is told by its id.
 */
export const clusterSchema = `
CREATE TABLE cluster_state (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  revision INTEGER NOT NULL,
  compacted INTEGER NOT NULL
) STRICT;
INSERT INTO cluster_state (one, revision, compacted) VALUES (1, 1, 0);

CREATE TABLE cluster_lease (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  boot_id TEXT NOT NULL,
  ttl_ms INTEGER NOT NULL,
  ends_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE cluster_key (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  create_revision INTEGER NOT NULL,
  mod_revision INTEGER NOT NULL,
  lease INTEGER REFERENCES cluster_lease (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX cluster_key_lease ON cluster_key (lease) WHERE lease IS NOT NULL;

CREATE TABLE cluster_change (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  revision INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT,
  create_revision INTEGER NOT NULL
) STRICT;
CREATE INDEX cluster_change_revision ON cluster_change (revision);
`;
