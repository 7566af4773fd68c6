import { Command } from 'commander';
import { readAnswer } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { parseDuration } from '../argument.ts';
import { tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { Exit, exitCodes } from '../exit.ts';
import { type Ending, followRollout } from '../pinset/follow-rollout.ts';
import { readPinSets, type WrittenPinSet } from '../pinset/read-pin-sets.ts';
import { withLines } from '../pinset/tell-invalid.ts';

interface ApplyFlags {
  readonly file: string;
  readonly dryRun?: boolean;
  readonly wait?: string | true;
}

/** What was put, and as which generation. */
interface Applied {
  readonly name: string;
  readonly generation: number;
}

/** `pinfold apply`: says what the nodes of a fleet must have pinned. */
export function applyCommand(cli: Cli): Command {
  return new Command('apply')
    .description('say what nodes must have pinned, by pin sets; those that are so already change nothing')
    .requiredOption('-f, --file <file>', 'YAML or JSON, a pin set a document; - for standard input')
    .option('--dry-run', 'say what would be done, and change nothing')
    .option(
      '--wait [duration]',
      'follow until all is done: exit code 1 where it is paused, 124 where it takes longer',
    )
    .action(async ({ file, dryRun, wait }: ApplyFlags) => {
      const withinMs = typeof wait === 'string' ? parseDuration(wait) : undefined;
      const applied: Applied[] = [];
      const sets = await readPinSets(cli.io, file);
      // All are looked at before the first is put: a mistake in the last must not leave the others half way.
      const before = new Map<string, number>();
      for (const set of sets) {
        before.set(set.name, await generationOf(cli, set.name));
        await withLines(cli, set, async () => await put(cli, set, true));
      }
      for (const set of sets) {
        const { data } = await withLines(cli, set, async () => await put(cli, set, dryRun === true));
        const name = escapeText(set.name);
        const had = before.get(set.name) ?? 0;
        const sentence = 'plan' in data ? '' : `${name} ${wordFor(had, data.generation)}`;
        await tellChange(cli, { answer: data, name, sentence });
        if ('plan' in data) continue;
        applied.push({ name: set.name, generation: data.generation });
        if (data.nobody !== undefined) await tellNobody(cli, name, data.nobody);
      }
      if (wait !== undefined) await followAll(cli, applied, withinMs);
    });
}

/** It was put all the same: its nodes may come later. */
async function tellNobody(cli: Cli, name: string, why: string): Promise<void> {
  await cli.out.flush();
  await cli.err.line(`pinfold: ${name} is meant for no node now: ${escapeText(why)}.`);
}

/** One set after another; the time is for all of them. @throws Exit */
async function followAll(cli: Cli, applied: readonly Applied[], withinMs: number | undefined): Promise<void> {
  const beganMs = performance.now();
  const endings: Ending[] = [];
  for (const { name, generation } of applied) {
    const left = withinMs === undefined ? {} : { withinMs: withinMs - (performance.now() - beganMs) };
    endings.push(await followRollout(cli, name, { generation, ...left }));
  }
  if (endings.includes('paused')) throw new Exit(exitCodes.error);
  if (!endings.includes('timed_out')) return;
  await cli.err.line(
    'pinfold: it is not done in the time that was given; `rollout status` goes on following.',
  );
  throw new Exit(exitCodes.timedOut);
}

function wordFor(had: number, has: number): string {
  if (had === has) return `unchanged (generation ${has})`;
  return `${had === 0 ? 'created' : 'configured'} (generation ${has})`;
}

async function put(cli: Cli, { name, body }: WrittenPinSet, dryRun: boolean) {
  const { api } = await cli.client();
  const params = { path: { name }, query: dryRun ? { dry_run: true } : {} };
  return await readAnswer(api.PUT('/v1/cluster/pinsets/{name}', { params, body }));
}

/** 0 where there is none. */
async function generationOf(cli: Cli, name: string): Promise<number> {
  const { api } = await cli.client();
  const { data } = await api.GET('/v1/cluster/pinsets/{name}', { params: { path: { name } } });
  return data?.generation ?? 0;
}
