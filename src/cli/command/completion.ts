import { RootCommand } from '@bomb.sh/tab';
import { Argument, Command } from 'commander';
import { liveCandidates } from '../candidates.ts';
import type { Cli } from '../cli.ts';
import { describeCommands } from '../completion.ts';
import { failureOf } from '../failure.ts';

/** `pinfold completion`: prints what a shell must load. */
export function completionCommand(_cli: Cli): Command {
  return new Command('completion')
    .description('print the completion script of a shell: source <(pinfold completion bash)')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
    .action((shell: string) => new RootCommand().setup('pinfold', 'pinfold', shell));
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
