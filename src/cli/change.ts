import type { Command } from 'commander';
import { isClientError } from '../client/client-error.ts';
import type { Pin } from '../client/documents.ts';
import { getPin } from '../client/get-pin.ts';
import { escapeName, escapeText } from '../model/escape.ts';
import { hazards } from '../model/hazard.ts';
import { bytesOf, type PinPath, urlOf } from '../model/path.ts';
import { collect } from './argument.ts';
import { type Cli, mountOf } from './cli.ts';
import { Exit, type ExitCode, UsageError } from './exit.ts';
import { printDocument, wantsDocument } from './print-rows.ts';
import { shownPath } from './resource/cell.ts';
import { tellFailure } from './tell.ts';

/** Options of every command that changes something in a bpffs. */
export interface ChangeFlags {
  readonly accept?: readonly string[];
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

/** What a dry run answers. */
export interface Plan {
  readonly plan: readonly {
    readonly action: string;
    /** Absent where what changes is a map. */
    readonly path?: string;
    readonly path_bytes?: string;
    readonly detail: string;
    readonly hazards: readonly string[];
  }[];
}

/** Adds the options of `ChangeFlags`. */
export function addChangeOptions(command: Command): Command {
  return command
    .option(
      '--accept <hazard>',
      `hazards that are meant, separated by commas: ${hazards.join(', ')}`,
      collect,
    )
    .option('--force', 'accept every hazard; it is recorded')
    .option('--dry-run', 'say what would be done, and change nothing');
}

/** The query of a change of pins. @throws UsageError */
export function changeQuery(cli: Cli, flags: ChangeFlags): HazardQuery & { mount?: string } {
  return { ...mountOf(cli), ...hazardQuery(flags) };
}

/** What is accepted, and whether it is only to be planned. */
export interface HazardQuery {
  accept?: string;
  force?: boolean;
  dry_run?: boolean;
}

/** The query of a change that is in no bpffs: of a map. @throws UsageError */
export function hazardQuery(flags: ChangeFlags): HazardQuery {
  const accepted = (flags.accept ?? []).flatMap((word) => word.split(','));
  for (const word of accepted) {
    if (hazards.some((hazard) => hazard === word)) continue;
    throw new UsageError(`${escapeText(word)} is not a hazard; there are ${hazards.join(', ')}.`);
  }
  return {
    ...(accepted.length === 0 ? {} : { accept: accepted.join(',') }),
    ...(flags.force === true ? { force: true } : {}),
    ...(flags.dryRun === true ? { dry_run: true } : {}),
  };
}

/** The pin at a path as it is now, whose tag a change then sends. @throws ClientError pin_not_found… */
export async function readPin(cli: Cli, path: PinPath): Promise<Pin> {
  return await getPin(await cli.client(), urlOf(path), mountOf(cli));
}

/** The same, undefined where there is no pin. */
export async function findPin(cli: Cli, path: PinPath): Promise<Pin | undefined> {
  try {
    return await readPin(cli, path);
  } catch (error) {
    if (isClientError(error, 'pin_not_found') || isClientError(error, 'parent_not_found')) return undefined;
    throw error;
  }
}

/** `map 5 hash "name"`: what a pin holds, in words; printable. */
export function objectOf(pin: Pick<Pin, 'kind' | 'id' | 'type' | 'name'>): string {
  const { kind, id, type, name } = pin;
  const parts = [kind, id, type, name].filter((part) => part !== undefined && part !== '');
  return parts.map((part) => escapeText(String(part))).join(' ');
}

/** A path for sentences; printable, and to be typed again. */
export function pathText(path: PinPath): string {
  return escapeName(bytesOf(path));
}

/**
 * Prints what a change came to: the document or the bare name where programs read, otherwise a sentence.
 * A dry run's plan is printed as its steps.
 */
export async function tellChange(
  cli: Cli,
  change: { readonly answer: unknown; readonly name: string; readonly sentence: string },
): Promise<void> {
  const { answer, name, sentence } = change;
  if (wantsDocument(cli)) return await printDocument(cli, answer ?? { path: name, changed: true });
  if (isPlan(answer)) return await tellPlan(cli, answer);
  await cli.out.line(cli.globals().format === 'name' ? name : sentence);
}

/**
 * Does something to each of several things; one that fails doesn't stop the others, the first failure is the
 * code.
 */
export async function forEachOf<Item>(
  cli: Cli,
  items: AsyncIterable<Item>,
  act: (item: Item) => Promise<void>,
): Promise<void> {
  let exitCode: ExitCode | undefined;
  for await (const item of items) {
    try {
      await act(item);
    } catch (error) {
      const code = await tellFailure(error, cli);
      exitCode ??= code;
    }
  }
  if (exitCode !== undefined) throw new Exit(exitCode);
}

async function tellPlan(cli: Cli, { plan }: Plan): Promise<void> {
  if (plan.length === 0) await cli.out.line('Nothing would change.');
  for (const step of plan) {
    const { path = '', path_bytes } = step;
    const at = path === '' ? '' : ` ${shownPath({ path, path_bytes })}`;
    const cost = step.hazards.length === 0 ? '' : ` [${step.hazards.map(escapeText).join(', ')}]`;
    await cli.out.line(`would ${escapeText(step.action)}${at}: ${escapeText(step.detail)}${cost}`);
  }
}

function isPlan(answer: unknown): answer is Plan {
  return typeof answer === 'object' && answer !== null && 'plan' in answer && Array.isArray(answer.plan);
}
