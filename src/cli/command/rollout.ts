import { Command } from 'commander';
import type { PinSetDocument } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { type Plan, tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { Exit, exitCodes } from '../exit.ts';
import { endingOf, followRollout, readStatus, sentenceOf } from '../pinset/follow-rollout.ts';
import { nodeTable } from '../pinset/node-table.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';

const nameOfSet = 'the name of a pin set';

/** `pinfold rollout`: how a pin set goes from node to node. */
export function rolloutCommand(cli: Cli): Command {
  const command = new Command('rollout').description('follow, pause, resume or undo how a pin set spreads');
  command
    .command('status')
    .description('tell each step until it is done; exit code 1 where it is paused')
    .argument('<name>', nameOfSet)
    .option('--no-wait', 'say how it is now, node by node')
    .action(async (name: string, { wait }: { readonly wait: boolean }) => {
      if (wait && !wantsDocument(cli)) await follow(cli, name);
      else await tellNow(cli, name);
    });
  command
    .command('pause')
    .description('have no more nodes begin; those that change go on')
    .argument('<name>', nameOfSet)
    .action(async (name: string) => {
      const { api } = await cli.client();
      const params = { path: { name } };
      const answer = await readData(api.POST('/v1/cluster/pinsets/{name}/pause', { params }));
      await tell(cli, answer, 'paused');
    });
  command
    .command('resume')
    .description('go on with a paused one, over the failures there are now')
    .argument('<name>', nameOfSet)
    .action(async (name: string) => {
      const { api } = await cli.client();
      const params = { path: { name } };
      const answer = await readData(api.POST('/v1/cluster/pinsets/{name}/resume', { params }));
      await tell(cli, answer, 'resumed');
    });
  addUndo(cli, command);
  addAdopt(cli, command);
  return command;
}

function addUndo(cli: Cli, command: Command): void {
  command
    .command('undo')
    .description('want again what was wanted before, also what was deleted')
    .argument('<name>', nameOfSet)
    .option('--dry-run', 'say what would be done, and change nothing')
    .action(async (name: string, flags: DryRunFlags) => {
      const { api } = await cli.client();
      const params = { path: { name }, query: dryRunOf(flags) };
      const answer = await readData(api.POST('/v1/cluster/pinsets/{name}/rollback', { params }));
      await tell(cli, answer, 'rolled back');
    });
}

function addAdopt(cli: Cli, command: Command): void {
  command
    .command('adopt')
    .description('want what a node has applied and the store has lost; `get adoptable` lists them')
    .argument('<name>', nameOfSet)
    .argument('<node>', 'whose specification is taken')
    .option('--dry-run', 'say what would be done, and change nothing')
    .action(async (name: string, node: string, flags: DryRunFlags) => {
      const { api } = await cli.client();
      const params = { path: { name }, query: dryRunOf(flags) };
      const answer = await readData(api.POST('/v1/cluster/pinsets/{name}/adopt', { params, body: { node } }));
      await tell(cli, answer, 'adopted');
    });
}

interface DryRunFlags {
  readonly dryRun?: boolean;
}

function dryRunOf({ dryRun }: DryRunFlags): { dry_run?: true } {
  return dryRun === true ? { dry_run: true } : {};
}

async function follow(cli: Cli, name: string): Promise<void> {
  const ending = await followRollout(cli, name);
  if (ending === 'paused') throw new Exit(exitCodes.error);
  if (ending === 'done') return;
  await cli.err.line('pinfold: nothing has moved for as long as --timeout says.');
  throw new Exit(exitCodes.timedOut);
}

async function tellNow(cli: Cli, name: string): Promise<void> {
  const status = await readStatus(await cli.client(), name);
  if (wantsDocument(cli)) await printDocument(cli, status);
  else {
    await cli.out.line(sentenceOf(status));
    if (status.items.length > 0)
      for (const line of nodeTable(status.items, cli.globals().hasHeader)) await cli.out.line(line);
  }
  if (endingOf(status) === 'paused' || status.nodes.failed > 0) throw new Exit(exitCodes.error);
}

async function tell(cli: Cli, answer: PinSetDocument | Plan, word: string): Promise<void> {
  const isPlan = 'plan' in answer;
  const name = isPlan ? '' : escapeText(answer.name);
  const sentence = isPlan ? '' : `${name} ${word} (generation ${answer.generation})`;
  await tellChange(cli, { answer, name, sentence });
}
