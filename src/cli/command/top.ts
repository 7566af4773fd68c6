import { setTimeout as wait } from 'node:timers/promises';
import { Argument, Command, Option } from 'commander';
import type { MapUsage, ProgramUsage, TopMaps, TopPrograms } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { type MapOrder, mapOrders } from '../../model/word-lists.ts';
import { parseDuration, parseNumber } from '../argument.ts';
import type { Cli } from '../cli.ts';
import { UsageError } from '../exit.ts';
import { formatBytes, formatNanoseconds, formatShare } from '../format/bytes.ts';
import { formatJsonLine } from '../format/document.ts';
import { counted } from '../format/plural.ts';
import { formatTable, type Heading } from '../format/table.ts';
import { cutTo } from '../format/width.ts';
import { documentText, wantsDocument } from '../print-rows.ts';
import { shown, shownPath } from '../resource/cell.ts';
import { cellsMax } from '../resource/resource.ts';

const nouns = ['programs', 'maps'] as const;
type Noun = (typeof nouns)[number];

interface TopFlags {
  readonly once?: boolean;
  readonly by?: MapOrder;
  readonly limit: string;
  readonly interval: string;
}

/** `pinfold top`: who takes most, again and again on a terminal. */
export function topCommand(cli: Cli): Command {
  return new Command('top')
    .description('show the programs that run longest, or the maps that take most memory or are fullest')
    .addArgument(new Argument('[noun]', 'what').choices(nouns).default('programs'))
    .option('--once', 'look once; otherwise a terminal is refreshed until you interrupt it')
    .addOption(new Option('--by <order>', 'what maps are ordered by (default: memory)').choices(mapOrders))
    .option('--limit <count>', 'show so many, 5000 at most; a terminal, as many as fit', '20')
    .option('--interval <duration>', 'how long programs are measured, and a terminal stays as it is', '1s')
    .action(async (noun: Noun, flags: TopFlags) => {
      const limit = parseNumber(flags.limit, { min: 1, max: 5000 });
      const intervalMs = parseDuration(flags.interval);
      if (intervalMs > 30_000) throw new UsageError('--interval takes at most 30s.');
      if (noun === 'programs' && flags.by !== undefined)
        throw new UsageError(
          '--by orders maps: pinfold top maps --by fill. Programs stand by the time they ran.',
        );
      const look =
        noun === 'maps' ? mapsOf(cli, flags.by ?? 'memory', limit) : programsOf(cli, intervalMs, limit);
      const isOnce = flags.once === true || !cli.io.isTTY.stdout || wantsDocument(cli);
      if (isOnce) return await printLines(cli, linesOf(cli, await look()));
      for (;;) {
        const seen = await look();
        const lines = [cli.io.now().toISOString(), ...linesOf(cli, seen)];
        const fitting = lines.slice(0, Math.max(1, cli.io.rows - 1));
        await printLines(cli, [home + fitting.map((line) => cutTo(line, cli.io.columns)).join('\n')]);
        await cli.out.flush();
        if (noun === 'maps') await wait(intervalMs);
      }
    });
}

/**
 * Goes to the corner of the terminal and clears what was there (ECMA-48: CUP, ED). What follows must fit: a
 * line that wraps, or one too many, would push the first ones out. The cursor rests below the last one.
 */
const home = '\u001b[H\u001b[J';

/** What was found, as the agent says it and for people. */
interface Seen {
  readonly document: { readonly items: readonly object[] };
  readonly summary: string;
  readonly headings: readonly Heading[];
  readonly rows: readonly (readonly string[])[];
  readonly names: readonly string[];
}

function programsOf(cli: Cli, durationMs: number, limit: number): () => Promise<Seen> {
  return async () => {
    const { api } = await cli.client();
    const query = { duration: `${durationMs}ms`, limit };
    const document: TopPrograms = await readData(api.GET('/v1/top/programs', { params: { query } }));
    const took = (document.duration_ms / 1000).toFixed(1);
    return {
      document,
      summary: `${counted(document.total, 'program')}, measured for ${took} s`,
      headings: headingsOf(['ID', 'RUNS', 'TIME', 'AVERAGE', 'CPU'], ['TYPE', 'NAME', 'PINNED AT']),
      rows: document.items.map(programCells),
      names: document.items.map(({ id }) => `program:${id}`),
    };
  };
}

function mapsOf(cli: Cli, by: MapOrder, limit: number): () => Promise<Seen> {
  return async () => {
    const { api } = await cli.client();
    const document: TopMaps = await readData(api.GET('/v1/top/maps', { params: { query: { by, limit } } }));
    const unknown = document.fill_unknown === undefined ? '' : `; entries unknown: ${document.fill_unknown}`;
    return {
      document,
      summary: shown(`${counted(document.total, 'map')}, ${formatBytes(document.memory_bytes)}${unknown}`),
      headings: headingsOf(['ID', 'MEMORY', 'ENTRIES', 'MAX', 'FULL'], ['TYPE', 'NAME', 'PINNED AT']),
      rows: document.items.map(mapCells),
      names: document.items.map(({ id }) => `map:${id}`),
    };
  };
}

function programCells(program: ProgramUsage): readonly string[] {
  const { id, run_cnt: runs, run_time_ns: time, average_ns: average, cpu } = program;
  return [
    shown(id),
    shown(runs),
    formatNanoseconds(time),
    average === undefined ? '' : formatNanoseconds(average),
    formatShare(cpu),
    ...whatOf(program),
  ];
}

function mapCells(map: MapUsage): readonly string[] {
  const { id, memory_bytes: memory, entries, max_entries: most, fill } = map;
  return [
    shown(id),
    memory === undefined ? '' : formatBytes(memory),
    shown(entries),
    shown(most),
    fill === undefined ? '' : formatShare(fill),
    ...whatOf(map),
  ];
}

function whatOf({ type, name, pins }: Pick<MapUsage, 'type' | 'name' | 'pins'>): readonly string[] {
  return [shown(type), shown(name), pins.map(shownPath).join(', ')];
}

function headingsOf(numbers: readonly string[], texts: readonly string[]): readonly Heading[] {
  return [
    ...numbers.map((title) => ({ title, align: 'right' as const })),
    ...texts.map((title) => ({ title })),
  ];
}

function linesOf(cli: Cli, { document, summary, headings, rows, names }: Seen): readonly string[] {
  const { format, hasHeader } = cli.globals();
  if (format === 'ndjson') return document.items.map(formatJsonLine);
  if (wantsDocument(cli)) return [documentText(cli, document)];
  if (format === 'name') return names;
  const cut = (cell: string): string => (format === 'wide' ? cell : cutTo(cell, cellsMax));
  const shownRows = rows.map((cells) => cells.map(cut));
  return [summary, ...formatTable(headings, shownRows, hasHeader)];
}

async function printLines(cli: Cli, lines: readonly string[]): Promise<void> {
  for (const line of lines) await cli.out.line(line);
}
