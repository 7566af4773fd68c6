import { parseDuration, parseNumber } from '../argument.ts';
import type { Cli } from '../cli.ts';
import { UsageError } from '../exit.ts';
import { type FleetAsked, FleetAsker, fleetResource } from '../fleet-rows.ts';
import { printRows } from '../print-rows.ts';
import type { Filters, Resource, Row } from '../resource/resource.ts';
import { watchRows } from '../watch.ts';
import type { GetFlags } from './get.ts';

/**
 * What is asked of many nodes; undefined where one node is meant, or the fleet itself.
 *
 * @throws UsageError where --selector is given for one node
 */
export function fleetAsked(
  cli: Cli,
  {
    resource,
    filters,
    flags,
  }: { readonly resource: Resource; readonly filters: Filters; readonly flags: GetFlags },
): FleetAsked | undefined {
  if (resource.isOfFleet) return undefined;
  const { nodes } = cli.globals();
  const selector = flags.selector?.join(',');
  if (selector === undefined && (nodes === undefined || nodes.length === 1)) return undefined;
  if (nodes?.includes('') === true) throw new UsageError('--node takes names, separated by commas.');
  cli.askManager();
  return { resource, filters, meant: { selector, nodes } };
}

/** `pinfold get` of many nodes: with a NODE column, and with those that did not answer told at the end. */
export async function getOfFleet(
  cli: Cli,
  asked: FleetAsked,
  { names, flags }: { readonly names: readonly string[]; readonly flags: GetFlags },
): Promise<void> {
  const { resource } = asked;
  const asker = new FleetAsker(cli, asked);
  const shown = fleetResource(resource);
  if (names.length > 0) {
    if (resource.find === undefined)
      throw new UsageError(`A single ${resource.singular} cannot be asked for; list them.`);
    if (flags.watch === true)
      throw new UsageError('--watch goes with lists; narrow one with --prefix, --name or --id.');
    await printRows(cli, shown, named(asker, names));
    return await asker.tellSilent({ isFinal: true });
  }
  if (resource.list === undefined)
    throw new UsageError(`Name the ${resource.singular}; there is no list of them.`);
  const max = maxOf(flags, resource, cli);
  if (flags.watch !== true) {
    await printRows(cli, shown, asker.list(max));
    return await asker.tellSilent({ isFinal: true });
  }
  if (resource.follow !== undefined) throw new UsageError(`--watch of ${resource.plural} takes one --node.`);
  const look = async function* (): AsyncGenerator<Row> {
    yield* asker.list(max);
    await asker.tellSilent({ isFinal: false });
  };
  await watchRows(cli, shown, { look, everyMs: parseDuration(flags.interval) });
}

async function* named(asker: FleetAsker, names: readonly string[]): AsyncGenerator<Row> {
  for (const name of names) yield* asker.find(name);
}

/** Of what only grows people are shown the newest. */
function maxOf({ limit }: GetFlags, { newestMax }: Resource, cli: Cli): number | undefined {
  const { format } = cli.globals();
  if (limit === undefined) return format === 'table' || format === 'wide' ? newestMax : undefined;
  return limit === 'all' ? undefined : parseNumber(limit, { min: 1, max: 1e9 });
}
