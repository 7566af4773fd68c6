import { type Complete, RootCommand, type Command as TabCommand } from '@bomb.sh/tab';
import type { Command, Option } from 'commander';

/** One thing that could be typed next. */
export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/**
 * Describes our commands to the completion library, which answers shells on standard output.
 *
 * `live` are candidates for the argument that is being typed, found out beforehand: the library asks
 * synchronously.
 */
export function describeCommands(program: Command, live: readonly Candidate[]): RootCommand {
  const root = new RootCommand();
  describeOptions(root, program);
  const describe = { program, live };
  for (const command of visibleCommands(program)) describeCommand(root, { ...describe, command, prefix: '' });
  return root;
}

interface Described {
  readonly program: Command;
  readonly command: Command;
  /** The words before its name. */
  readonly prefix: string;
  readonly live: readonly Candidate[];
}

/** A command with its own options and the global ones, which may stand anywhere. */
function describeCommand(root: RootCommand, { program, command, prefix, live }: Described): void {
  const words = `${prefix}${command.name()}`;
  const described = root.command(words, command.description());
  describeOptions(described, program);
  describeOptions(described, command);
  for (const argument of command.registeredArguments) {
    const known = (argument.argChoices ?? []).map((value) => ({ value, description: '' }));
    described.argument(
      argument.name(),
      (complete) => offer(complete, [...known, ...live]),
      argument.variadic,
    );
  }
  for (const child of visibleCommands(command)) {
    describeCommand(root, { program, command: child, prefix: `${words} `, live });
  }
}

function describeOptions(described: TabCommand, command: Command): void {
  for (const option of command.createHelp().visibleOptions(command)) {
    const name = option.long?.replace(/^--/, '');
    if (name !== undefined) describeOption(described, option, name);
  }
}

function describeOption(described: TabCommand, option: Option, name: string): void {
  const alias = option.short?.replace(/^-/, '');
  const choices = (option.argChoices ?? []).map((value) => ({ value, description: '' }));
  if (option.required || option.optional) {
    described.option(name, option.description, (complete) => offer(complete, choices), alias);
  } else if (alias === undefined) {
    described.option(name, option.description);
  } else {
    described.option(name, option.description, alias);
  }
}

function offer(complete: Complete, candidates: readonly Candidate[]): void {
  for (const { value, description } of candidates) complete(value, description);
}

function visibleCommands(command: Command): readonly Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== 'help');
}
