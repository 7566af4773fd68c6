import { Command } from 'commander';
import { readNdjson } from '../../client/ndjson.ts';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { parseNumber } from '../argument.ts';
import type { Cli } from '../cli.ts';
import { addEntryOptions, type EntryFlags, entryQuery } from '../entry-options.ts';
import { entryText } from '../entry-text.ts';
import { Exit, exitCodes, UsageError } from '../exit.ts';
import { formatJsonLine } from '../format/document.ts';
import { mapHelp, resolveMap } from '../map-argument.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';

interface DumpFlags extends EntryFlags {
  readonly follow?: boolean;
  readonly limit?: string;
  readonly peek?: boolean;
}

/** The most entries the agent counts off; without a limit it gives all there are. */
const entriesMax = 5000;

/** One entry as the API gives it. */
interface Entry {
  readonly key: unknown;
  readonly value?: unknown;
  readonly values?: unknown;
}

/** `pinfold dump`: everything in a map. */
export function dumpCommand(cli: Cli): Command {
  const command = new Command('dump')
    .description(
      'print the entries of a map, one a line; documents end with a summary that says whether it is all',
    )
    .argument('<map>', mapHelp)
    .option('--follow', 'with the entries of inner maps')
    .option('--peek', 'only the head of a queue or stack, which stays there')
    .option('--limit <count>', `stop after so many entries, ${entriesMax} at most (default: all there are)`);
  return addEntryOptions(command).action(async (map: string, flags: DumpFlags) => {
    const isPeek = flags.peek === true;
    if (isPeek && (flags.limit !== undefined || flags.follow === true))
      throw new UsageError('--peek shows one value; --limit and --follow do not go with it.');
    const limit =
      flags.limit === undefined ? undefined : parseNumber(flags.limit, { min: 1, max: entriesMax });
    const query = { ...entryQuery(flags), ...(flags.follow === true ? { follow: true } : {}) };
    const id = await resolveMap(cli, map);
    if (isPeek) return await printHead(cli, id, entryQuery(flags));
    const summary = await printEntries(cli, readEntries(cli, { id, query, limit }));
    await cli.out.flush();
    await cli.err.line(`pinfold: ${sentenceOf(summary)}`);
    if (summary['complete'] !== true && summary['stopped'] !== 'rows') throw new Exit(exitCodes.error);
  });
}

async function printHead(cli: Cli, id: string, query: ReturnType<typeof entryQuery>): Promise<void> {
  const { api } = await cli.client();
  const head = await readData(api.GET('/v1/maps/{id}/peek', { params: { path: { id }, query } }));
  if (wantsDocument(cli)) return await printDocument(cli, head);
  return await cli.out.line(entryText(head.value));
}

interface Wanted {
  readonly id: string;
  readonly query: ReturnType<typeof entryQuery> & { readonly follow?: boolean };
  readonly limit: number | undefined;
}

/**
 * Entries as they arrive. A dump that is cut ends with a whole bucket, which may be a little before the
 * limit: what is missing is asked for once more.
 */
async function* readEntries(cli: Cli, { id, query, limit }: Wanted): Entries {
  const { api } = await cli.client();
  let given = 0;
  let cursor: { readonly cursor?: string } = {};
  for (;;) {
    const left = limit === undefined ? {} : { limit: limit - given };
    const body = await readData(
      api.GET('/v1/maps/{id}/entries', {
        params: { path: { id }, query: { ...query, ...left, ...cursor } },
        headers: { accept: 'application/x-ndjson' },
        parseAs: 'stream',
      }),
    );
    const summary = yield* readNdjson<Entry>(body ?? new ReadableStream<Uint8Array>());
    const { count, next_cursor: next, stopped } = summary;
    given += Number(count);
    const isEnd = limit === undefined || given >= limit || stopped !== 'rows' || typeof next !== 'string';
    if (isEnd) return { ...summary, count: given };
    cursor = { cursor: next };
  }
}

type Entries = ReturnType<typeof readNdjson<Entry>>;
type Summary = Entries extends AsyncGenerator<Entry, infer Result> ? Result : never;

/** How many entries there were, what they can be relied on for, and what ended a dump that is not whole. */
function sentenceOf({ count, complete, consistency, stopped }: Summary): string {
  const number = count === 1 ? '1 entry' : `${String(count)} entries`;
  const whole = complete === true ? 'complete' : `not complete, ${escapeText(String(stopped))} ended it`;
  return `${number}, ${whole}; consistency ${escapeText(String(consistency))}.`;
}

/**
 * Prints entries as they arrive, so that a large map takes no memory; a document needs all of them. What
 * programs read has the summary inside, as the stream of the API has: only that tells a whole dump from a
 * part of one.
 */
async function printEntries(cli: Cli, entries: Entries): Promise<Summary> {
  const { format } = cli.globals();
  const isDocument = format === 'json' || format === 'yaml';
  const kept: Entry[] = [];
  for (;;) {
    const step = await entries.next();
    if (step.done === true) {
      if (isDocument) await printDocument(cli, { items: kept, summary: step.value });
      if (format === 'ndjson') await cli.out.line(formatJsonLine({ summary: step.value }));
      return step.value;
    }
    if (isDocument) kept.push(step.value);
    else await cli.out.line(lineOf(format, step.value));
  }
}

/** An entry for people, `KEY: VALUE`, for programs, or only its key. */
export function lineOf(format: string, entry: Entry): string {
  if (format === 'ndjson') return formatJsonLine(entry);
  const key = entryText(entry.key);
  return format === 'name' ? key : `${key}: ${entryText(entry.value ?? entry.values)}`;
}
