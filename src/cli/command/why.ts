import { Command } from 'commander';
import { ClientError } from '../../client/client-error.ts';
import type { Why } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import type { PinnableKind } from '../../model/kind.ts';
import { parseId, parsePathArgument, parsePinnableKind } from '../argument.ts';
import { readPin } from '../change.ts';
import type { Cli } from '../cli.ts';
import { UsageError } from '../exit.ts';
import { holderTree } from '../format/holders.ts';
import { treeLines } from '../format/tree.ts';
import { resolveMap } from '../map-argument.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';

/** `pinfold why`: who holds an object, and what unpinning it would cost. */
export function whyCommand(cli: Cli): Command {
  return new Command('why')
    .description('say why a map, program or link is alive: who holds it, and what unpinning it would cost')
    .argument('<kind or path>', 'map, program or link; or the path of a pin')
    .argument('[name]', 'an id (5 or map:5), the path of a pin, or a name that only one map has')
    .action(async (first: string, second: string | undefined) => {
      const why = await read(cli, await subjectOf(cli, first, second));
      if (wantsDocument(cli)) return await printDocument(cli, why);
      for (const sentence of why.sentences) await cli.out.line(escapeLine(sentence));
      await cli.out.line('');
      const style = cli.io.isTTY.stdout ? 'boxes' : 'ascii';
      for (const line of treeLines(holderTree(why), style)) await cli.out.line(line);
      await cli.out.line('');
      await cli.out.line(countsOf(why));
    });
}

interface Subject {
  readonly kind: PinnableKind;
  readonly id: string;
}

/** What a person means by one or two words. @throws UsageError, ClientError */
async function subjectOf(cli: Cli, first: string, second: string | undefined): Promise<Subject> {
  if (second === undefined) return await pinned(cli, first);
  const kind = parsePinnableKind(first);
  if (kind === 'map') return { kind, id: await resolveMap(cli, second) };
  if (/^([a-z]+:)?\d+$/.test(second)) return { kind, id: parseId(second, kind) };
  const subject = await pinned(cli, second);
  if (subject.kind === kind) return subject;
  throw new UsageError(`${escapeText(second)} holds a ${subject.kind}, no ${kind}.`);
}

async function pinned(cli: Cli, path: string): Promise<Subject> {
  const pin = await readPin(cli, parsePathArgument(path));
  if (pin.id !== undefined) return { kind: pin.kind, id: String(pin.id) };
  throw new UsageError(`What ${escapeText(path)} holds cannot be read.`);
}

async function read(cli: Cli, { kind, id }: Subject): Promise<Why> {
  const { api } = await cli.client();
  const params = { params: { path: { id } } };
  switch (kind) {
    case 'map':
      return documentOf(await readData(api.GET('/v1/maps/{id}/why', params)));
    case 'program':
      return documentOf(await readData(api.GET('/v1/programs/{id}/why', params)));
    case 'link':
      return documentOf(await readData(api.GET('/v1/links/{id}/why', params)));
  }
}

/** Sentences alone are not what was asked for. @throws ClientError */
function documentOf(answer: Why | string): Why {
  if (typeof answer !== 'string') return answer;
  throw new ClientError('not_pinfold', 'The server answered with text instead of JSON; is it Pinfold?');
}

/** The agent has escaped what names could forge; its own backslashes stay as they are. */
function escapeLine(sentence: string): string {
  return sentence.split('\\').map(escapeText).join('\\');
}

function countsOf({ references, object }: Why): string {
  const { refcnt, unexplained } = references;
  if (refcnt === undefined)
    return `References cannot be counted: ${references.unavailable ?? 'no counters'}.`;
  const counted = `The kernel counts ${refcnt} reference${refcnt === 1 ? '' : 's'}`;
  if (unexplained !== undefined) return `${counted}, ${unexplained} unexplained.`;
  return `${counted}; of a ${object.kind} they are not one for each holder.`;
}
