import { Command } from 'commander';
import { isOutOfReach } from '../../client/client-error.ts';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import type { Cli } from '../cli.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';

/** `pinfold version`: of this program and, where one answers, of the agent. */
export function versionCommand(cli: Cli): Command {
  return new Command('version')
    .description('print the versions of this program and of the agent')
    .action(async () => {
      const agent = await agentVersion(cli);
      const versions = { client: cli.local.version, agent: agent ?? null };
      if (wantsDocument(cli)) return await printDocument(cli, versions);
      await cli.out.line(`client ${escapeText(versions.client)}`);
      return await cli.out.line(`agent  ${agent === undefined ? 'not reachable' : escapeText(agent)}`);
    });
}

/** Undefined where none can be reached; every other refusal is told. */
async function agentVersion(cli: Cli): Promise<string | undefined> {
  try {
    const { api } = await cli.client();
    return (await readData(api.GET('/v1/node'))).version;
  } catch (error) {
    if (isOutOfReach(error)) return undefined;
    throw error;
  }
}
