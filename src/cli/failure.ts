import { ClientError } from '../client/client-error.ts';
import { isPinfoldError } from '../model/error.ts';
import { escapeText } from '../model/escape.ts';
import { type ExitCode, exitCodes, NotFoundError, UsageError } from './exit.ts';
import { inTypedWords } from './pointer-words.ts';
import { nothingTyped, type Typed } from './typed.ts';

/** How a failure is told: what happened, what to do about it, and the exit code. Printable lines. */
export interface Failure {
  readonly sentence: string;
  readonly advice: readonly string[];
  readonly exitCode: ExitCode;
}

/** Finds the words for anything a command may throw; undefined for a mistake in the program itself. */
export function failureOf(thrown: unknown, typed: Typed = nothingTyped): Failure | undefined {
  if (thrown instanceof UsageError)
    return { sentence: thrown.message, advice: [], exitCode: exitCodes.usage };
  if (thrown instanceof NotFoundError)
    return { sentence: thrown.message, advice: [], exitCode: exitCodes.notFound };
  if (thrown instanceof ClientError) return failureOfClient(thrown, typed);
  if (isPinfoldError(thrown, 'bad_path')) {
    const advice = ['Give the path inside the bpffs, such as tc/globals/my_map.'];
    return { sentence: escapeDetail(thrown.message), advice, exitCode: exitCodes.usage };
  }
  if (!isPinfoldError(thrown)) return undefined;
  const exitCode = thrown.code === 'conflict' ? exitCodes.conflict : exitCodes.error;
  return { sentence: escapeDetail(thrown.message), advice: [], exitCode };
}

function failureOfClient(error: ClientError, typed: Typed): Failure {
  const hazards = hazardsOf(error);
  const advice = [...(advices[error.code] ?? [])].filter((line) => isFor(line, typed));
  if (error.code === 'pin_exists') advice.push(replaceAdvice(typed));
  if (isOfBytes(error) && typed.flags.has('--key-as')) advice.push(bytesAdvice);
  if (hazards.length > 0) advice.push(`To do it all the same, repeat it with --accept ${hazards.join(',')}`);
  const operation = error.problem?.operation_id;
  if (error.code === 'outcome_unknown' && operation !== undefined) {
    advice.push(`Ask what became of it: pinfold get operation ${escapeText(operation)}`);
  }
  const sentence = escapeDetail(inTypedWords(error.message, typed));
  return { sentence, advice, exitCode: exitCodeOf(error) };
}

/** Advice to repeat a command with an option is for commands that have it. */
function isFor(line: string, { flags }: Typed): boolean {
  const [, flag] = /repeat it with (--[a-z-]+)/.exec(line) ?? [];
  return flag === undefined || flags.has(flag);
}

/** Names the command that was typed, where it can replace. */
function replaceAdvice({ path, flags }: Typed): string {
  if (path === 'restore') return 'Give what is there another name with `pinfold mv`, then repeat it.';
  const command = flags.has('--replace') ? path : 'pin';
  return `\`pinfold ${command}\` with --replace puts another object in its place, without a gap.`;
}

/** Tells whether a key or a value was refused that could be written in another form. */
function isOfBytes({ code, problem }: ClientError): boolean {
  if (code !== 'invalid_input') return false;
  const errors: unknown = problem?.['errors'];
  if (!Array.isArray(errors)) return true;
  return errors.some(({ pointer }) => pointer === '/query/key' || pointer === '/body/value');
}

const bytesAdvice =
  'Say what bytes without types are, --key-as u32, --value-as ipv4, or give them: hex:0a000001.';

/** The hazards a refusal names, in the words `--accept` takes. */
export function hazardsOf(error: ClientError): readonly string[] {
  const hazards = error.problem?.['hazards'];
  if (error.code !== 'hazard' || !Array.isArray(hazards)) return [];
  return hazards.filter((hazard): hazard is string => typeof hazard === 'string').map(escapeText);
}

function exitCodeOf(error: ClientError): ExitCode {
  if (error.code === 'timed_out') return exitCodes.timedOut;
  if (error.code === 'socket_denied') return exitCodes.forbidden;
  switch (error.problem?.status) {
    case 401:
    case 403:
      return exitCodes.forbidden;
    case 404:
      return exitCodes.notFound;
    case 408:
      return exitCodes.timedOut;
    case 409:
    case 412:
    case 423:
      return exitCodes.conflict;
    default:
      return exitCodes.error;
  }
}

/**
 * The server's sentences quote names in a form that is escaped already; doubling their backslashes would
 * mislead.
 */
function escapeDetail(text: string): string {
  return escapeText(text).replaceAll('\\\\', '\\');
}

const advices: Readonly<Record<string, readonly string[]>> = {
  unreachable: ['Is the agent running? Start it with `pinfold agent`, or say where it is with --address.'],
  socket_denied: [
    'Root may, and the members of the group pinfold if it existed when the agent started (its --run-dir is',
    'then 0710). What you may do there is a role, from users: or groups: in the configuration of the agent.',
  ],
  not_pinfold: ['Check --address (or PINFOLD_ADDRESS).'],
  forgotten: ['Retention is set with --retention; list what is kept with pinfold get events.'],
  line_too_long: ['Ask for less at a time: an inner map by itself, without --follow.'],
  cut_short: ['What was printed is incomplete; try again.'],
  timed_out: ['Try again, or wait longer with --timeout 5m.'],
  unauthenticated: [
    'Over TCP a token is needed: name its file with --token-file, or use the unix socket as root.',
  ],
  forbidden: ['A token or user with a higher role is needed; `pinfold get tokens` lists them.'],
  host_not_allowed: ['Start the agent with --allow-host NAME to be reached by this name.'],
  permission_denied: ['`pinfold doctor` on that machine says which capability or mode is missing.'],
  directory_not_found: ['If it was made a moment ago, repeat it with --fresh.'],
  parent_not_found: ['To make missing directories, repeat it with --parents.'],
  precondition_failed: ['Somebody changed it in between; look at it again, then repeat.'],
  identity_mismatch: ['Somebody changed it in between; look at it again, then repeat.'],
  conflict: ['Somebody changed it in between; look at it again, then repeat.'],
  source_mismatch: ['Look at the source again; ids are reused by the kernel.'],
  staging_unsafe: ['`pinfold doctor` on that machine explains what is wrong with the staging directory.'],
  mount_unavailable: ['`pinfold doctor` on that machine shows what is mounted where.'],
  mount_not_found: ['`pinfold get mounts` lists the instances there are.'],
  directory_not_empty: ['`pinfold tree PATH` shows what is in it.'],
  symlink: ['Use the real path; `pinfold tree` shows where symbolic links point.'],
  not_ready: ['Try again in a moment.'],
  overloaded: ['Try again in a moment.'],
  too_many_requests: ['Try again in a moment.'],
  out_of_memory: ['Try again in a moment.'],
  storage_full: ['Make room where the state directory is; reading goes on working.'],
  is_a_directory: ['Directories are removed with `pinfold rmdir`.'],
};
