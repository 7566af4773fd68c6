import { Command } from 'commander';
import type { GcAnswer, GcBody, Operation } from '../../client/documents.ts';
import { type PinfoldClient, readData } from '../../client/pinfold-client.ts';
import { escapeText } from '../../model/escape.ts';
import { bytesOf, isUtf8, type PinPath, textOf } from '../../model/path.ts';
import { gcRules } from '../../model/word-lists.ts';
import { parseDuration, parsePathArgument } from '../argument.ts';
import { type Cli, mountOf } from '../cli.ts';
import { Exit, exitCodes, UsageError } from '../exit.ts';
import { ageOf } from '../format/age.ts';
import { formatBytes } from '../format/bytes.ts';
import { counted } from '../format/plural.ts';
import { formatTable } from '../format/table.ts';
import { cutTo } from '../format/width.ts';
import { printDocument, wantsDocument } from '../print-rows.ts';
import { shown, shownPath } from '../resource/cell.ts';

/** Options of `gc`, as they were typed. */
interface GcFlags {
  readonly execute?: boolean;
  readonly dryRun?: boolean;
  readonly rule?: string;
  readonly prefix?: string;
  readonly minAge?: string;
  readonly grace?: string;
  readonly quarantine: boolean;
}

/** How often an operation is asked about. */
const askMs = 200;

/** Cells of a line: one long path would pad every other. */
const cellsMax = 60;

/** `pinfold gc`: says which pins nobody needs, and only with `--execute` moves them into quarantine. */
export function gcCommand(cli: Cli): Command {
  return new Command('gc')
    .description('say which pins nobody needs, and why; with --execute, move them into quarantine')
    .option('--execute', 'do it; without this nothing is changed')
    .option('--dry-run', 'change nothing; this is what happens anyway')
    .option('--rule <rules>', `of ${gcRules.join(', ')}; separated by commas, all unless told`)
    .option('--prefix <path>', 'pins below this directory')
    .option('--min-age <duration>', 'only pins that are at least this old')
    .option('--grace <duration>', 'how long what goes can be restored')
    .option('--no-quarantine', 'unlink at once: nothing can be restored then')
    .action(async (flags: GcFlags) => {
      if (flags.execute === true && flags.dryRun === true)
        throw new UsageError('--execute and --dry-run exclude each other.');
      const client = await cli.client();
      const isDry = flags.execute !== true;
      const answer = await ask(cli, client, { ...bodyOf(flags), dry_run: isDry });
      if (isDry) return await (wantsDocument(cli) ? printDocument(cli, answer) : tellPlan(cli, answer));
      await tellRun(cli, client, answer);
    });
}

async function ask(cli: Cli, { api }: PinfoldClient, body: GcBody): Promise<GcAnswer> {
  return await readData(api.POST('/v1/gc', { params: { query: mountOf(cli) }, body }));
}

function bodyOf({ rule, prefix, minAge, grace, quarantine }: GcFlags): GcBody {
  return {
    ...(prefix === undefined ? {} : prefixBody(parsePathArgument(prefix))),
    ...(rule === undefined ? {} : { rules: rule.split(',').map(ruleNamed) }),
    ...(minAge === undefined ? {} : { min_age: durationOf(minAge) }),
    ...(grace === undefined ? {} : { grace: durationOf(grace) }),
    ...(quarantine ? {} : { quarantine: false }),
  };
}

function prefixBody(path: PinPath): { prefix: string } | { prefix_bytes: string } {
  return isUtf8(path) ? { prefix: textOf(path) } : { prefix_bytes: bytesOf(path).toString('base64') };
}

function ruleNamed(word: string): (typeof gcRules)[number] {
  const rule = gcRules.find((known) => known === word);
  if (rule !== undefined) return rule;
  throw new UsageError(`${escapeText(word)} is not a rule to clean up by; there are ${gcRules.join(', ')}.`);
}

