import { Command, Option } from 'commander';
import { agentOptions, mergeConfig, type Settings } from '../../model/config.ts';
import { collect } from '../argument.ts';
import type { Cli } from '../cli.ts';
import { Exit, exitCodes } from '../exit.ts';

/**
 * `pinfold agent`: runs the agent in this process. What its options mean is said once, in model/config.ts.
 */
export function agentCommand(cli: Cli): Command {
  const command = new Command('agent')
    .description('run the agent of this node until it is told to stop')
    .addHelpText(
      'after',
      '\nEvery option is also PINFOLD_* in the environment, and a key of the --config file.',
    )
    .configureHelp({ showGlobalOptions: false });
  const defaults = defaultsOf();
  for (const { name, takes, value, help } of agentOptions) {
    const flags = takes === 'switch' ? `--${name}` : `--${name} <${value}>`;
    const otherwise = defaults.get(name);
    const option = new Option(flags, otherwise === undefined ? help : `${help} (default: ${otherwise})`);
    if (takes === 'list') option.argParser(collect);
    command.addOption(option);
  }
  return command.action(async (_flags: unknown, self: Command) => {
    const code = await cli.local.runAgent(settingsOf(self));
    if (code !== exitCodes.ok) throw new Exit(code);
  });
}

/** What options are when nobody says, by name: read from a configuration in which nobody said anything. */
function defaultsOf(): ReadonlyMap<string, string> {
  const config = mergeConfig({ flags: {}, env: {}, file: undefined, hostName: 'localhost' });
  const { bpffs, stateDir, runDir, listen, retentionMs, retentionBytes, logLevel } = config;
  return new Map([
    ['bpffs', bpffs],
    ['state-dir', stateDir],
    ['run-dir', runDir],
    ['listen', listen === undefined ? 'none' : `${listen.host}:${listen.port}`],
    ['retention', `${retentionMs / 86_400_000}d`],
    ['retention-size', `${retentionBytes / 1024 ** 3}GiB`],
    ['log-level', logLevel],
  ]);
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
