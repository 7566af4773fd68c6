import { Command } from 'commander';
import { readAnswer } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { tellChange } from '../change.ts';
import type { Cli } from '../cli.ts';
import { readPinSets, type WrittenPinSet } from '../pinset/read-pin-sets.ts';
import { withLines } from '../pinset/tell-invalid.ts';

interface ApplyFlags {
  readonly file: string;
  readonly dryRun?: boolean;
}

/** `pinfold apply`: says what the nodes of a fleet must have pinned. */
export function applyCommand(cli: Cli): Command {
  return new Command('apply')
    .description('say what nodes must have pinned, by pin sets; those that are so already change nothing')
    .requiredOption('-f, --file <file>', 'YAML or JSON, a pin set a document; - for standard input')
    .option('--dry-run', 'say what would be done, and change nothing')
    .action(async ({ file, dryRun }: ApplyFlags) => {
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
      }
    });
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
