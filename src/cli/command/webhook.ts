import { Command, InvalidArgumentError } from 'commander';
import type { NewWebhook, WebhookDelivery } from '../../client/documents.ts';
import { readAnswer, readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { bytesOf, isUtf8, textOf } from '../../model/path.ts';
import { collect, parsePathArgument } from '../argument.ts';
import { forEachOf } from '../change.ts';
import type { Cli } from '../cli.ts';
import { Exit, exitCodes, UsageError } from '../exit.ts';
import { printDocument, printRows, wantsDocument } from '../print-rows.ts';
import { readText } from '../read-text.ts';
import { deliveryResource } from '../resource/delivery.ts';

/** `pinfold webhook`: who is sent what happens. */
export function webhookCommand(cli: Cli): Command {
  const command = new Command('webhook').description('have events sent to other programs over HTTP');
  addPut(command, cli);
  addRemove(command, cli);
  addStates(command, cli);
  addPing(command, cli);
  addDeliveries(command, cli);
  addReplay(command, cli);
  command.addCommand(secretCommand(cli));
  return command;
}

interface PutFlags {
  readonly type?: string[];
  readonly prefix?: string;
  readonly secretFile?: string[];
}

function addPut(command: Command, cli: Cli): void {
  command
    .command('put')
    .description('make or change one; a secret that is made for it is printed once')
    .argument('<name>', 'letters, digits, dots, dashes and underscores')
    .argument('<url>', 'where events are sent: https://…')
    .option('--type <type>', 'such as pin.created or pin.*; may be repeated; all unless told', collect)
    .option('--prefix <path>', 'only events of pins at or below it')
    .option('--secret-file <file>', 'holds a secret to sign with (whsec_…); may be repeated', collect)
    .action(async (name: string, url: string, { type, prefix, secretFile }: PutFlags) => {
      const { api } = await cli.client();
      const body = {
        url,
        ...(type === undefined ? {} : { types: type.flatMap((word) => word.split(',')) }),
        ...(prefix === undefined ? {} : prefixOf(prefix)),
        ...(secretFile === undefined ? {} : { secrets: secretFile.map(readSecretFile) }),
      };
      const call = api.PUT('/v1/webhooks/{name}', { params: { path: { name } }, body });
      const { data, status } = await readAnswer(call);
      await tellSecret(cli, data, `${escapeText(name)} ${status === 201 ? 'made' : 'changed'}`);
    });
}

function addRemove(command: Command, cli: Cli): void {
  command
    .command('rm')
    .description('send no more, and forget what was sent')
    .argument('<name...>', 'their names')
    .action(async (names: string[]) => {
      const { api } = await cli.client();
      await forEachOf(cli, eachOf(names), async (name) => {
        await readData(api.DELETE('/v1/webhooks/{name}', { params: { path: { name } } }));
        await cli.out.line(`${escapeText(name)} removed`);
      });
    });
}

function addStates(command: Command, cli: Cli): void {
  command
    .command('pause')
    .description('send nothing until it is resumed')
    .argument('<name>')
    .option('--reason <text>', 'why, for whoever looks')
    .action(async (name: string, { reason }: { readonly reason?: string }) => {
      const { api } = await cli.client();
      const body = reason === undefined ? {} : { reason };
      await readData(api.POST('/v1/webhooks/{name}/pause', { params: { path: { name } }, body }));
      await cli.out.line(`${escapeText(name)} paused`);
    });
  command
    .command('resume')
    .description('send again from where it stopped, also after a 410')
    .argument('<name>')
    .action(async (name: string) => {
      const { api } = await cli.client();
      await readData(api.POST('/v1/webhooks/{name}/resume', { params: { path: { name } } }));
      await cli.out.line(`${escapeText(name)} resumed`);
    });
}

function addPing(command: Command, cli: Cli): void {
  command
    .command('ping')
    .description('send something that means nothing, once; exit code 1 where it was not accepted')
    .argument('<name>')
    .action(async (name: string) => {
      const { api } = await cli.client();
      const call = api.POST('/v1/webhooks/{name}/ping', { params: { path: { name } } });
      await tellDelivery(cli, await readData(call));
    });
}

function addDeliveries(command: Command, cli: Cli): void {
  command
    .command('deliveries')
    .description('what was sent and how that went, newest first')
    .argument('<name>')
    .action(async (name: string) => {
      const { list } = deliveryResource;
      if (list !== undefined) await printRows(cli, deliveryResource, list(await cli.client(), { name }));
    });
}

function addReplay(command: Command, cli: Cli): void {
  command
    .command('replay')
    .description('send one event again, or everything after an event')
    .argument('<name>')
    .option('--delivery <id>', 'the event of this delivery, once', parseNumber)
    .option('--since <seq>', 'all that came after the event of this number, in order', parseNumber)
    .action(
      async (name: string, { delivery, since }: { readonly delivery?: number; readonly since?: number }) => {
        const { api } = await cli.client();
        if ((delivery === undefined) === (since === undefined))
          throw new UsageError('Say either --delivery or --since.');
        if (delivery !== undefined) {
          const params = { path: { name, id: String(delivery) } };
          const call = api.POST('/v1/webhooks/{name}/deliveries/{id}/replay', { params });
          return await tellDelivery(cli, await readData(call));
        }
        const body = { since: since ?? 0 };
        await readData(api.POST('/v1/webhooks/{name}/replay', { params: { path: { name } }, body }));
        await cli.out.line(`${escapeText(name)} goes on after event ${since}`);
      },
    );
}

/** `pinfold webhook secret`: rotation. While it has several, each of them signs. */
function secretCommand(cli: Cli): Command {
  const command = new Command('secret').description('change secrets without losing an event');
  command
    .command('add')
    .description('sign with one more, which is made and printed once unless a file gives it')
    .argument('<name>')
    .option('--secret-file <file>', 'holds the secret (whsec_…)')
    .action(async (name: string, { secretFile }: { readonly secretFile?: string }) => {
      const { api } = await cli.client();
      const body = secretFile === undefined ? {} : { secret: readSecretFile(secretFile) };
      const params = { path: { name } };
      const made = await readData(api.POST('/v1/webhooks/{name}/secrets', { params, body }));
      await tellSecret(cli, made, `${escapeText(name)} signs with ${made.secrets.length} secrets`);
    });
  command
    .command('rm')
    .description('sign with one no more; describe webhook shows their ids')
    .argument('<name>')
    .argument('<id>', 'the beginning of its SHA-256')
    .action(async (name: string, id: string) => {
      const { api } = await cli.client();
      await readData(api.DELETE('/v1/webhooks/{name}/secrets/{id}', { params: { path: { name, id } } }));
      await cli.out.line(`${escapeText(id)} removed`);
    });
  return command;
}

/** A secret alone on standard output, so that it can go into a file; the sentence about it beside. */
async function tellSecret(cli: Cli, made: NewWebhook, sentence: string): Promise<void> {
  if (wantsDocument(cli)) return await printDocument(cli, made);
  if (made.secret === null) return await cli.out.line(sentence);
  await cli.err.line(`${sentence}; it signs with this secret, which is not shown again:`);
  await cli.err.flush();
  await cli.out.line(escapeText(made.secret));
}

async function tellDelivery(cli: Cli, delivery: WebhookDelivery): Promise<void> {
  const { webhook, state, status, error, duration_ms: tookMs } = delivery;
  if (wantsDocument(cli)) await printDocument(cli, delivery);
  else if (state === 'delivered')
    await cli.out.line(`${escapeText(webhook)} answered ${status} after ${tookMs} ms`);
  if (state === 'delivered') return;
  const answered = status === null ? '' : ` answered ${status}:`;
  await cli.err.line(`pinfold: ${escapeText(webhook)}${answered} ${escapeText(error ?? 'not delivered')}`);
  throw new Exit(exitCodes.error);
}

function prefixOf(text: string): { prefix: string } | { prefix_bytes: string } {
  const path = parsePathArgument(text);
  return isUtf8(path) ? { prefix: textOf(path) } : { prefix_bytes: bytesOf(path).toString('base64') };
}

/** A secret never stands on a command line, where every user can read it. @throws UsageError */
function readSecretFile(file: string): string {
  return readText(file).trim();
}

function parseNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number.');
}

async function* eachOf<Item>(items: readonly Item[]): AsyncGenerator<Item, void, undefined> {
  yield* items;
}
