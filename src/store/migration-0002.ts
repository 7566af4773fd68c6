/**
 * Specifications of maps and programs, one for each object that was ever seen; they go with its row, by a
 * trigger, because whoever looks with `sqlite3` has foreign keys turned off.
 *
 * Bytes (BTF, instructions) stand apart by their hash: hundreds of objects are made from one program file.
 * Those that no specification has any more are removed by clean-up.
 */
export const specificationSchema = `
CREATE TABLE specification (
  object INTEGER PRIMARY KEY REFERENCES object (seq),
  recorded_at TEXT NOT NULL,
  document TEXT NOT NULL
) STRICT;

CREATE TABLE specification_bytes (
  id INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE specification_part (
  object INTEGER NOT NULL REFERENCES specification (object),
  part TEXT NOT NULL,
  bytes INTEGER NOT NULL REFERENCES specification_bytes (id),
  PRIMARY KEY (object, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX specification_part_bytes ON specification_part (bytes);

CREATE TRIGGER specification_gone BEFORE DELETE ON object BEGIN
  DELETE FROM specification_part WHERE object = OLD.seq;
  DELETE FROM specification WHERE object = OLD.seq;
END;
`;
