import { Command } from 'commander';
import { readAnswer } from '../../client/pinfold-client.ts';
import { urlOf } from '../../model/path.ts';
import { parsePathArgument } from '../argument.ts';
import { parseAttributes } from '../attributes.ts';
import { type ChangeFlags, changeQuery, forEachOf, pathText, tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { argumentsOrLines } from '../read-lines.ts';

interface MkdirFlags extends ChangeFlags {
  readonly parents?: boolean;
  readonly mode?: string;
  readonly uid?: string;
  readonly gid?: string;
}

/** `pinfold mkdir`: makes directories in a bpffs. */
export function mkdirCommand(cli: Cli): Command {
  return new Command('mkdir')
    .description('make directories; one that is there already is fine')
    .argument('<path...>', 'directories to make')
    .option('--parents', 'make missing directories on the way')
    .option('--mode <octal>', 'permission bits, such as 0750')
    .option('--uid <uid>', 'owning user by number')
    .option('--gid <gid>', 'owning group by number')
    .option('--dry-run', 'say what would be done, and change nothing')
    .action(async (paths: string[], flags: MkdirFlags) => {
      const { mode, uid, gid } = parseAttributes(flags);
      const attributes = {
        ...(mode === undefined ? {} : { mode }),
        ...(uid === undefined ? {} : { uid }),
        ...(gid === undefined ? {} : { gid }),
      };
      const body = { ...attributes, ...(flags.parents === true ? { parents: true } : {}) };
      const query = changeQuery(cli, flags);
      await forEachOf(cli, argumentsOrLines(cli.io, paths), async (word) => {
        const path = parsePathArgument(word);
        const { api } = await cli.client();
        const params = { path: { path: urlOf(path) }, query };
        const { data: answer, status } = await readAnswer(
          api.PUT('/v1/directories/{path}', { params, body }),
        );
        const name = pathText(path);
        const verb = status === 201 ? 'made' : 'was there already';
        await tellChange(cli, { answer, name, sentence: `${name} ${verb}` });
      });
    });
}
