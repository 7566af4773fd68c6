import { Command } from 'commander';
import { escapeText } from '../../model/escape.ts';
import type { Cli } from '../cli.ts';

/** `pinfold cluster`: what a fleet needs before it has any node. */
export function clusterCommand(cli: Cli): Command {
  const command = new Command('cluster').description('prepare a fleet');
  command
    .command('init')
    .description('make the key that agents and managers of a fleet share, for --cluster-key')
    .argument('<file>', 'where to write it; what is there already stays')
    .action(async (file: string) => {
      await cli.local.initCluster(file);
      await cli.out.line(
        `${escapeText(file)} made: copy it to every machine, for root alone, and start there`,
      );
      await cli.out.line(`  pinfold agent --etcd URL --cluster-key ${escapeText(file)} [--manager]`);
    });
  return command;
}
