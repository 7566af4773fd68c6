import { Argument, Command } from 'commander';
import { readAnswer } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { forEachOf, tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { argumentsOrLines } from '../read-lines.ts';

interface DeleteFlags {
  readonly prune?: boolean;
  readonly dryRun?: boolean;
}

/** `pinfold delete`: has nodes let go of what was applied. */
export function deleteCommand(cli: Cli): Command {
  return new Command('delete')
    .description('want pin sets no more; nodes keep what is pinned, unless it is pruned')
    .addArgument(new Argument('<noun>', 'pinset').choices(['pinset', 'pinsets']))
    .argument('<name...>', 'their names; - reads them from standard input')
    .option('--prune', 'have nodes unpin what the pin set made')
    .option('--no-prune', 'have them keep it, whatever the pin set says')
    .option('--dry-run', 'say what would be done, and change nothing')
    .action(async (_: string, words: string[], { prune, dryRun }: DeleteFlags) => {
      const { api } = await cli.client();
      const query = {
        ...(prune === undefined ? {} : { prune }),
        ...(dryRun === true ? { dry_run: true } : {}),
      };
      await forEachOf(cli, argumentsOrLines(cli.io, words), async (name) => {
        const params = { path: { name }, query };
        const { data } = await readAnswer(api.DELETE('/v1/cluster/pinsets/{name}', { params }));
        const shown = escapeText(name);
        await tellChange(cli, { answer: data, name: shown, sentence: `${shown} deleted` });
      });
    });
}
