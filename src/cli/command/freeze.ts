import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { addChangeOptions, type ChangeFlags, forEachOf, hazardQuery, tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { mapHelp, resolveMap } from '../map-argument.ts';
import { argumentsOrLines } from '../read-lines.ts';

/** `pinfold freeze`: closes maps to writes from user space. */
export function freezeCommand(cli: Cli): Command {
  const command = new Command('freeze')
    .description('close maps to writes from user space, for good; programs go on writing')
    .argument('<map...>', mapHelp);
  return addChangeOptions(command).action(async (maps: string[], flags: ChangeFlags) => {
    const query = hazardQuery(flags);
    await forEachOf(cli, argumentsOrLines(cli.io, maps), async (map) => {
      const id = await resolveMap(cli, map);
      const { api } = await cli.client();
      const answer = await readData(api.POST('/v1/maps/{id}/freeze', { params: { path: { id }, query } }));
      const name = `map:${id}`;
      await tellChange(cli, { answer, name, sentence: `${name} frozen` });
    });
  });
}
