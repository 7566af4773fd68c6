import type { Command } from 'commander';
import { managerOptions, mergeManagerConfig } from '../../model/manager-config.ts';
import type { Cli } from '../cli.ts';
import { serverCommand } from './server.ts';

/** `pinfold manager`: serves a fleet in this process, without a node. */
export function managerCommand(cli: Cli): Command {
  return serverCommand({
    name: 'manager',
    description: 'serve the API of a fleet until told to stop; needs no bpffs and no root',
    options: managerOptions,
    defaults: defaultsOf(),
    run: async (settings) => await cli.local.runManager(settings),
  });
}

/** What options are when nobody says. */
function defaultsOf(): ReadonlyMap<string, string> {
  const etcd = ['http://127.0.0.1:2379'];
  const flags = { etcd, 'cluster-key': 'FILE' };
  const config = mergeManagerConfig({ flags, env: {}, file: undefined, hostName: 'localhost' });
  const { runDir, listen, logLevel } = config;
  return new Map([
    ['run-dir', runDir],
    ['listen', listen === undefined ? 'none' : `${listen.host}:${listen.port}`],
    ['log-level', logLevel],
  ]);
}
