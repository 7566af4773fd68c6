import type { Cli } from './cli.ts';
import { formatJson, formatJsonLine, formatYaml } from './format/document.ts';
import { formatTable } from './format/table.ts';
import { Progress } from './progress.ts';
import type { Resource, Row } from './resource/resource.ts';

/**
 * Prints items in the format that was asked for.
 *
 * `one` says that a person named a single item: documents are then printed bare, not in a list. ndjson and
 * names are written while they arrive; a table must know its widest cell first.
 */
export async function printRows(
  cli: Cli,
  resource: Resource,
  rows: AsyncIterable<Row>,
  { one = false }: { readonly one?: boolean } = {},
): Promise<void> {
  const { format } = cli.globals();
  switch (format) {
    case 'ndjson':
      for await (const row of rows) await cli.out.line(formatJsonLine(row.document));
      return;
    case 'name':
      for await (const row of rows) await cli.out.line(row.name);
      return;
    case 'json':
    case 'yaml': {
      const documents = (await collect(cli, resource, rows)).map((row) => row.document);
      await printDocument(cli, one && documents.length === 1 ? documents[0] : { items: documents });
      return;
    }
    default:
      await printTable(cli, resource, await collect(cli, resource, rows));
  }
}

/** One document as json, ndjson or yaml; for the formats that are for people the caller has its own words. */
export async function printDocument(cli: Cli, document: unknown): Promise<void> {
  await cli.out.line(documentText(cli, document));
}

/** What `printDocument` prints. */
export function documentText(cli: Cli, document: unknown): string {
  const { format } = cli.globals();
  if (format === 'yaml') return formatYaml(document);
  return format === 'ndjson' ? formatJsonLine(document) : formatJson(document);
}

/** Tells whether the format is one that programs read, so that documents are printed instead of sentences. */
export function wantsDocument(cli: Cli): boolean {
  const { format } = cli.globals();
  return format === 'json' || format === 'ndjson' || format === 'yaml';
}

async function printTable(cli: Cli, resource: Resource, rows: readonly Row[]): Promise<void> {
  if (rows.length === 0) {
    await cli.err.line(`No ${resource.plural} found.`);
    return;
  }
  const { format, hasHeader } = cli.globals();
  const isWide = format === 'wide';
  const now = cli.io.now();
  const cells = rows.map((row) => row.cells(isWide, now));
  for (const line of formatTable(resource.headings(isWide), cells, hasHeader)) await cli.out.line(line);
}

async function collect(cli: Cli, resource: Resource, rows: AsyncIterable<Row>): Promise<Row[]> {
  const progress = new Progress(cli.io, resource.plural);
  const collected: Row[] = [];
  try {
    for await (const row of rows) {
      collected.push(row);
      progress.count(collected.length);
    }
  } finally {
    progress.clear();
  }
  return collected;
}
