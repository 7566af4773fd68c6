import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import type { Cli } from '../cli.ts';
import { counted } from '../format/plural.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';

/** `pinfold backup`: copies the agent's database while it is used. */
export function backupCommand(cli: Cli): Command {
  return new Command('backup')
    .description("copy the agent's database to a file in its state directory")
    .action(async () => {
      const { api } = await cli.client();
      const made = await readData(api.POST('/v1/backup'));
      if (wantsDocument(cli)) return await printDocument(cli, made);
      const isName = cli.globals().format === 'name';
      return await cli.out.line(
        isName ? escapeText(made.file) : `${escapeText(made.file)} written (${counted(made.bytes, 'byte')})`,
      );
    });
}
