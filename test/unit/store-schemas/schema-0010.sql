PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE store (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  identity TEXT NOT NULL,
  event_seq INTEGER NOT NULL
, event_hash BLOB NOT NULL CHECK (length(event_hash) = 32)
  DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000', event_bytes INTEGER NOT NULL DEFAULT 0, event_floor INTEGER NOT NULL DEFAULT 0, event_floor_hash BLOB NOT NULL CHECK (length(event_floor_hash) = 32)
  DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000') STRICT;
INSERT INTO store VALUES(1,'pinfold-90e69612766717413d86534a828bd8a3',7,X'0000000000000000000000000000000000000000000000000000000000000000',2744,7,X'0000000000000000000000000000000000000000000000000000000000000000');
CREATE TABLE setting (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO setting VALUES('agent_uuid','u-1');
CREATE TABLE probe (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  ballast BLOB NOT NULL
) STRICT;
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
INSERT INTO object VALUES(1,5,'map','boot-1','f1','{"kind":"map","id":5,"type":"hash","name":"m","key_size":4,"value_size":8,"max_entries":1}','2026-11-23T10:00:00.000Z','2026-11-23T10:00:00.000Z',NULL);
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
, unit TEXT, path_left BLOB, size INTEGER NOT NULL DEFAULT 0, hash BLOB CHECK (length(hash) = 32)) STRICT;
INSERT INTO event VALUES(1,'2026-11-23T10:00:00.000Z','node-1','b0a7a1d2-5c2e-4f7b-9d6e-000000000001','pin.created','0:39',X'74632f676c6f62616c732f6d6170','map',5,'hash','map','unknown',NULL,NULL,'{"id":5}',NULL,NULL,392,NULL);
INSERT INTO event VALUES(2,'2026-11-23T10:00:00.000Z','node-1','b0a7a1d2-5c2e-4f7b-9d6e-000000000001','pin.created','0:39',X'74632f676c6f62616c732f6d6170','map',5,'hash','map','unknown',NULL,NULL,'{"id":5}',NULL,NULL,392,NULL);
INSERT INTO event VALUES(3,'2026-11-23T10:00:00.000Z','node-1','b0a7a1d2-5c2e-4f7b-9d6e-000000000001','pin.created','0:39',X'74632f676c6f62616c732f6d6170','map',5,'hash','map','unknown',NULL,NULL,'{"id":5}',NULL,NULL,392,NULL);
INSERT INTO event VALUES(4,'2026-11-23T10:00:00.000Z','node-1','b0a7a1d2-5c2e-4f7b-9d6e-000000000001','pin.created','0:39',X'74632f676c6f62616c732f6d6170','map',5,'hash','map','unknown',NULL,NULL,'{"id":5}',NULL,NULL,392,NULL);
INSERT INTO event VALUES(5,'2026-11-23T10:00:00.000Z','node-1','b0a7a1d2-5c2e-4f7b-9d6e-000000000001','pin.created','0:39',X'74632f676c6f62616c732f6d6170','map',5,'hash','map','unknown',NULL,NULL,'{"id":5}',NULL,NULL,392,NULL);
INSERT INTO event VALUES(6,'2026-11-23T10:00:00.000Z','node-1','b0a7a1d2-5c2e-4f7b-9d6e-000000000001','pin.created','0:39',X'74632f676c6f62616c732f6d6170','map',5,'hash','map','unknown',NULL,NULL,'{"id":5}',NULL,NULL,392,NULL);
INSERT INTO event VALUES(7,'2026-11-23T10:00:00.000Z','node-1','b0a7a1d2-5c2e-4f7b-9d6e-000000000001','pin.created','0:39',X'74632f676c6f62616c732f6d6170','map',5,'hash','map','unknown',NULL,NULL,'{"id":5}',NULL,NULL,392,NULL);
CREATE TABLE token (
  name TEXT PRIMARY KEY,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'reader', 'operator', 'admin')),
  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
  created_at TEXT NOT NULL,
  expires_at TEXT,
  last_used_at TEXT,
  created_by TEXT NOT NULL
) STRICT;
INSERT INTO token VALUES('t','admin',X'0000000000000000000000000000000000000000000000000000000000000000','2026-11-23T10:00:00.000Z',NULL,NULL,'x');
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
CREATE TABLE specification (
  object INTEGER PRIMARY KEY REFERENCES object (seq),
  recorded_at TEXT NOT NULL,
  document TEXT NOT NULL
) STRICT;
INSERT INTO specification VALUES(1,'2026-11-23T10:00:00.000Z','{"type":"hash"}');
CREATE TABLE specification_bytes (
  id INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
  bytes BLOB NOT NULL
) STRICT;
INSERT INTO specification_bytes VALUES(1,X'3ca0fdf06e7ffb5cfadfbe01505f6555595ae7abb78843bad2f1a128b4617741',X'627466');
CREATE TABLE specification_part (
  object INTEGER NOT NULL REFERENCES specification (object),
  part TEXT NOT NULL,
  bytes INTEGER NOT NULL REFERENCES specification_bytes (id),
  PRIMARY KEY (object, part)
) STRICT, WITHOUT ROWID;
INSERT INTO specification_part VALUES(1,'btf',1);
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
CREATE TABLE history_mark (
  age_ms INTEGER PRIMARY KEY,
  seq INTEGER NOT NULL,
  time TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  boot_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE webhook (
  name TEXT PRIMARY KEY,
  url TEXT NOT NULL,
  types TEXT NOT NULL,
  prefix BLOB,
  state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
  state_reason TEXT,
  state_since TEXT NOT NULL,
  after_seq INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  updated_by TEXT NOT NULL
) STRICT;
INSERT INTO webhook VALUES('ops','https://hooks.example.com/','["pin.*"]',X'7463','active',NULL,'2026-11-23T10:00:00.000Z',5,'2026-11-23T10:00:00.000Z','api:admin','2026-11-23T10:00:00.000Z','api:admin');
CREATE TABLE webhook_secret (
  webhook TEXT NOT NULL REFERENCES webhook (name),
  position INTEGER NOT NULL,
  id TEXT NOT NULL,
  bytes BLOB NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (webhook, position)
) STRICT, WITHOUT ROWID;
INSERT INTO webhook_secret VALUES('ops',0,'66687aadf862',X'0000000000000000000000000000000000000000000000000000000000000000','2026-11-23T10:00:00.000Z');
CREATE TABLE webhook_delivery (
  id INTEGER PRIMARY KEY,
  webhook TEXT NOT NULL REFERENCES webhook (name),
  message TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('event', 'gap', 'ping')),
  seq INTEGER,
  type TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  attempts INTEGER NOT NULL,
  first_at TEXT NOT NULL,
  last_at TEXT NOT NULL,
  duration_ms INTEGER NOT NULL,
  status INTEGER,
  error TEXT
) STRICT;
INSERT INTO webhook_delivery VALUES(1,'ops','u-1:6','event',6,'pinfold.pin.created','pending',2,'2026-11-23T10:00:00.000Z','2026-11-23T10:00:02.000Z',12,500,'not accepted');
CREATE TABLE cluster_state (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  revision INTEGER NOT NULL,
  compacted INTEGER NOT NULL
) STRICT;
INSERT INTO cluster_state VALUES(1,1,0);
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
CREATE TABLE cluster_change (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  revision INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT,
  create_revision INTEGER NOT NULL
) STRICT;
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
CREATE TABLE unheld (
  boot_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('map', 'program', 'link')),
  id INTEGER NOT NULL,
  fingerprint TEXT NOT NULL,
  since TEXT NOT NULL,
  since_boottime_ms INTEGER NOT NULL,
  PRIMARY KEY (boot_id, kind, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS "operation" (
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
INSERT INTO operation VALUES(1,'op-1','pin','running','b0a7a1d2-5c2e-4f7b-9d6e-000000000001','instance-1','2026-11-23T10:00:00.000Z',NULL,'uid:0 pid:1 comm:test',NULL,'{"mount":"0:39","path":"tc/globals/map"}','[]',NULL,'{"name":"op-1"}');
INSERT INTO operation VALUES(2,'op-2','pin','applied','b0a7a1d2-5c2e-4f7b-9d6e-000000000001','instance-1','2026-11-23T10:00:00.000Z','2026-11-23T10:00:00.000Z','uid:0 pid:1 comm:test',NULL,'{"mount":"0:39","path":"tc/globals/map"}','[]',NULL,NULL);
CREATE TABLE IF NOT EXISTS "pin" (
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
INSERT INTO pin VALUES(1,'instance-1',100,'1795428000000000001',X'74632f676c6f62616c732f6d6170','0:39','map',5,'f1','0600',0,0,'2026-11-23T10:00:00.000Z','2026-11-23T10:00:00.000Z',NULL,'{}',NULL,0);
DELETE FROM sqlite_sequence;
CREATE UNIQUE INDEX object_identity ON object (id, kind, boot_id, fingerprint);
CREATE UNIQUE INDEX object_present ON object (id, kind, boot_id) WHERE gone_at IS NULL;
CREATE INDEX object_gone ON object (gone_at) WHERE gone_at IS NOT NULL;
CREATE INDEX event_path ON event (path, mount) WHERE path IS NOT NULL;
CREATE INDEX event_object ON event (object_id, kind) WHERE object_id IS NOT NULL;
CREATE INDEX event_type ON event (type);
CREATE INDEX event_actor ON event (actor);
CREATE INDEX event_time ON event (time);
CREATE INDEX idempotency_created ON idempotency (created_at);
CREATE INDEX specification_part_bytes ON specification_part (bytes);
CREATE TRIGGER specification_gone BEFORE DELETE ON object BEGIN
  DELETE FROM specification_part WHERE object = OLD.seq;
  DELETE FROM specification WHERE object = OLD.seq;
END;
CREATE TRIGGER claim_gone BEFORE DELETE ON claim BEGIN
  DELETE FROM claim_pin WHERE owner = OLD.owner;
END;
CREATE INDEX quarantine_path ON quarantine (path, mount);
CREATE INDEX quarantine_object ON quarantine (object_id, kind);
CREATE INDEX quarantine_run ON quarantine (run) WHERE run IS NOT NULL;
CREATE INDEX quarantine_due ON quarantine (due_boottime_ms) WHERE due_boottime_ms IS NOT NULL;
CREATE INDEX event_path_left ON event (path_left, mount) WHERE path_left IS NOT NULL;
CREATE INDEX webhook_delivery_webhook ON webhook_delivery (webhook, id);
CREATE INDEX webhook_delivery_pending ON webhook_delivery (webhook) WHERE state = 'pending';
CREATE INDEX cluster_key_lease ON cluster_key (lease) WHERE lease IS NOT NULL;
CREATE INDEX cluster_change_revision ON cluster_change (revision);
CREATE INDEX operation_open ON operation (seq) WHERE outcome = 'running';
CREATE INDEX operation_settled ON operation (settled_at) WHERE settled_at IS NOT NULL;
CREATE UNIQUE INDEX pin_identity ON pin (path, instance, inode, mtime_ns);
CREATE UNIQUE INDEX pin_present ON pin (path, instance) WHERE gone_at IS NULL;
CREATE INDEX pin_gone ON pin (gone_at) WHERE gone_at IS NOT NULL;
COMMIT;
PRAGMA application_id = 1346981446; -- 0x50494e46
PRAGMA user_version = 10;
PRAGMA journal_mode = WAL;
