import { setTimeout as wait } from 'node:timers/promises';
import { isClientError, isOutOfReach } from '../client/client-error.ts';
import type { Cli } from './cli.ts';
import { UsageError } from './exit.ts';
import { formatJsonLine } from './format/document.ts';
import { formatTable } from './format/table.ts';
import type { Resource, Row } from './resource/resource.ts';

type Change = 'added' | 'modified' | 'removed';

/**
 * Prints a list, then each line of it that appears, changes or goes, until it is interrupted or nobody reads
 * any more.
 *
 * It looks at the whole list again and again: a change that is undone between two looks is not seen (events
 * have it). Of history nothing is removed, it only leaves the part that is looked at. An agent that restarts
 * is waited for.
 */
export async function watchRows(
  cli: Cli,
  resource: Resource,
  { look, everyMs }: { readonly look: () => AsyncIterable<Row>; readonly everyMs: number },
): Promise<never> {
  const { format, hasHeader } = cli.globals();
  if (format === 'json' || format === 'yaml')
    throw new UsageError('--watch prints a table, names or ndjson.');
  let known = new Map<string, Row>();
  for (let isFirst = true; ; isFirst = false) {
    const seen = await lookOnce(look, isFirst);
    if (seen !== undefined) {
      const changes = [...changesBetween(known, seen)].filter(
        ([change]) => change !== 'removed' || resource.newestMax === undefined,
      );
      await printChanges(cli, resource, changes, isFirst && hasHeader);
      known = seen;
    }
    await wait(everyMs);
  }
}

async function lookOnce(
  look: () => AsyncIterable<Row>,
  isFirst: boolean,
): Promise<Map<string, Row> | undefined> {
  const rows = new Map<string, Row>();
  try {
    for await (const row of look()) rows.set(row.name, row);
    return rows;
  } catch (error) {
    const isPassing = isOutOfReach(error) || isClientError(error, 'not_ready');
    if (isPassing && !isFirst) return undefined;
    throw error;
  }
}

function* changesBetween(
  known: ReadonlyMap<string, Row>,
  seen: ReadonlyMap<string, Row>,
): Generator<readonly [Change, Row]> {
  for (const [name, row] of known) if (!seen.has(name)) yield ['removed', row];
  for (const [name, row] of seen) {
    const before = known.get(name);
    if (before === undefined) yield ['added', row];
    else if (before.version !== row.version) yield ['modified', row];
  }
}

async function printChanges(
  cli: Cli,
  resource: Resource,
  all: readonly (readonly [Change, Row])[],
  hasHeader: boolean,
): Promise<void> {
  const { format } = cli.globals();
  if (format === 'ndjson') {
    for (const [change, row] of all) await cli.out.line(formatJsonLine({ change, document: row.document }));
  } else if (format === 'name') {
    for (const [, row] of all) await cli.out.line(row.name);
  } else {
    const isWide = format === 'wide';
    const now = cli.io.now();
    const headings = [{ title: 'CHANGE' }, ...resource.headings(isWide)];
    const cells = all.map(([change, row]) => [change, ...row.cells(isWide, now)]);
    for (const line of formatTable(headings, cells, hasHeader)) await cli.out.line(line);
  }
  await cli.out.flush();
}
