import { RootCommand } from '@bomb.sh/tab';
import { Argument, Command } from 'commander';
import { liveCandidates } from '../candidates.ts';
import type { Cli } from '../cli.ts';
import { describeCommands } from '../completion.ts';
import { failureOf } from '../failure.ts';

/** `pinfold completion`: prints what a shell must load. */
export function completionCommand(cli: Cli): Command {
  return new Command('completion')
    .description('print the completion script of a shell: source <(pinfold completion bash)')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: string) => {
      const print = (): void => new RootCommand().setup('pinfold', 'pinfold', shell);
      if (shell !== 'bash') return print();
      await printOnce(cli, print);
    });
}

/** Lets bash pass over a script that it has loaded already: its constants cannot be set a second time. */
async function printOnce(cli: Cli, print: () => void): Promise<void> {
  await cli.out.line('if ! declare -F __pinfold_complete >/dev/null; then');
  await cli.out.flush();
  print();
  await cli.out.line('fi');
}

/**
 * `pinfold complete -- WORD…`: what those scripts call. Without an agent, words that need none are still
 * offered.
 */
export function completeCommand(cli: Cli): Command {
  return new Command('complete')
    .description('answer a completion script')
    .argument('[word...]')
    .action(async (words: string[], _flags: unknown, self: Command) => {
      const program = self.parent;
      if (program === null) return;
      const at = words.indexOf('--address');
      if (at >= 0) program.setOptionValue('address', words[at + 1]);
      program.setOptionValue('timeout', '2s');
      const candidates = await liveCandidates(cli, words).catch((error: unknown) => {
        if (failureOf(error) === undefined) throw error;
        return [];
      });
      describeCommands(program, candidates).parse([...words]);
    });
}
