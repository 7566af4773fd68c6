import assert from 'node:assert/strict';
import type Database from 'better-sqlite3';
import { translateFailure } from './failure.ts';

/** What SQLite stores; a boolean is 0 or 1, bytes are a BLOB. */
export type Value = string | number | Uint8Array | null;

/** One prepared statement. `Row` is what the STRICT tables guarantee of its columns. */
export interface Statement<Row = never> {
  /** Runs it and answers how many rows it changed. */
  run(...values: readonly Value[]): number;
  get(...values: readonly Value[]): Row | undefined;
  all(...values: readonly Value[]): Row[];
}

/**
 * One open database: statements and transactions whose failures are PinfoldErrors.
 *
 * Nested transactions are savepoints of the outer one. SQLite may end a whole transaction by itself when the
 * disk fails (https://sqlite.org/lang_transaction.html); from then on everything in it fails, so that nothing
 * of it is committed alone.
 */
export class Connection {
  readonly file: string;
  readonly #database: Database.Database;
  readonly #outer: Brackets;
  readonly #inner: Brackets;
  #onCommit: () => void = () => undefined;
  #depth = 0;
  #lost: { readonly failure: unknown } | undefined;

  constructor(database: Database.Database) {
    this.file = database.name;
    this.#database = database;
    this.#outer = this.#brackets('BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK');
    this.#inner = this.#brackets('SAVEPOINT nested', 'RELEASE nested', 'ROLLBACK TO nested');
  }

  /** Compiles one statement, to be kept and used again. */
  prepare<Row = never>(sql: string): Statement<Row> {
    const statement = this.#guard(() => this.#database.prepare<Value[], Row>(sql));
    return {
      // Written out: a change runs a dozen statements, and a closure for each costs as much as a small one.
      run: (...values) => {
        if (this.#lost !== undefined) throw this.#lost.failure;
        try {
          return statement.run(...values).changes;
        } catch (thrown) {
          throw this.#failure(thrown);
        }
      },
      get: (...values) => this.#guard(() => statement.get(...values)),
      all: (...values) => this.#guard(() => statement.all(...values)),
    };
  }

  /** Names the one who is told of each transaction once it is committed. */
  onCommit(listener: () => void): void {
    this.#onCommit = listener;
  }

  /** Runs SQL that is not worth preparing: migrations. */
  execute(sql: string): void {
    this.#guard(() => this.#database.exec(sql));
  }

  /** All of it or nothing, committed when it returns unless it is nested in another. */
  transaction<Result>(body: () => Result): Result {
    const result = this.#bracketed(body);
    if (this.#depth === 0) this.#onCommit();
    return result;
  }

  #bracketed<Result>(body: () => Result): Result {
    const brackets = this.#depth === 0 ? this.#outer : this.#inner;
    brackets.begin.run();
    this.#depth += 1;
    try {
      const result = body();
      assert(!(result instanceof Promise), 'a transaction of the store is synchronous');
      brackets.commit.run();
      return result;
    } catch (thrown) {
      this.#undo();
      throw thrown;
    } finally {
      this.#depth -= 1;
      if (this.#depth === 0) this.#lost = undefined;
    }
  }

  /** Checkpoints and closes; open statements are finalized. */
  close(): void {
    this.#guard(() => this.#database.close());
  }

  #undo(): void {
    if (this.#lost !== undefined || !this.#database.inTransaction) return;
    if (this.#depth === 1) this.#outer.undo.run();
    else {
      this.#inner.undo.run();
      this.#inner.commit.run();
    }
  }

  #brackets(begin: string, commit: string, undo: string): Brackets {
    return { begin: this.prepare(begin), commit: this.prepare(commit), undo: this.prepare(undo) };
  }

  #guard<Result>(call: () => Result): Result {
    if (this.#lost !== undefined) throw this.#lost.failure;
    try {
      return call();
    } catch (thrown) {
      throw this.#failure(thrown);
    }
  }

  #failure(thrown: unknown): unknown {
    const failure = translateFailure(thrown, this.file);
    if (this.#depth > 0 && !this.#database.inTransaction) this.#lost = { failure };
    return failure;
  }
}

interface Brackets {
  readonly begin: Statement;
  readonly commit: Statement;
  readonly undo: Statement;
}
