import { Command } from 'commander';
import { escapeText } from '../../model/escape.ts';
import { ruleIds, severities } from '../../model/word-lists.ts';
import {
  collect,
  parseDuration,
  parseKind,
  parseLabels,
  parseMoment,
  parseNumber,
  parseTextPath,
  parseTime,
} from '../argument.ts';
import type { Cli } from '../cli.ts';
import { Exit, type ExitCode, UsageError } from '../exit.ts';
import { followRows } from '../follow.ts';
import { idOf } from '../object-argument.ts';
import { printRows } from '../print-rows.ts';
import { pastOf } from '../resource/past-pin.ts';
import type { FilterName, Filters, Resource, Row } from '../resource/resource.ts';
import { gettableNouns, resourceNamed } from '../resource/resources.ts';
import { tellFailure } from '../tell.ts';
import { watchRows } from '../watch.ts';
import { fleetAsked, getOfFleet } from './get-fleet.ts';

/** What lists are narrowed by, as it was typed. */
export interface GetFlags {
  readonly prefix?: string;
  readonly kind?: string;
  readonly type?: string;
  readonly name?: string;
  readonly id?: string;
  readonly owner?: string;
  readonly claimed?: boolean;
  readonly label?: readonly string[];
  readonly selector?: readonly string[];
  readonly pinned?: boolean;
  readonly heldBy?: string;
  readonly finding?: string;
  readonly rule?: string;
  readonly severity?: string;
  readonly since?: string;
  readonly at?: string;
  readonly until?: string;
  readonly pin?: string;
  readonly actor?: string;
  readonly fresh?: boolean;
  readonly limit?: string;
  readonly watch?: boolean;
  readonly interval: string;
}

/** `pinfold get`: lists, or single items by name. */
export function getCommand(cli: Cli): Command {
  return new Command('get')
    .description('list what there is, or show single items by path, id or name')
    .argument('<noun>', gettableNouns.join(', '))
    .argument('[name...]', 'a path, an id (5 or map:5) or a name')
    .option('--prefix <path>', 'pins below this directory')
    .option('--kind <kind>', 'map, program, link or btf')
    .option('--type <type>', 'of this type, such as hash or sched_cls; of events, such as pin.created')
    .option('--name <name>', 'objects of this name, and their pins')
    .option('--id <id>', 'pins and events of the object with this id')
    .option('--owner <owner>', 'pins of this owner; empty text for pins without one')
    .option('--claimed', 'pins that somebody claims')
    .option('--no-claimed', 'pins that nobody does')
    .option('--label <key=value>', 'pins or claims with this label; may be repeated', collect)
    .option('-l, --selector <selector>', 'of all nodes with these labels, such as role=edge,!gpu', collect)
    .option('--pinned', 'objects that have a pin')
    .option('--no-pinned', 'objects that have none')
    .option('--held-by <process>', 'objects that pid:812, comm:bird, unit:…, container:… or pod:… has open')
    .option('--finding <rule>', 'objects that a rule objects to, such as orphan_pin')
    .option('--rule <rule>', 'findings of this rule')
    .option('--severity <severity>', 'findings that are info, warning or critical')
    .option('--at <moment>', 'what pins held then: a time, as long ago as 2d, or seq:N after an event')
    .option('--since <time>', 'events since a time, or as long ago as 5m')
    .option('--until <time>', 'events until a time')
    .option('--pin <path>', 'events of this pin')
    .option('--actor <actor>', 'events of this actor')
    .option('--fresh', 'read the kernel first, instead of answering from the last observation')
    .option('--limit <count>', 'stop after so many, of events show the newest; or all')
    .option('-w, --watch', 'go on and print what changes')
    .option('--interval <duration>', 'how often to look while watching', '2s')
    .action(async (noun: string, names: string[], flags: GetFlags) => {
      const resource = flags.at === undefined ? resourceNamed(noun) : pastOf(resourceNamed(noun));
      const filters = parseFilters(cli, resource, flags);
      const asked = fleetAsked(cli, { resource, filters, flags });
      if (asked !== undefined) return await getOfFleet(cli, asked, { names, flags });
      if (names.length > 0)
        return await getNamed(cli, { resource, names, filters, isWatch: flags.watch === true });
      return await getList(cli, { resource, filters, flags });
    });
}

/** Lists what a noun means. @throws UsageError, ClientError */
export async function listNoun(cli: Cli, noun: string, flags: GetFlags): Promise<void> {
  const resource = resourceNamed(noun);
  const listed = { resource, filters: parseFilters(cli, resource, flags), flags };
  const asked = fleetAsked(cli, listed);
  if (asked === undefined) await getList(cli, listed);
  else await getOfFleet(cli, asked, { names: [], flags });
}

interface Listed {
  readonly resource: Resource;
  readonly filters: Filters;
  readonly flags: GetFlags;
}

