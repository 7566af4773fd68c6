import { Command } from 'commander';
import { readNdjson } from '../../client/ndjson.ts';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { parseNumber } from '../argument.ts';
import type { Cli } from '../cli.ts';
import { addEntryOptions, type EntryFlags, entryQuery } from '../entry-options.ts';
import { Exit, exitCodes } from '../exit.ts';
import { formatJson, formatJsonLine, formatYaml } from '../format/document.ts';
import { mapHelp, resolveMap } from '../map-argument.ts';

interface DumpFlags extends EntryFlags {
  readonly follow?: boolean;
  readonly limit?: string;
}

/** One entry as the API gives it. */
interface Entry {
  readonly key: unknown;
  readonly value?: unknown;
  readonly values?: unknown;
}

/** `pinfold dump`: everything in a map. */
export function dumpCommand(cli: Cli): Command {
  const command = new Command('dump')
    .description('print the entries of a map, one a line')
    .argument('<map>', mapHelp)
    .option('--follow', 'with the entries of inner maps')
    .option('--limit <count>', 'stop after so many');
  return addEntryOptions(command).action(async (map: string, flags: DumpFlags) => {
    const limit = flags.limit === undefined ? undefined : parseNumber(flags.limit, { min: 1, max: 5000 });
    const query = {
      ...entryQuery(flags),
      ...(flags.follow === true ? { follow: true } : {}),
      ...(limit === undefined ? {} : { limit }),
    };
    const id = await resolveMap(cli, map);
    const { api } = await cli.client();
    const body = await readData(
      api.GET('/v1/maps/{id}/entries', {
        params: { path: { id }, query },
        headers: { accept: 'application/x-ndjson' },
        parseAs: 'stream',
      }),
    );
    const summary = await printEntries(cli, readNdjson<Entry>(body ?? new ReadableStream<Uint8Array>()));
    await cli.out.flush();
    await cli.err.line(`pinfold: ${sentenceOf(summary)}`);
    if (summary['complete'] !== true && summary['stopped'] !== 'rows') throw new Exit(exitCodes.error);
  });
}

type Entries = ReturnType<typeof readNdjson<Entry>>;
type Summary = Entries extends AsyncGenerator<Entry, infer Result> ? Result : never;

/** How many entries there were, what they can be relied on for, and what ended a dump that is not whole. */
function sentenceOf({ count, complete, consistency, stopped }: Summary): string {
  const number = count === 1 ? '1 entry' : `${String(count)} entries`;
  const whole = complete === true ? 'complete' : `not complete, ${escapeText(String(stopped))} ended it`;
  return `${number}, ${whole}; consistency ${escapeText(String(consistency))}.`;
}

/** Prints entries as they arrive, so that a large map takes no memory; a document needs all of them. */
async function printEntries(cli: Cli, entries: Entries): Promise<Summary> {
  const { format } = cli.globals();
  const isDocument = format === 'json' || format === 'yaml';
  const kept: Entry[] = [];
  for (;;) {
    const step = await entries.next();
    if (step.done === true) {
      if (isDocument) await cli.out.line(documentOf(format, kept));
      return step.value;
    }
    if (isDocument) kept.push(step.value);
    else await cli.out.line(lineOf(format, step.value));
  }
}

function documentOf(format: string, items: readonly Entry[]): string {
  return format === 'yaml' ? formatYaml({ items }) : formatJson({ items });
}

/** An entry for people, `KEY: VALUE`, for programs, or only its key. */
export function lineOf(format: string, entry: Entry): string {
  if (format === 'ndjson') return formatJsonLine(entry);
  const key = shown(entry.key);
  return format === 'name' ? key : `${key}: ${shown(entry.value ?? entry.values)}`;
}

function shown(value: unknown): string {
  return escapeText(typeof value === 'string' ? value : formatJsonLine(value));
}
