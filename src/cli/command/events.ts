import { Command } from 'commander';
import { collect } from '../argument.ts';
import type { Cli } from '../cli.ts';
import { type GetFlags, listNoun } from './get.ts';

/** `pinfold events`: the same as `pinfold get events`, because it is asked for most. */
export function eventsCommand(cli: Cli): Command {
  return new Command('events')
    .description('what changed, newest last; with -w also what changes from now on, as it happens')
    .option('--prefix <path>', 'of pins below this directory')
    .option('--pin <path>', 'of this pin')
    .option('--kind <kind>', 'of a map, program, link or btf')
    .option('--id <id>', 'of the object with this id')
    .option('--type <type>', 'of this type, such as pin.created; several separated by commas')
    .option('--actor <actor>', 'by this actor')
    .option('--since <time>', 'since a time, or as long ago as 5m')
    .option('--until <time>', 'until a time')
    .option('--limit <count>', 'show so many of the newest; or all')
    .option('-l, --selector <selector>', 'of all nodes with these labels', collect)
    .option('-w, --watch', 'go on and print what happens')
    .action(async (flags: Omit<GetFlags, 'interval'>) => {
      await listNoun(cli, 'events', { ...flags, interval: '2s' });
    });
}
