import type { Command } from 'commander';
import { agentOptions, mergeConfig } from '../../model/config.ts';
import type { Cli } from '../cli.ts';
import { serverCommand } from './server.ts';

/** `pinfold agent`: runs the agent in this process. */
export function agentCommand(cli: Cli): Command {
  return serverCommand({
    name: 'agent',
    description: 'run the agent of this node until it is told to stop',
    options: agentOptions,
    defaults: defaultsOf(),
    run: async (settings) => await cli.local.runAgent(settings),
  });
}

/** What options are when nobody says, by name: read from a configuration in which nobody said anything. */
function defaultsOf(): ReadonlyMap<string, string> {
  const config = mergeConfig({ flags: {}, env: {}, file: undefined, hostName: 'localhost' });
  const { bpffs, stateDir, runDir, listen, retentionMs, retentionBytes, logLevel } = config;
  return new Map([
    ['bpffs', bpffs],
    ['state-dir', stateDir],
    ['run-dir', runDir],
    ['listen', listen === undefined ? 'none' : `${listen.host}:${listen.port}`],
    ['retention', `${retentionMs / 86_400_000}d`],
    ['retention-size', `${retentionBytes / 1024 ** 3}GiB`],
    ['log-level', logLevel],
  ]);
}
