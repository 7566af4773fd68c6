import { bytesOf } from '../model/path.ts';
import type { EventDocument } from '../model/schema/event.ts';
import type { PathHistory, PinName } from '../model/store.ts';
import type { Connection, Statement } from './connection.ts';
import { storedTime } from './event-filter.ts';
import { documentOf, type EventRow } from './event-row.ts';

/** Where the clock was set back by less than this, what came after in order is believed. */
const disorderMs = 60_000;

/** What happens to names; `pin.discarded` is about a pin that has none any more. */
const pinTypes = `type IN ('pin.created', 'pin.removed', 'pin.replaced', 'pin.renamed', 'pin.changed',
  'pin.quarantined', 'pin.restored')`;

/** Questions about one name, each answered from an index, however long history is. */
export class SqlitePathHistory implements PathHistory {
  readonly #before: readonly Statement<EventRow>[];
  readonly #after: readonly Statement<EventRow>[];
  readonly #find: Statement<EventRow>;
  readonly #latestTime: Statement<{ readonly time: string | null }>;
  readonly #lastWithin: Statement<{ readonly seq: number | null }>;
  readonly #primary: Statement<{ readonly mount: string | null }>;
  readonly #start: Statement<EventRow>;

  constructor(connection: Connection) {
    const columns = ['path', 'path_left'] as const;
    const named = (column: string): string =>
      `SELECT * FROM event INDEXED BY event_${column} WHERE ${column} = ? AND mount = ? AND ${pinTypes}`;
    this.#before = columns.map((column) =>
      connection.prepare(`${named(column)} AND seq <= ? ORDER BY seq DESC LIMIT 1`),
    );
    this.#after = columns.map((column) =>
      connection.prepare(`${named(column)} AND seq > ? ORDER BY seq LIMIT 1`),
    );
    this.#find = connection.prepare('SELECT * FROM event WHERE seq = ?');
    this.#latestTime = connection.prepare('SELECT max(time) AS time FROM event WHERE time <= ?');
    this.#lastWithin = connection.prepare('SELECT max(seq) AS seq FROM event WHERE time BETWEEN ? AND ?');
    this.#primary = connection.prepare(`
      SELECT mount FROM event INDEXED BY event_type WHERE type = 'mount.appeared' AND seq <= ?
      AND json_extract(after, '$.primary') = 1 ORDER BY seq DESC LIMIT 1`);
    this.#start = connection.prepare(`
      SELECT * FROM event INDEXED BY event_type WHERE type = 'node.started' AND seq <= ?
      ORDER BY seq DESC LIMIT 1`);
  }

  before(name: PinName, seq: number): EventDocument | undefined {
    return inOrder(this.#ask(this.#before, name, seq)).at(-1);
  }

  after(name: PinName, seq: number): EventDocument | undefined {
    return inOrder(this.#ask(this.#after, name, seq)).at(0);
  }

  find(seq: number): EventDocument | undefined {
    return documentIf(this.#find.get(seq));
  }

  seqAt(time: string): number | undefined {
    const asked = storedTime(time);
    const latest = this.#latestTime.get(asked)?.time;
    if (latest === undefined || latest === null) return undefined;
    const from = new Date(Date.parse(latest) - disorderMs).toISOString();
    return this.#lastWithin.get(from, asked)?.seq ?? undefined;
  }

  primaryAt(seq: number): string | undefined {
    return this.#primary.get(seq)?.mount ?? undefined;
  }

  startBefore(seq: number): EventDocument | undefined {
    return documentIf(this.#start.get(seq));
  }

  #ask(statements: readonly Statement<EventRow>[], { mount, path }: PinName, seq: number): EventRow[] {
    return statements.flatMap((statement) => statement.get(bytesOf(path), mount, seq) ?? []);
  }
}

function inOrder(rows: readonly EventRow[]): readonly EventDocument[] {
  return [...rows].sort((one, other) => one.seq - other.seq).map(documentOf);
}

function documentIf(row: EventRow | undefined): EventDocument | undefined {
  return row === undefined ? undefined : documentOf(row);
}
