import { Command } from 'commander';
import { escapeText } from '../../model/escape.ts';
import { type Hazard, hazards } from '../../model/hazard.ts';
import { collect } from '../argument.ts';
import { type ChangeFlags, changeQuery } from '../change.ts';
import type { Cli } from '../cli.ts';
import { Exit, exitCodes } from '../exit.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';
import { addPlaceOptions, type PlaceFlags } from './doctor.ts';

/** `pinfold leave`: gives back everything an agent that no longer runs still holds in its bpffs. */
export function leaveCommand(cli: Cli): Command {
  const command = new Command('leave')
    .description('release everything the stopped agent of this machine still holds, or list what it may not')
    .option(
      '--accept <hazard>',
      `hazards that are meant, separated by commas: ${hazards.join(', ')}`,
      collect,
    )
    .option('--force', 'accept every hazard')
    .option('--dry-run', 'say what would be released, and change nothing');
  return addPlaceOptions(command).action(async (flags: PlaceFlags & ChangeFlags) => {
    const { bpffs, stateDir, runDir } = flags;
    const named = changeQuery(cli, flags).accept?.split(',') ?? [];
    const accept = new Set<Hazard>(
      hazards.filter((hazard) => flags.force === true || named.includes(hazard)),
    );
    const dryRun = flags.dryRun === true;
    const report = await cli.local.leave({ bpffs, stateDir, runDir }, { dryRun, accept });
    if (wantsDocument(cli)) await printDocument(cli, report);
    else await tell(cli, report, dryRun);
    if (report.kept.length > 0) throw new Exit(exitCodes.conflict);
  });
}

async function tell(
  cli: Cli,
  report: Awaited<ReturnType<Cli['local']['leave']>>,
  dryRun: boolean,
): Promise<void> {
  const would = dryRun ? 'would be ' : '';
  for (const name of report.restored) await cli.out.line(`${escapeText(name)} ${would}restored`);
  for (const name of report.released) await cli.out.line(`${escapeText(name)} ${would}released`);
  for (const { name, reason, hazards: costs } of report.kept) {
    await cli.out.line(`${escapeText(name)} kept: ${escapeText(reason)}`);
    if (costs.length > 0)
      await cli.out.line(`  To release it all the same, repeat with --accept ${costs.join(',')}`);
  }
  if (report.removedStaging) await cli.out.line(`staging directory ${would}removed`);
  else if (report.restored.length + report.released.length + report.kept.length === 0)
    await cli.out.line('Nothing is held here.');
}
