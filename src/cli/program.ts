import { Command, Option } from 'commander';
import { escapeText } from '../model/escape.ts';
import type { Cli } from './cli.ts';
import { formats } from './cli.ts';
import { agentCommand } from './command/agent.ts';
import { applyCommand } from './command/apply.ts';
import { backupCommand } from './command/backup.ts';
import { batchCommand } from './command/batch.ts';
import { claimCommand } from './command/claim.ts';
import { clusterCommand } from './command/cluster.ts';
import { completeCommand, completionCommand } from './command/completion.ts';
import { countCommand } from './command/count.ts';
import { createCommand } from './command/create.ts';
import { deleteCommand } from './command/delete.ts';
import { describeCommand } from './command/describe.ts';
import { diffCommand } from './command/diff.ts';
import { doctorCommand } from './command/doctor.ts';
import { dumpCommand } from './command/dump.ts';
import { entryCommand } from './command/entry.ts';
import { eventsCommand } from './command/events.ts';
import { freezeCommand } from './command/freeze.ts';
import { gcCommand } from './command/gc.ts';
import { getCommand } from './command/get.ts';
import { instructionsCommand } from './command/instructions.ts';
import { leaveCommand } from './command/leave.ts';
import { managerCommand } from './command/manager.ts';
import { mkdirCommand } from './command/mkdir.ts';
import { mvCommand } from './command/mv.ts';
import { pinCommand } from './command/pin.ts';
import { pkiCommand } from './command/pki.ts';
import { releaseCommand } from './command/release.ts';
import { restoreCommand } from './command/restore.ts';
import { rmdirCommand } from './command/rmdir.ts';
import { rolloutCommand } from './command/rollout.ts';
import { setCommand } from './command/set.ts';
import { specCommand } from './command/spec.ts';
import { tokenCommand } from './command/token.ts';
import { topCommand } from './command/top.ts';
import { treeCommand } from './command/tree.ts';
import { unpinCommand } from './command/unpin.ts';
import { versionCommand } from './command/version.ts';
import { waitCommand } from './command/wait.ts';
import { webhookCommand } from './command/webhook.ts';
import { whyCommand } from './command/why.ts';
import type { Io } from './io.ts';

/** The root of all commands, with the options every one of them has. Nothing of it ends the process. */
export function makeProgram(io: Io, version: string): Command {
  const program = new Command('pinfold')
    .description(
      'Sees, shares, keeps and cleans up every BPF map, program and link that is pinned in a BPF filesystem.',
    )
    .version(version, '-V, --version', 'print the version of this program')
    .helpOption('-h, --help', 'print what a command does and takes')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(formats).default('table'))
    .option(
      '--address <address>',
      "the agent's socket or URL (PINFOLD_ADDRESS; unix socket, then loopback TCP)",
    )
    .option('--token-file <file>', 'file with the token for TCP (PINFOLD_TOKEN_FILE)')
    .option('--tls-ca <file>', 'PEM certificates the server must be signed by')
    .option('--client-cert <file>', 'PEM certificate to show the server')
    .option('--client-key <file>', 'PEM key of that certificate')
    .option(
      '--node <name>',
      'ask this node of the fleet, through the manager that is asked; get takes several',
    )
    .option('--mount <major:minor>', "another bpffs instance than the agent's own")
    .option('--timeout <duration>', 'how long silence is waited out', '60s')
    .option('--no-headers', 'leave out the line of column titles')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, write) =>
        write(
          text
            .replace(/^error: /, 'pinfold: ')
            .split('\n')
            .map(escapeText)
            .join('\n'),
        ),
      getOutHelpWidth: () => io.columns,
      getErrHelpWidth: () => io.columns,
    })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('Try --help.');
  return program;
}

/** Adds every command; what they have in common is inherited from the root. */
export function addCommands(program: Command, cli: Cli): void {
  for (const [heading, makers] of Object.entries(commandMakers)) {
    program.commandsGroup(heading);
    for (const make of makers) program.addCommand(inherit(make(cli), program));
  }
  program.helpCommand('help [command]', 'print what a command does and takes');
  program.addCommand(inherit(completeCommand(cli), program), { hidden: true });
}

function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, parent);
  return command;
}

/** In the order and under the headings help shows them. */
const commandMakers: Readonly<Record<string, readonly ((cli: Cli) => Command)[]>> = {
  'Look:': [
    getCommand,
    describeCommand,
    treeCommand,
    whyCommand,
    dumpCommand,
    countCommand,
    instructionsCommand,
    specCommand,
    eventsCommand,
    topCommand,
    waitCommand,
  ],
  'Change pins and maps:': [
    pinCommand,
    unpinCommand,
    mvCommand,
    setCommand,
    mkdirCommand,
    rmdirCommand,
    batchCommand,
    createCommand,
    entryCommand,
    freezeCommand,
  ],
  'Keep and clean up:': [claimCommand, releaseCommand, gcCommand, restoreCommand],
  'Say what nodes must have pinned:': [applyCommand, diffCommand, rolloutCommand, deleteCommand],
  'Run and look after agents and managers:': [
    agentCommand,
    managerCommand,
    clusterCommand,
    pkiCommand,
    doctorCommand,
    leaveCommand,
    webhookCommand,
    tokenCommand,
    backupCommand,
    completionCommand,
    versionCommand,
  ],
};
