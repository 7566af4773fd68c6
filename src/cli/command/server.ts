import { Command, Option } from 'commander';
import type { AgentOption, Settings } from '../../model/config.ts';
import { collect } from '../argument.ts';
import { Exit, exitCodes } from '../exit.ts';

/** A command that runs a server in this process until it is told to stop. */
export interface ServerCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly AgentOption[];
  /** What options are when nobody says, by name. */
  readonly defaults: ReadonlyMap<string, string>;
  /** Resolves with the exit code. */
  readonly run: (settings: Settings) => Promise<number>;
}

/** Makes such a command; what its options mean is said once, in model. */
export function serverCommand({ name, description, options, defaults, run }: ServerCommand): Command {
  const command = new Command(name)
    .description(description)
    .addHelpText(
      'after',
      '\nEvery option is also PINFOLD_* in the environment, and a key of the --config file.',
    )
    .configureHelp({ showGlobalOptions: false });
  for (const { name: own, takes, value, help } of options) {
    const flags = takes === 'switch' ? `--${own}` : `--${own} <${value}>`;
    const otherwise = defaults.get(own);
    const option = new Option(flags, otherwise === undefined ? help : `${help} (default: ${otherwise})`);
    if (takes === 'list') option.argParser(collect);
    command.addOption(option);
  }
  return command.action(async (_flags: unknown, self: Command) => {
    const code = await run(settingsOf(self));
    if (code !== exitCodes.ok) throw new Exit(code);
  });
}

/** What was given on the command line, by the options' own names; nothing is filled in. */
function settingsOf(command: Command): Settings {
  const settings: Record<string, string | boolean | readonly string[]> = {};
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (command.getOptionValueSource(option.attributeName()) !== 'cli' || !isSetting(value)) continue;
    settings[option.name()] = value;
  }
  // --node is also an option of every command, and the first to take the word.
  const { node } = command.optsWithGlobals();
  return isSetting(node) ? { ...settings, node } : settings;
}

function isSetting(value: unknown): value is string | boolean | readonly string[] {
  return typeof value === 'string' || typeof value === 'boolean' || Array.isArray(value);
}
