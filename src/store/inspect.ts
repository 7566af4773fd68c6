import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type Database from 'better-sqlite3';
import type { PinfoldError } from '../model/error.ts';
import { limits } from '../model/limits.ts';
import { Sqlite } from './driver.ts';
import { fileFailure, refusal, translateFailure } from './failure.ts';
import { applicationId, currentVersion } from './migrations.ts';
import type { StateFiles } from './state-dir.ts';

/** Where the header keeps what we look at (https://sqlite.org/fileformat.html, section 1.3). */
const header = {
  bytes: 100,
  magic: 'SQLite format 3\0',
  pageBytesAt: 16,
  userVersionAt: 60,
  applicationIdAt: 68,
} as const;

const pageBytesMax = 65536;

/** What recovery and the guard stand on; checked also where the whole file is too big to be. */
const essentialTables = ['store', 'setting', 'token', 'operation'] as const;

/**
 * Judges a database before anything opens it for writing; what it refuses stays byte for byte as it was.
 *
 * A write-ahead log carries no name of the database it belongs to, and SQLite would replay another's over
 * ours. So the identity in the main file is compared with the one seen through the log.
 *
 * Reads everything (about 2 ms a MiB) up to limits.stateCheckBytesMax, and beyond that only what recovery
 * stands on. The caller holds the agent lock and has no connection to the file: closing our descriptor drops
 * its record locks.
 *
 * @throws PinfoldError storage_failed
 */
export function inspectDatabase(files: StateFiles): void {
  const head = readHead(files.database);
  checkHeader(files, head);
  const opened: Database.Database[] = [];
  const open = (options: Database.Options): Database.Database => {
    const database = new Sqlite(files.database, { fileMustExist: true, ...options });
    opened.unshift(database);
    return database;
  };
  try {
    const reader = open({ readonly: true });
    checkVersion(files, Number(reader.pragma('user_version', { simple: true })));
    checkIdentity(files, reader, head);
    // A read-only connection does not evaluate CHECK constraints (sqlite3AddCheckConstraint in build.c). This
    // one could write but never does, and is closed before the reader: only the last to close would
    // checkpoint the log.
    const checker = open({});
    checker.pragma('query_only = ON');
    checkWhole(files, checker);
  } catch (error) {
    throw judgeFailure(files, error);
  } finally {
    for (const database of opened) database.close();
  }
}

/**
 * What an error of opening means: damage where SQLite finds the file wrong or misses a table, or else what
 * translateFailure says.
 */
export function judgeFailure(files: StateFiles, thrown: unknown): unknown {
  if (thrown instanceof Sqlite.SqliteError && /^SQLITE_(CORRUPT|NOTADB|ERROR)/.test(thrown.code)) {
    return damaged(files, thrown.message);
  }
  return translateFailure(thrown, files.database);
}

function readHead(file: string): Buffer {
  try {
    const fd = openSync(file, 'r');
    try {
      const head = Buffer.alloc(2 * pageBytesMax);
      return head.subarray(0, readSync(fd, head, 0, head.length, 0));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw fileFailure(error, `The state database ${file} cannot be read`);
  }
}

function checkHeader(files: StateFiles, head: Buffer): void {
  const isCutOff = () => damaged(files, `it is cut off after ${head.length} bytes`);
  if (head.length < header.bytes) throw isCutOff();
  if (head.toString('latin1', 0, header.magic.length) !== header.magic) {
    throw damaged(files, 'it does not begin as an SQLite database does');
  }
  if (head.length < 2 * pageBytesOf(head)) throw isCutOff();
  if (head.readUInt32BE(header.applicationIdAt) !== applicationId) {
    throw damaged(files, 'its header does not say that it is Pinfold’s');
  }
  checkVersion(files, head.readInt32BE(header.userVersionAt));
}

/** The size of a page; one of 65,536 bytes is written as 1. `store`, the first table, is on the second. */
function pageBytesOf(head: Buffer): number {
  const written = head.readUInt16BE(header.pageBytesAt);
  return written === 1 ? pageBytesMax : written;
}

function checkVersion(files: StateFiles, version: number): void {
  if (version > currentVersion) {
    throw refusal(
      `The state database ${files.database} has schema ${version}, and this Pinfold knows ` +
        `${currentVersion} and older: run the newer Pinfold that made it, or give this one its own ` +
        '--state-dir. Nothing was changed.',
    );
  }
  if (version < 1) throw damaged(files, `its schema version is ${version}`);
}

function checkWhole(files: StateFiles, database: Database.Database): void {
  const isSmall = statSync(files.database).size <= limits.stateCheckBytesMax;
  const checks = isSmall ? [''] : essentialTables.map((table) => `(${table})`);
  for (const check of checks) {
    const verdict = String(database.pragma(`integrity_check${check}`, { simple: true }));
    if (verdict !== 'ok') throw damaged(files, verdict.split('\n').slice(0, 2).join(' '));
  }
  if (isSmall) checkPartialIndices(files, database);
  const { seq, last } = database
    .prepare<[], { seq: number; last: number }>(
      'SELECT event_seq AS seq, coalesce((SELECT max(seq) FROM event), 0) AS last FROM store',
    )
    .get() ?? { seq: -1, last: 0 };
  if (seq < last) throw damaged(files, `it has event ${last} though it counted only ${seq}`);
}

/**
 * integrity_check finds what a partial index lacks, not what it has too much: it counts whole ones only
 * (pragma.c).
 */
function checkPartialIndices(files: StateFiles, database: Database.Database): void {
  const indices = database
    .prepare<[], { name: string; tbl_name: string; sql: string }>(
      "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'index' AND sql LIKE '% WHERE %'",
    )
    .all();
  for (const { name, tbl_name, sql } of indices) {
    const where = sql.slice(sql.indexOf(' WHERE '));
    const count = (how: string): string => `(SELECT count(*) FROM ${tbl_name} ${how} ${where})`;
    const isRight = database.prepare<[], number>(
      `SELECT ${count(`INDEXED BY ${name}`)} = ${count('NOT INDEXED')}`,
    );
    if (isRight.pluck().get() !== 1) throw damaged(files, `wrong # of entries in index ${name}`);
  }
}

function checkIdentity(files: StateFiles, database: Database.Database, head: Buffer): void {
  const pageBytes = pageBytesOf(head);
  const inFile = /pinfold-[0-9a-f]{32}/.exec(head.toString('latin1', pageBytes, 2 * pageBytes))?.[0];
  const row = database.prepare<[], { identity: string }>('SELECT identity FROM store').get();
  if (inFile === undefined || row === undefined) throw damaged(files, 'its identity is missing');
  if (inFile !== row.identity) {
    throw refusal(
      `The write-ahead log ${files.wal} belongs to another database than ${files.database}: move the log ` +
        'away if the database was restored from a backup, or put back the database that it belongs to. ' +
        'Nothing was changed.',
    );
  }
}

function damaged(files: StateFiles, what: string): PinfoldError {
  return refusal(
    `The state database ${files.database} is damaged (${what}): restore a backup in its place, ` +
      'or move it and its -wal file away to begin a new one. Nothing was changed.',
  );
}
