import type { Clock } from '../model/clock.ts';
import type { Connection, Statement } from './connection.ts';

interface MarkRow {
  readonly age_ms: number;
  readonly seq: number;
  readonly time: string;
  readonly boot_id: string;
  readonly boot_ms: number;
}

/** What is older than retention keeps. */
export interface Horizon {
  /** Events up to this number. */
  readonly seq: number;
  /** Rows whose times are before this. */
  readonly time: string;
}

/** What marks go by. */
export interface MarkOptions {
  readonly bootId: string;
  readonly clock: Clock;
  readonly retentionMs: number;
  readonly lastSeq: () => number;
}

/** Marks within one retention time. */
const marksMax = 1000;

/**
 * How old history is, whatever the clock of the day says: an event from the future, or a clock that was wrong
 * for an hour, must not have everything else forgotten.
 *
 * Age is the time that passed while the node was up, by CLOCK_BOOTTIME; what it was off for does not count,
 * because nothing but that clock could tell. A mark in the table `history_mark` says to which number history
 * had come at which age, so what stands at a mark is at least that old.
 */
export class HistoryMarks {
  readonly #options: MarkOptions;
  readonly #last: Statement<MarkRow>;
  readonly #insert: Statement;
  readonly #horizon: Statement<MarkRow>;
  readonly #earliest: Statement<{ readonly time: string | null }>;
  readonly #forget: Statement;

  constructor(connection: Connection, options: MarkOptions) {
    this.#options = options;
    this.#last = connection.prepare('SELECT * FROM history_mark ORDER BY age_ms DESC LIMIT 1');
    this.#insert = connection.prepare(
      'INSERT INTO history_mark (age_ms, seq, time, boot_id, boot_ms) VALUES (?, ?, ?, ?, ?)',
    );
    this.#horizon = connection.prepare(
      'SELECT * FROM history_mark WHERE age_ms <= ? ORDER BY age_ms DESC LIMIT 1',
    );
    this.#earliest = connection.prepare('SELECT min(time) AS time FROM history_mark WHERE age_ms >= ?');
    this.#forget = connection.prepare('DELETE FROM history_mark WHERE age_ms < ?');
  }

  /** Makes a mark if one is due; answers what is too old now, if anything is. */
  advance(): Horizon | undefined {
    const { retentionMs } = this.#options;
    const last = this.#last.get();
    const ageMs = this.#ageMs(last);
    if (last === undefined || ageMs - last.age_ms >= retentionMs / marksMax) this.#mark(ageMs);
    const horizon = this.#horizon.get(ageMs - retentionMs);
    if (horizon === undefined) return undefined;
    this.#forget.run(horizon.age_ms);
    // Where the clock of the day was set back meanwhile, rows of that time look older than they are.
    return { seq: horizon.seq, time: this.#earliest.get(horizon.age_ms)?.time ?? horizon.time };
  }

  #ageMs(last: MarkRow | undefined): number {
    const bootMs = this.#bootMs();
    if (last === undefined) return 0;
    const isSameBoot = last.boot_id === this.#options.bootId;
    return last.age_ms + Math.max(0, isSameBoot ? bootMs - last.boot_ms : bootMs);
  }

  #mark(ageMs: number): void {
    const { clock, bootId, lastSeq } = this.#options;
    this.#insert.run(ageMs, lastSeq(), clock.now().toISOString(), bootId, this.#bootMs());
  }

  #bootMs(): number {
    return Math.floor(this.#options.clock.bootMs());
  }
}
