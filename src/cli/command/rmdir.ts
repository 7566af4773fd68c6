import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { urlOf } from '../../model/path.ts';
import { parsePathArgument } from '../argument.ts';
import { type ChangeFlags, changeQuery, forEachOf, pathText, tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { argumentsOrLines } from '../read-lines.ts';

/** `pinfold rmdir`: removes empty directories of a bpffs. */
export function rmdirCommand(cli: Cli): Command {
  return new Command('rmdir')
    .description('remove empty directories')
    .argument('<path...>', 'directories to remove')
    .option('--dry-run', 'say what would be done, and change nothing')
    .action(async (paths: string[], flags: ChangeFlags) => {
      const query = changeQuery(cli, flags);
      await forEachOf(cli, argumentsOrLines(cli.io, paths), async (word) => {
        const path = parsePathArgument(word);
        const { api } = await cli.client();
        const params = { path: { path: urlOf(path) }, query };
        const answer = await readData(api.DELETE('/v1/directories/{path}', { params }));
        const name = pathText(path);
        await tellChange(cli, { answer, name, sentence: `${name} removed` });
      });
    });
}
