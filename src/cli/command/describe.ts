import { Command } from 'commander';
import { isClientError } from '../../client/client-error.ts';
import type { Pin } from '../../client/documents.ts';
import { parsePathArgument } from '../argument.ts';
import { forEachOf, readPin } from '../change.ts';
import { type Cli, mountOf } from '../cli.ts';
import { type Detail, readDetails } from '../describe/details.ts';
import { readPinSet, readPinSetDetails } from '../describe/pin-set.ts';
import { UsageError } from '../exit.ts';
import { describeDocument } from '../format/describe.ts';
import { idOf } from '../object-argument.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';
import { nodeResource } from '../resource/node.ts';
import { pinSetResource } from '../resource/pinset.ts';
import { describableNouns, resourceNamed } from '../resource/resources.ts';

/** `pinfold describe`: everything about single things, to be read. */
export function describeCommand(cli: Cli): Command {
  return new Command('describe')
    .description('show everything about single things; a pin with the object behind it')
    .argument('<noun>', describableNouns.join(', '))
    .argument('[name...]', 'a path, an id (5 or map:5) or a name; none where there is one node')
    .action(async (noun: string, names: string[]) => {
      const resource = resourceNamed(noun);
      const wanted = names.length === 0 && resource === nodeResource ? await onlyNode(cli) : names;
      if (wanted.length === 0) throw new UsageError(`Say which ${resource.singular}.`);
      let isFirst = true;
      await forEachOf(cli, eachOf(wanted), async (name) => {
        const document = await read(cli, noun, name);
        const details =
          resource === pinSetResource
            ? await readPinSetDetails(await cli.client(), { name })
            : await detailsOf(cli, document);
        if (wantsDocument(cli)) return await printDocument(cli, withDetails(document, details));
        if (!isFirst) await cli.out.line('');
        isFirst = false;
        for (const line of describeDocument(document, cli.io.now())) await cli.out.line(line);
        if (details.length > 0) await cli.out.line('');
        for (const line of details.flatMap(({ lines }) => lines)) await cli.out.line(line);
      });
    });
}

/** The node there is, where it is the only one. @throws UsageError where there are several, or none */
async function onlyNode(cli: Cli): Promise<readonly string[]> {
  const names: string[] = [];
  const client = await cli.client();
  for await (const { name } of client.list('/v1/cluster/nodes', {}, 2)) names.push(name);
  if (names.length !== 1) throw new UsageError('Say which node; `pinfold get nodes` lists them.');
  return names;
}

/** Of an object, or of the one that a pin holds. */
async function detailsOf(cli: Cli, document: object): Promise<readonly Detail[]> {
  const subject = 'object' in document ? Object(document.object) : document;
  return await readDetails(await cli.client(), subject);
}

/** Details are members beside the object's own, under a name of theirs. */
function withDetails(document: object, details: readonly Detail[]): object {
  if (details.length === 0) return document;
  return { ...document, details: Object.fromEntries(details.map(({ member, value }) => [member, value])) };
}

async function read(cli: Cli, noun: string, name: string): Promise<object> {
  const resource = resourceNamed(noun);
  const { find } = resource;
  if (find === undefined)
    throw new UsageError(`A single ${resource.singular} cannot be described; list them.`);
  if (resource.singular === 'pin') return await readPinWithObject(cli, name);
  if (resource === pinSetResource) return await readPinSet(await cli.client(), name);
  const { document } = await find(await cli.client(), await idOf(cli, resource, name), mountOf(cli));
  return Object(document);
}

/**
 * A pin, and what it holds; an object that went away meanwhile, or may not be asked for, leaves the pin
 * alone.
 */
async function readPinWithObject(cli: Cli, name: string): Promise<object> {
  const pin: Pin = await readPin(cli, parsePathArgument(name));
  const { find } = resourceNamed(pin.kind);
  if (find === undefined || pin.id === undefined) return pin;
  try {
    const { document } = await find(await cli.client(), String(pin.id), {});
    return { ...pin, object: document };
  } catch (error) {
    if (isClientError(error, 'object_not_found') || isClientError(error, 'permission_denied')) return pin;
    throw error;
  }
}

async function* eachOf<Item>(items: readonly Item[]): AsyncGenerator<Item, void, undefined> {
  yield* items;
}
