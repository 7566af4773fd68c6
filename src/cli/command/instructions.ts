import { Command } from 'commander';
import { readData } from '../../client/pinfold-client.ts';
import type { Cli } from '../cli.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';
import { programHelp, resolveProgram } from '../program-argument.ts';

interface InstructionsFlags {
  readonly opcodes?: boolean;
  readonly linum?: boolean;
}

/** `pinfold instructions`: what a program does, after verification. */
export function instructionsCommand(cli: Cli): Command {
  return new Command('instructions')
    .description('print the instructions of a program as bpftool prog dump xlated does')
    .argument('<program>', programHelp)
    .option('--opcodes', 'with the bytes of each instruction')
    .option('--linum', 'with file, line and column of the source')
    .action(async (program: string, flags: InstructionsFlags) => {
      const id = await resolveProgram(cli, program);
      if (wantsDocument(cli)) await printAsDocument(cli, id);
      else await printAsText(cli, id, flags);
    });
}

async function printAsDocument(cli: Cli, id: string): Promise<void> {
  const { api } = await cli.client();
  const params = { path: { id }, query: { format: 'json' as const } };
  await printDocument(cli, Object(await readData(api.GET('/v1/programs/{id}/instructions', { params }))));
}

/** Prints lines as they arrive; the agent has already escaped what a terminal must not see. */
async function printAsText(cli: Cli, id: string, flags: InstructionsFlags): Promise<void> {
  const { api } = await cli.client();
  const query = { format: 'text' as const, opcodes: flags.opcodes === true, linum: flags.linum === true };
  const call = api.GET('/v1/programs/{id}/instructions', {
    params: { path: { id }, query },
    parseAs: 'stream',
  });
  const body = (await readData(call)) ?? new ReadableStream<Uint8Array>();
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) await cli.out.line(line);
  }
  if (rest !== '') await cli.out.line(rest);
}
