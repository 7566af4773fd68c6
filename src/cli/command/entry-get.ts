import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import type { Cli } from '../cli.ts';
import { addEntryOptions, type EntryFlags, entryQuery } from '../entry-options.ts';
import { parseEntryText } from '../entry-text.ts';
import { mapHelp, resolveMap } from '../map-argument.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';
import { lineOf } from './dump.ts';

/** `pinfold entry get`: one entry. */
export function entryGetCommand(cli: Cli): Command {
  const command = new Command('get')
    .description('print one entry of a map')
    .argument('<map>', mapHelp)
    .argument('<key>', 'as dump writes it: 5, 10.0.0.0/8, {"port":80}; or hex:0a000001');
  return addEntryOptions(command).action(async (map: string, key: string, flags: EntryFlags) => {
    const id = await resolveMap(cli, map);
    const query = entryQuery(flags);
    const { api } = await cli.client();
    const text = parseEntryText(key);
    const entry = await readData(
      'hex' in text
        ? api.GET('/v1/maps/{id}/entries/{hex}', { params: { path: { id, hex: text.hex }, query } })
        : api.GET('/v1/maps/{id}/entry', { params: { path: { id }, query: { ...query, key: text.json } } }),
    );
    if (wantsDocument(cli)) return await printDocument(cli, entry);
    return await cli.out.line(lineOf(cli.globals().format, entry));
  });
}
