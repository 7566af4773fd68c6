import { Command, Option } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { roles } from '../../model/role.ts';
import { forEachOf } from '../change.ts';
import type { Cli } from '../cli.ts';
import { UsageError } from '../exit.ts';
import { printDocument, printRows, wantsDocument } from '../print-rows.ts';
import { tokenResource } from '../resource/token.ts';

/** `pinfold token`: who may call over TCP. */
export function tokenCommand(cli: Cli): Command {
  const command = new Command('token').description('make, list and revoke tokens for TCP');
  command
    .command('create')
    .description('make a token; its secret is printed once and kept nowhere')
    .argument('<name>', 'letters, digits, dots, dashes and underscores')
    .addOption(new Option('--role <role>', 'what it may do').choices(roles).default('viewer'))
    .option('--expires-in <duration>', 'such as 30d; for ever unless told')
    .action(
      async (name: string, flags: { role: string; expiresIn?: string }) => await create(cli, name, flags),
    );
  command
    .command('list')
    .description('list tokens, without their secrets')
    .action(async () => {
      const { list } = tokenResource;
      if (list !== undefined) await printRows(cli, tokenResource, list(await cli.client(), {}));
    });
  command
    .command('revoke')
    .description('revoke tokens, at once')
    .argument('<name...>', 'their names')
    .action(async (names: string[]) => {
      const { api } = await cli.client();
      await forEachOf(cli, eachOf(names), async (name) => {
        await readData(api.DELETE('/v1/tokens/{name}', { params: { path: { name } } }));
        await cli.out.line(`${escapeText(name)} revoked`);
      });
    });
  return command;
}

async function create(cli: Cli, name: string, flags: { role: string; expiresIn?: string }): Promise<void> {
  const role = roles.find((candidate) => candidate === flags.role);
  if (role === undefined) throw new UsageError(`--role takes one of ${roles.join(', ')}.`);
  const body = { name, role, ...(flags.expiresIn === undefined ? {} : { expires_in: flags.expiresIn }) };
  const { api } = await cli.client();
  const made = await readData(api.POST('/v1/tokens', { body }));
  if (wantsDocument(cli)) return await printDocument(cli, made);
  if (cli.io.isTTY.stdout) await cli.err.line(`Token ${escapeText(name)} (${role}); it is not shown again:`);
  await cli.err.flush();
  await cli.out.line(escapeText(made.token ?? ''));
}

async function* eachOf<Item>(items: readonly Item[]): AsyncGenerator<Item, void, undefined> {
  yield* items;
}
