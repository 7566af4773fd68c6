import { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { entryGetCommand } from './entry-get.ts';
import { entryPutCommand } from './entry-put.ts';
import { entryRmCommand } from './entry-rm.ts';

/** `pinfold entry`: single entries of maps. */
export function entryCommand(cli: Cli): Command {
  return new Command('entry')
    .description('look at single entries of maps, write and remove them')
    .addCommand(entryGetCommand(cli))
    .addCommand(entryPutCommand(cli))
    .addCommand(entryRmCommand(cli));
}