/** Lists. Of what only grows people are shown the newest, and told so; programs get everything. */
async function getList(cli: Cli, { resource, filters, flags }: Listed): Promise<void> {
  const { list, newestMax } = resource;
  if (list === undefined) throw new UsageError(`Name the ${resource.singular}; there is no list of them.`);
  const { limit } = flags;
  if (flags.watch === true && filters.until !== undefined)
    throw new UsageError('--watch goes on and --until ends; say one of them.');
  const isAll = limit === undefined || limit === 'all';
  const max = isAll ? undefined : parseNumber(limit, { min: 1, max: 1e9 });
  const client = await cli.client();
  const { format } = cli.globals();
  const isForPeople = format === 'table' || format === 'wide';
  if (flags.watch === true && resource.follow !== undefined) {
    const isCut = limit === undefined && isForPeople;
    const rows = list(client, filters, isCut ? newestMax : max);
    const { follow } = resource;
    return await followRows(cli, resource, { rows, follow: (after) => follow(client, filters, after) });
  }
  if (flags.watch === true) {
    const everyMs = parseDuration(flags.interval);
    return await watchRows(cli, resource, { look: () => list(client, filters, max), everyMs });
  }
  if (limit !== undefined || newestMax === undefined || !isForPeople)
    return await printRows(cli, resource, list(client, filters, max));
  const rows = list(client, filters, newestMax + 1);
  await printRows(cli, resource, newestOf(cli, { resource, rows, newestMax }));
}

interface Newest {
  readonly resource: Resource;
  /** One more than is shown, if there is one. */
  readonly rows: AsyncIterable<Row>;
  readonly newestMax: number;
}

async function* newestOf(cli: Cli, { resource, rows, newestMax }: Newest): AsyncGenerator<Row> {
  const all: Row[] = [];
  for await (const row of rows) all.push(row);
  if (all.length > newestMax) {
    const told = `These are the newest ${newestMax} ${resource.plural}; --limit all shows every one.`;
    await cli.err.line(told);
  }
  yield* all.slice(-newestMax);
}

interface Named {
  readonly resource: Resource;
  readonly names: readonly string[];
  readonly filters: Filters;
  readonly isWatch: boolean;
}

/**
 * Items by name. One that is not there doesn't keep the others from being shown; the first failure is the
 * exit code.
 */
async function getNamed(cli: Cli, { resource, names, filters, isWatch }: Named): Promise<void> {
  const { find } = resource;
  if (find === undefined)
    throw new UsageError(`A single ${resource.singular} cannot be asked for; list them.`);
  if (isWatch) throw new UsageError('--watch goes with lists; narrow one with --prefix, --name or --id.');
  const client = await cli.client();
  let exitCode: ExitCode | undefined;
  const found: Row[] = [];
  for (const name of names) {
    try {
      found.push(await find(client, await idOf(cli, resource, name), filters));
    } catch (error) {
      const code = await tellFailure(error, cli);
      exitCode ??= code;
    }
  }
  if (found.length > 0) await printRows(cli, resource, arrayRows(found), { one: names.length === 1 });
  if (exitCode !== undefined) throw new Exit(exitCode);
}

async function* arrayRows(rows: readonly Row[]): AsyncGenerator<Row> {
  yield* rows;
}

/** Labels as queries carry them. @throws UsageError for what is none */
function labelTexts(pairs: readonly string[]): string[] {
  parseLabels(pairs);
  return [...pairs];
}

/** One of some words. @throws UsageError */
function parseWord<Word extends string>(words: readonly Word[], text: string | undefined): Word | undefined {
  if (text === undefined) return undefined;
  const known = words.find((word) => word === text);
  if (known !== undefined) return known;
  throw new UsageError(`${escapeText(text)} is none of ${words.join(', ')}.`);
}

/** Reads the flags, and refuses those this noun cannot be narrowed by. @throws UsageError */
function parseFilters(cli: Cli, resource: Resource, flags: GetFlags): Filters {
  const now = cli.io.now();
  const filters: Filters = {
    mount: cli.globals().mount,
    prefix: flags.prefix,
    kind: flags.kind === undefined ? undefined : parseKind(flags.kind),
    type: flags.type,
    name: flags.name,
    id: flags.id === undefined ? undefined : parseNumber(flags.id, { min: 1, max: 0x7fffffff }),
    owner: flags.owner,
    claimed: flags.claimed,
    label: flags.label === undefined ? undefined : labelTexts(flags.label),
    selector: resource.isOfFleet ? flags.selector?.join(',') : undefined,
    pinned: flags.pinned,
    held_by: flags.heldBy,
    finding: parseWord(ruleIds, flags.finding),
    rule: parseWord(ruleIds, flags.rule),
    severity: parseWord(severities, flags.severity),
    at: flags.at === undefined ? undefined : parseMoment(flags.at, now),
    since: flags.since === undefined ? undefined : parseTime(flags.since, now),
    until: flags.until === undefined ? undefined : parseTime(flags.until, now),
    pin: flags.pin === undefined ? undefined : parseTextPath(flags.pin),
    actor: flags.actor,
    fresh: flags.fresh,
  };
  const understood: readonly FilterName[] = [...resource.filters, 'mount'];
  for (const [name, value] of Object.entries(filters)) {
    if (value === undefined || understood.some((filter) => filter === name)) continue;
    const flag = name.replace('_', '-');
    throw new UsageError(`--${flag} does not narrow ${resource.plural}.`);
  }
  return filters;
}
