import { parseStoredKey } from '../model/cluster/key.ts';
import type { ClusterEvent, ClusterNews } from '../model/cluster/store.ts';
import { limits } from '../model/limits.ts';
import type { Connection, Statement } from './connection.ts';

/** What is called after each transaction that changed something. */
export type Wakes = Set<() => void>;

/** One key as one revision left it; without a value it went. */
export interface Change {
  readonly revision: number;
  readonly key: string;
  readonly value: string | null;
  readonly createRevision: number;
}

interface ChangeRow {
  readonly revision: number;
  readonly key: string;
  readonly value: string | null;
  readonly create_revision: number;
}

/** Rows that one turn of a watch reads; a revision is never cut, it has less changes than that. */
const rowsAtOnce = 1000;

/**
 * The revisions of the local cluster store: numbers that only grow, and what each changed, for as long as
 * limits.clusterHistoryRows allow. What is older is compacted, and a watch from there is told so.
 */
export class ClusterHistory {
  readonly #wakes: Wakes;
  readonly #state: Statement<{ readonly revision: number; readonly compacted: number }>;
  readonly #next: Statement<{ readonly revision: number }>;
  readonly #note: Statement;
  readonly #read: Statement<ChangeRow>;
  readonly #compact: readonly Statement[];
  readonly #closing = new AbortController();

  constructor(connection: Connection, wakes: Wakes) {
    this.#wakes = wakes;
    this.#state = connection.prepare('SELECT revision, compacted FROM cluster_state');
    this.#next = connection.prepare('UPDATE cluster_state SET revision = revision + 1 RETURNING revision');
    this.#note = connection.prepare(
      'INSERT INTO cluster_change (revision, key, value, create_revision) VALUES (?, ?, ?, ?)',
    );
    this.#read = connection.prepare(
      'SELECT revision, key, value, create_revision FROM cluster_change' +
        ' WHERE revision >= ? AND revision < ? AND key >= ? AND key < ? ORDER BY seq',
    );
    const oldest = `(SELECT max(seq) FROM cluster_change) - ${limits.clusterHistoryRows}`;
    this.#compact = [
      connection.prepare(
        `UPDATE cluster_state SET compacted = max(compacted,
          (SELECT coalesce(max(revision), 0) FROM cluster_change WHERE seq <= ${oldest}))`,
      ),
      connection.prepare(
        'DELETE FROM cluster_change WHERE revision <= (SELECT compacted FROM cluster_state)',
      ),
    ];
  }

  revision(): number {
    return this.#state.get()?.revision ?? 0;
  }

  /** Begins a revision. */
  next(): number {
    const revision = this.#next.get()?.revision ?? 0;
    if (revision % 100 === 0) for (const statement of this.#compact) statement.run();
    return revision;
  }

  note({ revision, key, value, createRevision }: Change): void {
    this.#note.run(revision, key, value, createRevision);
  }

  /** What changed in a range of keys from a revision on, and goes on changing. */
  async *follow(
    keys: { readonly from: string; readonly to: string },
    fromRevision: number,
    signal: AbortSignal,
  ): AsyncGenerator<ClusterNews, void, undefined> {
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    let at = fromRevision;
    yield { type: 'connected' };
    while (!stop.aborted) {
      const { revision, compacted } = this.#state.get() ?? { revision: 0, compacted: 0 };
      if (at <= compacted) {
        yield { type: 'compacted', compactRevision: compacted };
        return;
      }
      if (at > revision) {
        await this.#change(stop);
        continue;
      }
      const until = Math.min(revision + 1, at + rowsAtOnce);
      for (const group of groups(this.#read.all(at, until, keys.from, keys.to))) {
        if (stop.aborted) return;
        yield group;
      }
      at = until;
    }
  }

  close(): void {
    this.#closing.abort();
  }

  /** Resolves at the next transaction that changes something, or when nobody waits any more. */
  #change(stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wakes.delete(wake);
        stop.removeEventListener('abort', wake);
        resolve();
      };
      this.#wakes.add(wake);
      stop.addEventListener('abort', wake, { once: true });
      if (stop.aborted) wake();
    });
  }
}

/** Rows of one revision are told together. */
function groups(rows: readonly ChangeRow[]): readonly ClusterNews[] {
  const found = new Map<number, ClusterEvent[]>();
  for (const row of rows) {
    const events = found.get(row.revision) ?? [];
    events.push(eventOf(row));
    found.set(row.revision, events);
  }
  return [...found].map(([revision, events]) => ({ type: 'events', revision, events }));
}

function eventOf({ revision, key: text, value, create_revision }: ChangeRow): ClusterEvent {
  const key = parseStoredKey(text);
  if (value === null) return { type: 'delete', key, modRevision: revision };
  return { type: 'put', entry: { key, value, createRevision: create_revision, modRevision: revision } };
}
