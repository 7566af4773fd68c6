import type Database from 'better-sqlite3';
import type { HistoryFault, HistoryVerdict } from '../model/local.ts';
import { Sqlite } from './driver.ts';
import { hexOf, linkTo } from './event-chain.ts';
import type { EventRow } from './event-row.ts';
import { fileFailure } from './failure.ts';
import { judgeFailure } from './inspect.ts';
import { type StateFiles, stateFiles } from './state-dir.ts';

interface ChainedRow extends EventRow {
  readonly hash: Uint8Array | null;
}

/** Where the chain begins and ends, as the table `store` has it. */
interface Ends {
  readonly event_seq: number;
  readonly event_hash: Uint8Array;
  readonly event_floor: number;
  readonly event_floor_hash: Uint8Array;
}

/**
 * Follows the chain through the whole history of a state directory, in one read transaction, beside a running
 * agent or without one: nothing is asked of the program that may have been made to lie.
 *
 * Not for a process that has the store open, see findSetting. Some microseconds an event.
 * @throws PinfoldError storage_failed where there is no database of this schema that can be read
 */
export function verifyHistory(stateDir: string): HistoryVerdict {
  const files = stateFiles(stateDir);
  const database = openReadOnly(files);
  try {
    return database.transaction(() => verify(database))();
  } catch (error) {
    throw judgeFailure(files, error);
  } finally {
    database.close();
  }
}

function openReadOnly(files: StateFiles): Database.Database {
  try {
    return new Sqlite(files.database, { readonly: true, fileMustExist: true });
  } catch (error) {
    throw fileFailure(error, `The state database ${files.database} cannot be read`);
  }
}

function verify(database: Database.Database): HistoryVerdict {
  const [ends] = database.prepare<[], Ends>('SELECT * FROM store').all();
  if (ends === undefined) return { verified: 0, unchained: 0, fault: { seq: 0, what: 'nothing is noted' } };
  const { unchained, revived } = readBelow(database, ends.event_floor);
  if (revived !== null)
    return { verified: 0, unchained, fault: { seq: revived, what: 'it was removed, and is back' } };
  const fault = firstFault(database, ends);
  const end = fault === undefined ? ends.event_seq : fault.seq - 1;
  return { verified: end - ends.event_floor, unchained, ...(fault === undefined ? {} : { fault }) };
}

/** Rows below the beginning: of schemas without a chain, and what retention has removed, if it is there. */
function readBelow(database: Database.Database, floor: number) {
  const below = database.prepare<[number], { unchained: number; revived: number | null }>(`
    SELECT count(*) FILTER (WHERE hash IS NULL) AS unchained,
      min(seq) FILTER (WHERE hash IS NOT NULL) AS revived
    FROM event WHERE seq <= ?`);
  return below.get(floor) ?? { unchained: 0, revived: null };
}

function firstFault(database: Database.Database, ends: Ends): HistoryFault | undefined {
  let seq = ends.event_floor;
  let hash = ends.event_floor_hash;
  const rows = database.prepare<[number], ChainedRow>('SELECT * FROM event WHERE seq > ? ORDER BY seq');
  for (const row of rows.iterate(seq)) {
    seq += 1;
    if (row.seq !== seq) return { seq, what: 'it is missing' };
    ({ hash } = linkTo(hash, row));
    if (row.hash === null || hexOf(row.hash) !== hexOf(hash))
      return { seq, what: 'it is not as it was written, or the one before it is not' };
  }
  if (seq < ends.event_seq) return { seq: seq + 1, what: 'it is missing' };
  if (seq > ends.event_seq) return { seq: ends.event_seq + 1, what: 'it was never written' };
  return hexOf(hash) === hexOf(ends.event_hash) ? undefined : { seq: seq + 1, what: 'it is missing' };
}
