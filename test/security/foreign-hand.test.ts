import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { bpftool } from '../support/bpftool.ts';
import { compileC } from '../support/c-program.ts';
import { type Answer, type Caller, callerOf } from '../support/caller.ts';
import { hold } from '../support/hold.ts';
import { start } from '../support/process.ts';
import { rounds } from '../support/rounds.ts';
import { type Random, random, testSeed } from '../support/seed.ts';
import { databaseOf, sqlite3 } from '../support/store.ts';

const seed = testSeed();
const placements = rounds(20_000);
const names = 12;
const pauseUs = 300;

/**
 * What may be answered where names change all the time. A hazard too: the reference of a pin that somebody
 * else has just removed is taken for one that is still to go, which errs on the safe side.
 */
const honest = new Set([
  'ok',
  'precondition_failed',
  'identity_mismatch',
  'conflict',
  'pin_not_found',
  'pin_exists',
  'outcome_unknown',
  // The name was taken while a pin was aside: it waits in quarantine, and the one that took it has gone.
  'quarantined',
  'hazard',
]);

/** Which inodes the agent says it has taken away and made, and how often it answered what. */
interface Told {
  readonly removed: number[];
  readonly made: number[];
  readonly tally: Map<string, number>;
}

/** Looks at a pin and then removes, replaces or renames exactly what it saw, until it is told to stop. */
async function meddle(
  caller: Caller,
  map: number,
  rules: {
    readonly from: Random;
    readonly told: Told;
    readonly isOver: () => boolean;
  },
): Promise<void> {
  const { from, told, isOver } = rules;
  while (!isOver()) {
    const url = `/v1/pins/dir/n${from.int(names)}`;
    const seen = await caller.ask({ method: 'GET', url });
    if (seen.status !== 200) continue;
    const headers = { 'if-match': String(seen.headers['etag']) };
    const replaces = from.int(2) === 0;
    const body = { source: { kind: 'map', id: map }, replace: true };
    const answer: Answer = await caller.ask(
      replaces ? { method: 'PUT', url, headers, body } : { method: 'DELETE', url, headers },
    );
    const what = `${replaces ? 'replace' : 'unpin'} ${answer.code}`;
    told.tally.set(what, (told.tally.get(what) ?? 0) + 1);
    assert.ok(honest.has(answer.code), `${url}: ${JSON.stringify(answer.body)}`);
    if (answer.code !== 'ok') continue;
    const isSame = replaces && answer.body.inode === seen.body.inode;
    if (!isSame) told.removed.push(seen.body.inode);
    if (replaces && !isSame) told.made.push(answer.body.inode);
  }
}

/** The inodes below a path now, by find(1). */
function inodesIn(path: string): readonly number[] {
  const listing = execFileSync('find', [path, '-type', 'f', '-not', '-name', '*.debug', '-printf', '%i\\n'], {
    encoding: 'utf8',
  });
  return listing
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/** Every inode placed is where it was put, came back to the hand that placed it, or was asked to go. */
function settle(agent: TestAgent, told: Told, ledger: readonly string[]): void {
  const inodes = (word: string): readonly number[] =>
    ledger.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.split(' ')[1]));
  const returned = new Set(inodes('returned'));
  const remaining = new Set(inodesIn(agent.bpffs.path));
  const removed = new Set(told.removed);
  assert.equal(removed.size, told.removed.length, 'no inode was removed twice');
  const placed = [...inodes('placed'), ...told.made];
  const vanished = placed.filter((inode) => !returned.has(inode) && !remaining.has(inode));
  const wrong = vanished.filter((inode) => !removed.has(inode));
  assert.deepEqual(wrong, [], 'nothing went that nobody asked to go');
  const lies = told.removed.filter((inode) => returned.has(inode) || remaining.has(inode));
  assert.deepEqual(lies, [], 'what was told as removed is gone');
}

test('pins that another hand keeps replacing are removed only by who saw exactly them', async () => {
  await using agent = await testAgent();
  using holder = await hold('map:array:4:8:1:pf_ours:0');
  using caller = callerOf(agent.socket);
  const directory = join(agent.bpffs.path, 'dir');
  mkdirSync(directory);
  const told: Told = { removed: [], made: [], tally: new Map() };
  const ledger: string[] = [];
  const from = random(seed);
  const map = holder.objects[0]?.id ?? 0;
  const missing = (): readonly string[] =>
    ['unpin ok', 'replace ok', 'unpin precondition_failed'].filter(
      (what) => (told.tally.get(what) ?? 0) <= placements / 400,
    );
  // Where the machine is busy with others, one hand is done before much has come of it: another one follows.
  for (let nth = 0; nth === 0 || (nth < 40 && missing().length > 0); nth++) {
    const settings = [names, placements, pauseUs, seed + nth].map(String);
    using hand = start(compileC('repin'), [directory, ...settings]);
    await hand.line(/^ready$/);
    const isOver = (): boolean => hand.ended() !== undefined || hand.lines.at(-1) === 'done';
    await Promise.all([1, 2, 3].map(() => meddle(caller, map, { from, told, isOver })));
    await hand.line(/^done$/);
    ledger.push(...hand.lines);
  }
  process.stdout.write(`${JSON.stringify(Object.fromEntries([...told.tally].sort()))}\n`);

  settle(agent, told, ledger);
  assert.deepEqual(missing(), [], 'each of these has happened');
  const running = sqlite3(
    databaseOf(agent.config.stateDir),
    `SELECT count(*) FROM operation WHERE outcome = 'running'`,
  );
  assert.equal(running, '0', 'every operation is settled');
  const maps = new Set(bpftool<{ name?: string; id: number }[]>('map', 'show').map(({ id }) => id));
  assert.ok(maps.has(map), 'the map that was pinned lives');
});
