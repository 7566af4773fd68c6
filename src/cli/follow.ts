import type { Cli } from './cli.ts';
import { UsageError } from './exit.ts';
import { formatJsonLine } from './format/document.ts';
import { formatTable } from './format/table.ts';
import type { Resource, Row } from './resource/resource.ts';

/** The items there are, and those that come. */
export interface FollowedRows {
  readonly rows: AsyncIterable<Row>;
  readonly follow: (after: string) => AsyncIterable<Row>;
}

/**
 * Prints a list that only grows, then what is added to it while it happens, until it is interrupted or nobody
 * reads any more. Nothing is told twice and nothing is left out in between.
 */
export async function followRows(
  cli: Cli,
  resource: Resource,
  { rows, follow }: FollowedRows,
): Promise<void> {
  const { format, hasHeader } = cli.globals();
  if (format === 'json' || format === 'yaml')
    throw new UsageError('--watch prints a table, names or ndjson.');
  const first: Row[] = [];
  for await (const row of rows) first.push(row);
  await print(cli, resource, first, hasHeader);
  for await (const row of follow(first.at(-1)?.name ?? '0')) await print(cli, resource, [row], false);
}

async function print(cli: Cli, resource: Resource, rows: readonly Row[], hasHeader: boolean): Promise<void> {
  const { format } = cli.globals();
  if (format === 'ndjson') for (const row of rows) await cli.out.line(formatJsonLine(row.document));
  else if (format === 'name') for (const row of rows) await cli.out.line(row.name);
  else {
    const isWide = format === 'wide';
    const cells = rows.map((row) => row.cells(isWide, cli.io.now()));
    for (const line of formatTable(resource.headings(isWide), cells, hasHeader)) await cli.out.line(line);
  }
  await cli.out.flush();
}
