import { escapeText } from '../../model/escape.ts';
import type { FileFacts, MachineFacts, StagingEntry } from '../../model/local.ts';
import { type Check, fail, octal, ok, warn } from './check.ts';

/** The staging directory: safe to use, and holding nothing an agent forgot. */
export function checkStaging(facts: MachineFacts): Check[] {
  const { directory, entries } = facts.staging;
  if (facts.bpffs !== 'mounted') return [];
  if (directory === undefined) return [ok('staging', 'not made yet; the first change makes it')];
  const path = escapeText(directory.path);
  if (directory.type !== 'directory' || directory.uid !== facts.uid || (directory.mode & 0o7777) !== 0o700) {
    const found = `${path} is a ${directory.type} of uid ${directory.uid} with mode ${octal(directory.mode)}`;
    const advice = 'Find out who made it, and remove it. Until then changes are refused.';
    return [fail('staging', found, advice)];
  }
  if (entries.length === 0) return [ok('staging', `${path} is empty`)];
  return [checkEntries(entries, facts.listener !== undefined)];
}

function checkEntries(entries: readonly StagingEntry[], isRunning: boolean): Check {
  const count = (madeBy: StagingEntry['madeBy']): number =>
    entries.filter((entry) => entry.madeBy === madeBy).length;
  const parts = [
    [count('quarantine'), 'in quarantine'],
    [count('pinset'), 'for pin sets'],
    [count('ours'), 'of this agent'],
    [count('other'), 'of other agents'],
    [count('unknown'), 'of nobody known'],
  ] as const;
  const finding = parts
    .filter(([number]) => number > 0)
    .map(([number, whose]) => `${number} ${whose}`)
    .join(', ');
  if (isRunning && count('unknown') === 0 && count('other') === 0)
    return ok('staging', count('ours') === 0 ? finding : `${finding}, in use`);
  const advice =
    count('ours') + count('quarantine') + count('pinset') > 0 && !isRunning
      ? 'Start the agent, which goes on with them, or give all back with `pinfold leave`.'
      : 'If their agent is gone for good, run `pinfold leave` with its --state-dir, or remove them by hand.';
  return warn('staging', `leftovers: ${finding}`, advice);
}

/** The directories and files an agent keeps, and whether others can get at them. */
export function checkPlaces(facts: MachineFacts): Check[] {
  return [...checkState(facts), ...checkRun(facts)];
}

function checkState({ stateDir, tokenFile, isTokenTaken }: MachineFacts): Check[] {
  if (stateDir === undefined) return [ok('state directory', 'not made yet; the first start makes it')];
  const path = escapeText(stateDir.path);
  const state =
    (stateDir.mode & 0o077) !== 0
      ? fail(
          'state directory',
          `${path} has mode ${octal(stateDir.mode)}: others can read the database`,
          `chmod 0700 ${path}`,
        )
      : ok('state directory', `${path}, mode ${octal(stateDir.mode)}`);
  return tokenFile === undefined ? [state] : [state, checkToken(tokenFile, isTokenTaken)];
}

function checkToken(tokenFile: FileFacts, isTaken: boolean | undefined): Check {
  const name = 'admin token';
  const file = escapeText(tokenFile.path);
  const mode = octal(tokenFile.mode);
  if ((tokenFile.mode & 0o077) !== 0) {
    const revoke = 'then revoke it with `pinfold token revoke admin` and restart the agent.';
    return fail(name, `${file} has mode ${mode}: others can read it`, `chmod 0600 ${file}, ${revoke}`);
  }
  if (isTaken !== false) return ok(name, `${file}, mode ${mode}`);
  const advice = 'Remove the file: the next start makes a new token. Root needs none on the unix socket.';
  return warn(name, `${file} holds a token that was revoked, or that this agent never had`, advice);
}

function checkRun({ runDir, socket, listener }: MachineFacts): Check[] {
  if (runDir === undefined) return [];
  const path = escapeText(runDir.path);
  const run =
    (runDir.mode & 0o007) !== 0
      ? fail(
          'run directory',
          `${path} has mode ${octal(runDir.mode)}: any user can try the socket`,
          `chmod 0710 ${path}`,
        )
      : ok('run directory', `${path}, mode ${octal(runDir.mode)}`);
  if (socket === undefined || listener !== undefined) return [run];
  const left = `${escapeText(socket.path)} is there, but nothing listens on it: its agent died`;
  return [run, warn('socket', left, 'Start the agent; it makes a new one.')];
}
