import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { parseTextPath } from '../argument.ts';
import { forEachOf, objectOf, tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { UsageError } from '../exit.ts';
import { argumentsOrLines } from '../read-lines.ts';
import { shownPath } from '../resource/cell.ts';

/** Options of `restore`. */
interface RestoreFlags {
  readonly run?: string;
  readonly prefix?: string;
  readonly dryRun?: boolean;
}

/** As the server makes them: a ULID, and a number where one change left several pins. */
const idPattern = /^[0-9A-Z]{26}(-[0-9]{1,4})?$/;

/** `pinfold restore`: gives pins in quarantine the names back that they had. */
export function restoreCommand(cli: Cli): Command {
  return new Command('restore')
    .description('give pins in quarantine the names back that they had')
    .argument('[id...]', 'as pinfold get quarantine shows them, or - to read them from standard input')
    .option('--run <operation>', 'everything that this clean-up took')
    .option('--prefix <path>', 'everything that was below this directory')
    .option('--dry-run', 'say what would be done, and change nothing')
    .action(async (ids: string[], { run, prefix, dryRun }: RestoreFlags) => {
      const isByFilter = run !== undefined || prefix !== undefined;
      if ((ids.length === 0) !== isByFilter)
        throw new UsageError(
          'Name pins in quarantine, or a clean-up with --run, or a directory with --prefix.',
        );
      const client = await cli.client();
      const below = prefix === undefined ? undefined : parseTextPath(prefix);
      const all = isByFilter ? idsOf(cli, { run, prefix: below }) : argumentsOrLines(cli.io, ids);
      const query = dryRun === true ? { dry_run: true } : {};
      await forEachOf(cli, all, async (id) => {
        if (!idPattern.test(id))
          throw new UsageError(
            `${escapeText(id)} is not the id of a pin in quarantine; pinfold get quarantine shows them.`,
          );
        const params = { path: { id }, query };
        const answer = await readData(client.api.POST('/v1/quarantine/{id}/restore', { params }));
        const what = 'path' in answer ? `${shownPath(answer)} restored (${objectOf(answer)})` : '';
        await tellChange(cli, { answer, name: escapeText(id), sentence: what });
      });
    });
}

/** All of them before the first is restored: the list grows shorter as they are. */
async function* idsOf(
  cli: Cli,
  filters: { readonly run: string | undefined; readonly prefix: string | undefined },
): AsyncGenerator<string> {
  const client = await cli.client();
  const ids: string[] = [];
  for await (const { id } of client.list('/v1/quarantine', filters)) ids.push(id);
  if (ids.length === 0) await cli.err.line('Nothing of that is in quarantine.');
  yield* ids;
}