/** Also no time at all. */
function durationOf(text: string): string {
  if (!/^0+(ms|s|m|h|d)$/.test(text)) parseDuration(text);
  return text;
}

async function tellPlan(cli: Cli, answer: GcAnswer): Promise<void> {
  if (cli.globals().format === 'name') {
    for (const line of answer.plan) await cli.out.line(shownPath(line));
    return;
  }
  if (answer.plan.length > 0) await tellLines(cli, answer);
  await tellPassed(cli, answer);
  if (answer.pins === 0) return await cli.err.line('Nothing to clean up.');
  const grace = answer.grace_seconds === 0 ? 'for good' : 'into quarantine';
  await cli.err.line(`${summaryOf(answer)} would go ${grace}. Nothing was changed; --execute does it.`);
}

async function tellLines(cli: Cli, { plan }: GcAnswer): Promise<void> {
  const isWide = cli.globals().format === 'wide';
  const now = cli.io.now();
  const titles = ['PATH', 'OBJECT', 'RULE', 'AGE', 'MEMORY', 'LOST', ...(isWide ? ['WHY'] : [])];
  const rows = plan.map((line) => {
    const { kind, id, rule, age_seconds, memory_bytes, lost, why } = line;
    const age = ageOf(new Date(now.getTime() - age_seconds * 1000).toISOString(), now);
    const memory = memory_bytes === undefined ? '' : formatBytes(memory_bytes);
    const cells = [
      shownPath(line),
      `${kind}:${id}`,
      rule,
      age,
      memory,
      shown(lost),
      ...(isWide ? [shown(why)] : []),
    ];
    return isWide ? cells : cells.map((cell) => cutTo(cell, cellsMax));
  });
  const headings = titles.map((title) => ({ title }));
  for (const line of formatTable(headings, rows, cli.globals().hasHeader)) await cli.out.line(line);
}

/** What stays is told by reason; one example each, all of them with `-o json`. */
async function tellPassed(cli: Cli, { passed, passed_total: total }: GcAnswer): Promise<void> {
  if (total === 0) return;
  const reasons = new Map<string, GcAnswer['passed']>();
  for (const each of passed) reasons.set(each.reason, [...(reasons.get(each.reason) ?? []), each]);
  for (const [reason, pins] of reasons) {
    const [first] = pins;
    if (first === undefined) continue;
    const others = pins.length === 1 ? '' : `, and ${pins.length - 1} more`;
    await cli.err.line(`Stays, ${reason}: ${shownPath(first)} (${shown(first.why)})${others}`);
  }
}

/** Waits for the end of what was begun, and says how it went. */
async function tellRun(cli: Cli, client: PinfoldClient, answer: GcAnswer): Promise<void> {
  const operation = answer.operation_id === null ? undefined : await ended(client, answer.operation_id);
  if (wantsDocument(cli)) await printDocument(cli, { ...answer, operation: operation ?? null });
  else {
    await tellPassed(cli, answer);
    if (operation === undefined) return await cli.err.line('Nothing to clean up.');
    await cli.out.line(shown(operation.detail));
    await cli.err.line(`See pinfold get quarantine; pinfold restore --run ${operation.id} undoes it.`);
  }
  if (operation !== undefined && operation.outcome !== 'applied') throw new Exit(exitCodes.conflict);
}

async function ended(client: PinfoldClient, id: string): Promise<Operation> {
  for (;;) {
    const operation = await readData(client.api.GET('/v1/operations/{id}', { params: { path: { id } } }));
    if (operation.outcome !== 'running') return operation;
    await new Promise((resolve) => setTimeout(resolve, askMs));
  }
}

function summaryOf({ pins, more, memory_bytes: memory }: GcAnswer): string {
  if (more > 0) return `${counted(pins, 'pin')} holding ${formatBytes(memory)}, and ${more} another time,`;
  return `${pins} ${pins === 1 ? 'pin' : 'pins'} holding ${formatBytes(memory)}`;
}
