import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { forEachOf } from '../change.ts';
import type { Cli } from '../cli.ts';
import { mapHelp, resolveMap } from '../map-argument.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';
import { argumentsOrLines } from '../read-lines.ts';

/** `pinfold count`: how many entries maps have, without reading them out. */
export function countCommand(cli: Cli): Command {
  return new Command('count')
    .description('say how many entries maps have')
    .argument('<map...>', mapHelp)
    .action(async (maps: string[]) => {
      await forEachOf(cli, argumentsOrLines(cli.io, maps), async (map) => {
        const id = await resolveMap(cli, map);
        const { api } = await cli.client();
        const counted = await readData(api.GET('/v1/maps/{id}/count', { params: { path: { id } } }));
        if (wantsDocument(cli)) return await printDocument(cli, { id: Number(id), ...counted });
        const { count, max_entries: most, complete } = counted;
        if (cli.globals().format === 'name') return await cli.out.line(String(count));
        const least = complete ? '' : 'at least ';
        const room =
          most > 0 ? ` of ${most} (${((100 * count) / most).toFixed(count === most ? 0 : 1)} %)` : '';
        return await cli.out.line(`map:${id}  ${least}${count}${room}`);
      });
    });
}
