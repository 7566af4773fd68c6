/**
 * Webhooks, their secrets, and what was last sent to each. The outbox is the event log itself: of each
 * webhook only its place in it is kept (docs/adr/0016-webhooks.md).
 */
export const webhookSchema = `
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

CREATE TABLE webhook_secret (
  webhook TEXT NOT NULL REFERENCES webhook (name),
  position INTEGER NOT NULL,
  id TEXT NOT NULL,
  bytes BLOB NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (webhook, position)
) STRICT, WITHOUT ROWID;

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
CREATE INDEX webhook_delivery_webhook ON webhook_delivery (webhook, id);
CREATE INDEX webhook_delivery_pending ON webhook_delivery (webhook) WHERE state = 'pending';
`;
