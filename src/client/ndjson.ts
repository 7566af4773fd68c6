import { ClientError } from './client-error.ts';
import { readLines } from './lines.ts';

/** What the last line of a stream says of it. */
export interface Summary {
  readonly count?: number;
  readonly observed_at?: string;
  readonly [member: string]: unknown;
}

/**
 * Reads one JSON document a line, and returns the summary that the last line must be.
 *
 * A stream that ends without one was cut: the connection broke, or the server gave up half-way.
 * @throws ClientError cut_short, line_too_long
 */
export async function* readNdjson<Item>(
  body: AsyncIterable<Uint8Array>,
  lineCharsMax?: number,
): AsyncGenerator<Item, Summary, undefined> {
  let summary: Summary | undefined;
  try {
    for await (const line of readLines(body, lineCharsMax)) {
      if (summary !== undefined) throw new ClientError('cut_short', 'The list goes on after its summary.');
      const document: unknown = JSON.parse(line);
      if (isSummaryLine(document)) summary = document.summary;
      else yield document as Item;
    }
  } catch (error) {
    if (error instanceof ClientError) throw error;
    throw new ClientError('cut_short', 'The connection broke before the list was complete.', error);
  }
  if (summary === undefined) throw new ClientError('cut_short', 'The list ended before it was complete.');
  return summary;
}

function isSummaryLine(document: unknown): document is { readonly summary: Summary } {
  if (typeof document !== 'object' || document === null || !('summary' in document)) return false;
  return (
    Object.keys(document).length === 1 && typeof document.summary === 'object' && document.summary !== null
  );
}
