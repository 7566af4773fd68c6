import { Command, Option } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { roles } from '../../model/role.ts';
import { forEachOf } from '../change.ts';
import type { Cli } from '../cli.ts';
import { UsageError } from '../exit.ts';
import { printDocument, printRows, wantsDocument } from '../print-rows.ts';
import { fleetTokenResource, tokenResource } from '../resource/token.ts';

const fleetHelp = 'of the whole fleet, which every manager takes; asked of a manager';

interface FleetFlag {
  readonly fleet?: boolean;
}

interface CreateFlags extends FleetFlag {
  readonly role: string;
  readonly expiresIn?: string;
}

/** `pinfold token`: who may call over TCP. */
export function tokenCommand(cli: Cli): Command {
  const command = new Command('token').description('make, list and revoke tokens for TCP');
  command
    .command('create')
    .description('make a token; its secret is printed once and kept nowhere')
    .argument('<name>', 'letters, digits, dots, dashes and underscores')
    .addOption(new Option('--role <role>', 'what it may do').choices(roles).default('viewer'))
    .option('--expires-in <duration>', 'such as 30d; for ever unless told')
    .option('--fleet', fleetHelp)
    .action(async (name: string, flags: CreateFlags) => await create(cli, name, flags));
  command
    .command('list')
    .description('list tokens, without their secrets')
    .option('--fleet', fleetHelp)
    .action(async ({ fleet }: FleetFlag) => {
      const resource = fleet === true ? fleetTokenResource : tokenResource;
      if (resource.list !== undefined) await printRows(cli, resource, resource.list(await cli.client(), {}));
    });
  command
    .command('revoke')
    .description('revoke tokens, at once')
    .argument('<name...>', 'their names')
    .option('--fleet', fleetHelp)
    .action(async (names: string[], { fleet }: FleetFlag) => {
      const { api } = await cli.client();
      const route = fleet === true ? '/v1/cluster/tokens/{name}' : '/v1/tokens/{name}';
      await forEachOf(cli, eachOf(names), async (name) => {
        await readData(api.DELETE(route, { params: { path: { name } } }));
        await cli.out.line(`${escapeText(name)} revoked`);
      });
    });
  return command;
}

async function create(cli: Cli, name: string, flags: CreateFlags): Promise<void> {
  const role = roles.find((candidate) => candidate === flags.role);
  if (role === undefined) throw new UsageError(`--role takes one of ${roles.join(', ')}.`);
  const body = { name, role, ...(flags.expiresIn === undefined ? {} : { expires_in: flags.expiresIn }) };
  const { api } = await cli.client();
  const made = await readData(api.POST(flags.fleet === true ? '/v1/cluster/tokens' : '/v1/tokens', { body }));
  if (wantsDocument(cli)) return await printDocument(cli, made);
  if (cli.io.isTTY.stdout) await cli.err.line(`Token ${escapeText(name)} (${role}); it is not shown again:`);
  await cli.err.flush();
  await cli.out.line(escapeText(made.token ?? ''));
}

async function* eachOf<Item>(items: readonly Item[]): AsyncGenerator<Item, void, undefined> {
  yield* items;
}
