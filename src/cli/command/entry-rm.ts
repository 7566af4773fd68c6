import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { addChangeOptions, type ChangeFlags, forEachOf, hazardQuery, tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { addEntryOptions, type EntryFlags, entryQuery } from '../entry-options.ts';
import { parseEntryText } from '../entry-text.ts';
import { mapHelp, resolveMap } from '../map-argument.ts';
import { argumentsOrLines } from '../read-lines.ts';

/** `pinfold entry rm`: removes entries. */
export function entryRmCommand(cli: Cli): Command {
  const command = new Command('rm')
    .description('remove entries of a map')
    .argument('<map>', mapHelp)
    .argument('<key...>', 'as dump writes them, or hex:…; - reads them from standard input, one a line');
  return addChangeOptions(addEntryOptions(command)).action(
    async (map: string, keys: string[], flags: ChangeFlags & EntryFlags) => {
      const query = { ...entryQuery(flags), ...hazardQuery(flags) };
      const id = await resolveMap(cli, map);
      const { api } = await cli.client();
      await forEachOf(cli, argumentsOrLines(cli.io, keys), async (key) => {
        const text = parseEntryText(key);
        const answer = await readData(
          'hex' in text
            ? api.DELETE('/v1/maps/{id}/entries/{hex}', { params: { path: { id, hex: text.hex }, query } })
            : api.DELETE('/v1/maps/{id}/entry', {
                params: { path: { id }, query: { ...query, key: text.json } },
              }),
        );
        const name = `map:${id} ${escapeText(key)}`;
        await tellChange(cli, { answer, name, sentence: `${name} removed` });
      });
    },
  );
}
