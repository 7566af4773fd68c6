import { Command, Option } from 'commander';
import { ClientError } from '../../client/client-error.ts';
import type { Finding } from '../../client/documents.ts';
import { type PinfoldClient, readData } from '../../client/pinfold-client.ts';
import type { LocalPlaces, MachineFacts } from '../../model/local.ts';
import type { Cli } from '../cli.ts';
import { defaultPlaces } from '../connect.ts';
import { checkBpffs } from '../doctor/bpffs.ts';
import { type Check, type Severity, severities } from '../doctor/check.ts';
import { checkFindings, type Found } from '../doctor/findings.ts';
import { checkHistory } from '../doctor/history.ts';
import { checkKernel } from '../doctor/kernel.ts';
import { checkPlaces, checkStaging } from '../doctor/leftovers.ts';
import { checkPrivilege } from '../doctor/privilege.ts';
import { checkAgent, type Reached } from '../doctor/reach.ts';
import { Exit, exitCodes } from '../exit.ts';
import { formatJsonLine } from '../format/document.ts';
import { padTo } from '../format/width.ts';
import { printDocument } from '../print-rows.ts';

/** Where an agent's things are, as options. */
export interface PlaceFlags {
  readonly bpffs: string;
  readonly stateDir: string;
  readonly runDir: string;
}

/** Adds the options of `PlaceFlags`, with the agent's own defaults. */
export function addPlaceOptions(command: Command): Command {
  return command
    .option('--bpffs <path>', "the agent's BPF filesystem", defaultPlaces.bpffs)
    .option('--state-dir <dir>', 'its state directory', defaultPlaces.stateDir)
    .option('--run-dir <dir>', 'its run directory', defaultPlaces.runDir);
}

interface DoctorFlags extends PlaceFlags {
  readonly failOn: string;
  readonly verifyHistory?: boolean;
}

/** `pinfold doctor`: says what is missing or unsafe on this machine, and what to do about it. */
export function doctorCommand(cli: Cli): Command {
  const command = new Command('doctor')
    .description('say what is missing or unsafe on this machine, and find what a dead agent left')
    .addOption(
      new Option('--fail-on <severity>', 'what makes the exit code 1')
        .choices(['info', 'warn', 'warning', 'fail', 'critical', 'never'])
        .default('fail'),
    )
    .option('--verify-history', 'look only whether the history in --state-dir is as it was written');
  return addPlaceOptions(command).action(async (flags: DoctorFlags) => {
    if (flags.verifyHistory === true) {
      const found = checkHistory(await cli.local.verifyHistory(flags.stateDir));
      await print(cli, found);
      if (isBad(found, flags.failOn)) throw new Exit(exitCodes.error);
      return;
    }
    const places: LocalPlaces = { bpffs: flags.bpffs, stateDir: flags.stateDir, runDir: flags.runDir };
    const facts = await cli.local.inspect(places);
    const { version } = cli.local;
    const { reached, findings } = await reach(cli);
    const checks = diagnose(facts, { places, reached, findings, version });
    await print(cli, checks);
    const isInformed = flags.failOn === 'info' && Array.isArray(findings) && findings.length > 0;
    if (isInformed || isBad(checks, flags.failOn)) throw new Exit(exitCodes.error);
  });
}

function isBad(checks: readonly Check[], failOn: string): boolean {
  const limit = severityOf(failOn);
  return limit !== undefined && checks.some((check) => isAtLeast(check.severity, limit));
}

/** Judges everything; pure, so that every line of it can be tested. */
export function diagnose(
  facts: MachineFacts,
  others: {
    readonly places: LocalPlaces;
    readonly reached: Reached;
    /** Absent where no agent answers. */
    readonly findings?: Found | undefined;
    readonly version: string;
  },
): Check[] {
  return [
    ...checkPrivilege(facts),
    ...checkKernel(facts),
    ...checkBpffs(facts, others.places),
    ...checkStaging(facts),
    ...checkPlaces(facts),
    ...checkAgent(others.reached, facts, others.version),
    ...checkFindings(others.findings),
  ];
}

/** The severities of findings are words for those of checks, too; no check is only for information. */
function severityOf(word: string): Severity | undefined {
  const same: Readonly<Record<string, Severity>> = { info: 'warn', warning: 'warn', critical: 'fail' };
  return same[word] ?? severities.find((severity) => severity === word);
}

function isAtLeast(severity: Severity, limit: Severity): boolean {
  return severities.indexOf(severity) >= severities.indexOf(limit);
}

/** What an agent says, if one answers: who it is, and what it finds fault with now. */
async function reach(cli: Cli): Promise<{ readonly reached: Reached; readonly findings?: Found }> {
  try {
    const client = await cli.client();
    const node = await readData(client.api.GET('/v1/node'));
    const { version, read_only: readOnly, observed_at: observedAt } = node;
    return { reached: { version, readOnly, observedAt }, findings: await findAll(client) };
  } catch (error) {
    if (error instanceof ClientError) return { reached: { failure: error.message } };
    throw error;
  }
}

/** All findings of this moment, or why they cannot be had. */
async function findAll(client: PinfoldClient): Promise<Found> {
  try {
    const findings: Finding[] = [];
    for await (const finding of client.list('/v1/findings', { fresh: true })) findings.push(finding);
    return findings;
  } catch (error) {
    if (error instanceof ClientError) return { failure: error.message };
    throw error;
  }
}

async function print(cli: Cli, checks: readonly Check[]): Promise<void> {
  const { format } = cli.globals();
  if (format === 'json' || format === 'yaml') return await printDocument(cli, { items: checks });
  const paint: Readonly<Record<Severity, (text: string) => string>> = {
    ok: cli.style.good,
    warn: cli.style.careful,
    fail: cli.style.bad,
  };
  const width = Math.max(...checks.map(({ name }) => name.length));
  for (const check of checks) {
    if (format === 'ndjson') {
      await cli.out.line(formatJsonLine(check));
      continue;
    }
    await cli.out.line(
      `${paint[check.severity](padTo(check.severity, 4))}  ${padTo(check.name, width)}  ${check.finding}`,
    );
    if (check.advice !== undefined)
      await cli.out.line(`${' '.repeat(width + 8)}${cli.style.faint(check.advice)}`);
  }
}
