import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import type { Cli } from '../cli.ts';
import { addEntryOptions, type EntryFlags, entryQuery } from '../entry-options.ts';
import { resolveMap } from '../map-argument.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';
import { lineOf } from './dump.ts';

/** `pinfold entry`: single entries of maps. */
export function entryCommand(cli: Cli): Command {
  const command = new Command('entry').description('look at single entries of maps');
  const get = command
    .command('get')
    .description('print one entry of a map')
    .argument('<map>', 'an id (5 or map:5), the path of a pin, or a name that only one map has')
    .argument('<key>', 'as dump writes it: 5, 10.0.0.0/8, {"port":80}; or hex:0a000001');
  addEntryOptions(get).action(async (map: string, key: string, flags: EntryFlags) => {
    const id = await resolveMap(cli, map);
    const query = entryQuery(flags);
    const { api } = await cli.client();
    const hex = /^hex:((?:[0-9a-fA-F]{2})+)$/.exec(key)?.[1];
    const entry = await readData(
      hex === undefined
        ? api.GET('/v1/maps/{id}/entry', { params: { path: { id }, query: { ...query, key: jsonOf(key) } } })
        : api.GET('/v1/maps/{id}/entries/{hex}', { params: { path: { id, hex }, query } }),
    );
    if (wantsDocument(cli)) return await printDocument(cli, entry);
    return await cli.out.line(lineOf(cli.globals().format, entry));
  });
  return command;
}

/** What is JSON goes as it is; anything else is a text, which people write without quotes. */
function jsonOf(key: string): string {
  try {
    JSON.parse(key);
    return key;
  } catch {
    return JSON.stringify(key);
  }
}
