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
  await cli.out.line(`${ownWords}fi`);
}

/**
 * Bash without the package bash-completion lacks what the script divides the line with; a colon, which
 * divides words for bash, is part of ours (`map:5`): what stands before it is not to be typed again.
 */
const ownWords = `
if ! declare -F _get_comp_words_by_ref >/dev/null; then
_get_comp_words_by_ref() {
    local line=\${COMP_LINE:0:COMP_POINT}
    read -r -a words <<< "$line"
    if [[ $line == *[[:blank:]] ]]; then words+=(''); fi
    cword=$((\${#words[@]} - 1))
    cur=\${words[cword]}
    prev=\${words[cword - 1]}
}
fi

__pinfold_complete_word() {
    __pinfold_complete "$@"
    local typed=\${COMP_LINE:0:COMP_POINT}
    typed=\${typed##*[[:blank:]]}
    if [[ $COMP_WORDBREAKS == *:* && $typed == *:* ]]; then
        local before=\${typed%"\${typed##*:}"}
        COMPREPLY=("\${COMPREPLY[@]#"$before"}")
    fi
}
complete -F __pinfold_complete_word pinfold
`;

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
