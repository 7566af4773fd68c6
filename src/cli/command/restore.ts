import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { forEachOf, objectOf, tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { UsageError } from '../exit.ts';
import { argumentsOrLines } from '../read-lines.ts';
import { shownPath } from '../resource/cell.ts';

/** Options of `restore`. */
interface RestoreFlags {
  readonly run?: string;
  readonly dryRun?: boolean;
}

/** `pinfold restore`: gives pins in quarantine the names back that they had. */
export function restoreCommand(cli: Cli): Command {
  return new Command('restore')
    .description('give pins in quarantine the names back that they had')
    .argument('[id...]', 'as pinfold get quarantine shows them, or - to read them from standard input')
    .option('--run <operation>', 'everything that this clean-up took')
    .option('--dry-run', 'say what would be done, and change nothing')
    .action(async (ids: string[], { run, dryRun }: RestoreFlags) => {
      if ((ids.length === 0) === (run === undefined))
        throw new UsageError('Name pins in quarantine, or a clean-up with --run.');
      const client = await cli.client();
      const all = run === undefined ? argumentsOrLines(cli.io, ids) : idsOf(cli, run);
      const query = dryRun === true ? { dry_run: true } : {};
      await forEachOf(cli, all, async (id) => {
        const params = { path: { id }, query };
        const answer = await readData(client.api.POST('/v1/quarantine/{id}/restore', { params }));
        const what = 'path' in answer ? `${shownPath(answer)} restored (${objectOf(answer)})` : '';
        await tellChange(cli, { answer, name: escapeText(id), sentence: what });
      });
    });
}

/** All of them before the first is restored: the list grows shorter as they are. */
async function* idsOf(cli: Cli, run: string): AsyncGenerator<string> {
  const client = await cli.client();
  const ids: string[] = [];
  for await (const { id } of client.list('/v1/quarantine', { run })) ids.push(id);
  if (ids.length === 0) await cli.err.line('Nothing of this clean-up is in quarantine.');
  yield* ids;
}
