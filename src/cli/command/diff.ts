import { Command } from 'commander';
import type { FleetPinSetDiff } from '../../client/documents.ts';
import { readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import type { Cli } from '../cli.ts';
import { Exit, exitCodes } from '../exit.ts';
import { ClosedPipe } from '../output.ts';
import { readPinSets, type WrittenPinSet } from '../pinset/read-pin-sets.ts';
import { withLines } from '../pinset/tell-invalid.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';
import { tellFailure } from '../tell.ts';

/** As `diff` and kubectl have it: something would change, or some node did not say. More is trouble. */
const differs = 1;

/** `pinfold diff`: what applying a file would do, on each node, before it is done. */
export function diffCommand(cli: Cli): Command {
  return new Command('diff')
    .description('show what each node would do if a file of pin sets were applied')
    .requiredOption('-f, --file <file>', 'YAML or JSON, a pin set a document; - for standard input')
    .addHelpText(
      'after',
      '\nThe exit code is 0 where nothing would change, 1 where something would, 2 or more on trouble.',
    )
    .action(async ({ file }: { readonly file: string }) => {
      const isSame = await tellAll(cli, file).catch(async (thrown) => await endWithTrouble(cli, thrown));
      if (!isSame) throw new Exit(differs);
    });
}

/** Whether nothing would change by any of them. */
async function tellAll(cli: Cli, file: string): Promise<boolean> {
  let isSame = true;
  for (const set of await readPinSets(cli.io, file)) {
    const diff = await readDiff(cli, set);
    const isPut = await wouldBePut(cli, set);
    if (isPut || !diff.complete || diff.items.some(({ steps }) => steps.length > 0)) isSame = false;
    if (wantsDocument(cli)) await printDocument(cli, { name: set.name, new_generation: isPut, ...diff });
    else await tellDiff(cli, set.name, { diff, isPut });
  }
  return isSame;
}

/** That it cannot be told what would change must not look like a change. @throws Exit */
async function endWithTrouble(cli: Cli, thrown: unknown): Promise<never> {
  if (thrown instanceof ClosedPipe) throw thrown;
  await cli.out.flush();
  const code = thrown instanceof Exit ? thrown.code : await tellFailure(thrown, cli);
  throw new Exit(code === exitCodes.error ? exitCodes.usage : code);
}

async function readDiff(cli: Cli, set: WrittenPinSet): Promise<FleetPinSetDiff> {
  const { name, body } = set;
  const { api } = await cli.client();
  const params = { path: { name } };
  return await withLines(cli, set, async () =>
    readData(api.POST('/v1/cluster/pinsets/{name}/diff', { params, body })),
  );
}

/** Whether the store would have another specification than now. */
async function wouldBePut(cli: Cli, { name, body }: WrittenPinSet): Promise<boolean> {
  const { api } = await cli.client();
  const params = { path: { name }, query: { dry_run: true } };
  const answer = await readData(api.PUT('/v1/cluster/pinsets/{name}', { params, body }));
  return 'plan' in answer && answer.plan.length > 0;
}

const signs: Readonly<Record<FleetPinSetDiff['items'][number]['steps'][number]['action'], string>> = {
  make_map: '+',
  pin_again: '+',
  replace_map: '~',
  copy_map: '~',
  set_attributes: '~',
  unpin: '-',
};

async function tellDiff(
  cli: Cli,
  rawName: string,
  { diff, isPut }: { readonly diff: FleetPinSetDiff; readonly isPut: boolean },
): Promise<void> {
  const name = escapeText(rawName);
  await cli.out.line(`${name}: ${isPut ? 'would be put as a new generation' : 'is stored as it is here'}`);
  for (const { node, steps, drifts } of diff.items) {
    const where = `  ${escapeText(node)}:`;
    if (steps.length === 0 && drifts.length === 0) await cli.out.line(`${where} nothing would change`);
    else await cli.out.line(where);
    for (const { path, action, detail } of steps)
      await cli.out.line(`    ${signs[action]} ${escapeText(path)}: ${escapeText(detail)}`);
    for (const { path, code, expected, actual } of drifts) {
      const is = actual === undefined ? '' : `, is ${escapeText(actual)}`;
      const wanted = expected === undefined ? '' : ` (wanted ${escapeText(expected)}${is})`;
      await cli.out.line(`    ! ${escapeText(path)}: ${escapeText(code)}${wanted} stays`);
    }
  }
  if (diff.items.length === 0 && diff.unreachable.length === 0) await cli.out.line('  is meant for no node');
  for (const { node, reason } of diff.unreachable)
    await cli.err.line(`pinfold: ${escapeText(node)} was not asked: ${escapeText(reason)}`);
}
