import { bytesOf } from '../model/path.ts';
import type { EventQuery } from '../model/store.ts';
import type { Value } from './connection.ts';

/**
 * A WHERE clause and its values; the same kinds of filter give the same text, so that statements can be kept.
 */
export interface Filter {
  readonly where: string;
  readonly values: readonly Value[];
}

interface Condition {
  readonly sql: string;
  readonly values: readonly Value[];
}

/**
 * The filter of a query over `event`. Times are compared as the text they are stored in; `since` is included,
 * `until` is not. The `+` keeps SQLite from walking `event_time` for an upper end, which would sort all
 * before it.
 */
export function filterOf(query: Omit<EventQuery, 'limit'>): Filter {
  const conditions: Condition[] = [
    ...equal('mount', query.mount),
    ...equal('kind', query.kind),
    ...equal('object_id', query.id),
    ...equal('actor', query.actor),
    ...paths(query),
    ...types(query.types),
  ];
  if (query.afterSeq !== undefined) conditions.push({ sql: 'seq > ?', values: [query.afterSeq] });
  if (query.since !== undefined) conditions.push({ sql: 'time >= ?', values: [storedTime(query.since)] });
  if (query.until !== undefined) conditions.push({ sql: '+time < ?', values: [storedTime(query.until)] });
  return {
    where: conditions.length === 0 ? '' : `WHERE ${conditions.map(({ sql }) => sql).join(' AND ')}`,
    values: conditions.flatMap(({ values }) => values),
  };
}

/** A time in the one form the store keeps, whatever offset or precision it was given in. */
export function storedTime(time: string): string {
  return new Date(time).toISOString();
}

function equal(column: string, value: string | number | undefined): Condition[] {
  return value === undefined ? [] : [{ sql: `${column} = ?`, values: [value] }];
}

/**
 * A pin that left a path for another is told of under both: `path` is where it is then, `path_left` where it
 * was. Each has an index, which SQLite walks one after the other.
 *
 * Bytes below a directory are those from `dir/` up to, not including, `dir0`: in ASCII `0` follows `/`.
 */
function paths({ path, within }: Omit<EventQuery, 'limit'>): Condition[] {
  if (path === undefined) return [];
  if (within === true && path === '') return [{ sql: 'path IS NOT NULL', values: [] }];
  const columns = ['path', 'path_left'];
  const [one, values] =
    within === true
      ? [below, [bytesOf(path), bytesOf(`${path}0`), bytesOf(path), bytesOf(`${path}/`)]]
      : [(column: string) => `${column} = ?`, [bytesOf(path)]];
  const sql = `(${columns.map((column) => `(${one(column)})`).join(' OR ')})`;
  return [{ sql, values: columns.flatMap(() => values) }];
}

function below(column: string): string {
  return `${column} >= ? AND ${column} < ? AND (${column} = ? OR ${column} >= ?)`;
}

function types(wanted: readonly string[] | undefined): Condition[] {
  if (wanted === undefined) return [];
  return [{ sql: `type IN (${wanted.map(() => '?').join(', ')})`, values: wanted }];
}
