import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap, pinnedMap } from '../support/bpftool.ts';
import { compileC } from '../support/c-program.ts';
import { type Answer, type Ask, callerOf } from '../support/caller.ts';
import { type Holder, hold } from '../support/hold.ts';
import { type Child, start } from '../support/process.ts';
import { rounds } from '../support/rounds.ts';
import { type Random, random, testSeed } from '../support/seed.ts';
import { databaseOf, sqlite3 } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { treeHash } from '../support/tree-hash.ts';

const seed = testSeed();
const attacker = 1000;
const operationsEach = rounds(1250);
/** Of each of the three attacks: 100,000 in all. */
const swapsAtLeast = 34_000;

/** What may be answered while somebody moves what is on the way; `internal` never. */
const honest = new Set([
  'ok',
  'pin_not_found',
  'parent_not_found',
  'directory_not_found',
  'pin_exists',
  'symlink',
  'not_a_directory',
  'is_a_directory',
  'not_a_pin',
  'crosses_mount',
  'directory_not_empty',
  'identity_mismatch',
  'conflict',
  'source_not_found',
  'outcome_unknown',
  'already_exists',
]);

const names = ['x0', 'x1', 'x2', 'x3', 'x4', 'x5'];

/** Starts a process of another user that exchanges two names as fast as it can. */
function startSwapping(one: string, other: string): Child {
  const user = ['--reuid', String(attacker), '--regid', String(attacker), '--clear-groups'];
  return start('setpriv', [...user, compileC('swap'), one, other, String(swapsAtLeast)]);
}

/** Stops it once it has exchanged often enough; answers how often it did. */
async function stopSwapping(child: Child): Promise<number> {
  child.end();
  return Number(await child.line(/^\d+$/, 60_000));
}

/** Pins, directories and contents as find(1) and bpftool see them; nothing of it is ours to change. */
function describePins(path: string): string {
  const ids = names.map((name) => pinnedMap(join(path, name)).id);
  return `${treeHash(path)} ${ids.join(',')}`;
}

/** One of the changes a client may ask for, through a path that somebody else is moving. */
function anyChange(from: Random, maps: readonly number[]): Ask {
  const name = from.pick(names);
  const url = `/v1/pins/d/${name}`;
  const source = { kind: 'map', id: from.pick(maps) };
  switch (from.int(10)) {
    case 0:
    case 1:
      return { method: 'PUT', url, body: { source } };
    case 2:
      return { method: 'PUT', url, body: { source, replace: true, mode: '0640' } };
    case 3:
      return { method: 'PUT', url: `/v1/pins/d/sub/${name}`, body: { source, parents: true } };
    case 4:
      return { method: 'PATCH', url, body: { path: `d/${from.pick(names)}`, replace: true } };
    case 5:
      return { method: 'PATCH', url, body: { mode: '0600', uid: 0, gid: 0 } };
    case 6:
      return { method: 'PUT', url: '/v1/directories/d/sub', body: { mode: '0700' } };
    case 7:
      return { method: 'DELETE', url: `/v1/directories/d/${from.pick(['sub', name])}` };
    case 8:
      return { method: 'DELETE', url: `/v1/pins/d/sub/${name}` };
    default:
      return { method: 'DELETE', url };
  }
}

/** Asks for many changes, a few at a time, and counts how often each code comes back. */
async function bombard(agent: TestAgent, asks: readonly Ask[], tally: Map<string, number>): Promise<void> {
  using caller = callerOf(agent.socket);
  const waiting = [...asks];
  const work = async (): Promise<void> => {
    for (let ask = waiting.pop(); ask !== undefined; ask = waiting.pop()) {
      const answer: Answer = await caller.ask(ask);
      assert.ok(honest.has(answer.code), `${ask.method} ${ask.url}: ${JSON.stringify(answer.body)}`);
      tally.set(answer.code, (tally.get(answer.code) ?? 0) + 1);
    }
  };
  await Promise.all([work(), work(), work(), work()]);
}

/** An ordinary tree with the names that pins and directories have, which nobody may be led into. */
function plantCanary(path: string): void {
  for (const directory of ['', 'sub', 'sub/deep']) {
    mkdirSync(join(path, directory), { recursive: true });
    for (const name of names) writeFileSync(join(path, directory, name), `canary ${name}`);
  }
  mkdirSync(join(path, 'empty'));
  execFileSync('chmod', ['-R', 'a+rwX', path]);
}

/** A directory of a bpffs with pins of these names, each its own map that nothing else holds. */
function plantPins(path: string): void {
  mkdirSync(join(path, 'sub'), { recursive: true });
  for (const name of names) createMap(join(path, name), { name: 'pf_victim' });
}

interface Scene {
  readonly agent: TestAgent;
  readonly holder: Holder;
  /** Where the link leads; absolute. */
  readonly target: string;
  /** What is equal before and after, whatever was tried. */
  readonly untouched: () => string;
}

/** A directory `d` of another user's, and a link `l` of theirs that they exchange it with. */
async function attack({ agent, holder, target, untouched }: Scene, from: Random): Promise<void> {
  const { path } = agent.bpffs;
  const user = ['setpriv', '--reuid', String(attacker), '--regid', String(attacker), '--clear-groups'];
  execFileSync('env', [...user, 'mkdir', '-m', '0777', join(path, 'd')]);
  execFileSync('env', [...user, 'ln', '-s', target, join(path, 'l')]);
  const maps = holder.objects.map(({ id }) => id);
  const before = untouched();
  using swapping = startSwapping(join(path, 'd'), join(path, 'l'));
  await swapping.line(/^ready$/);
  const tally = new Map<string, number>();
  do {
    const asks = Array.from({ length: operationsEach }, () => anyChange(from, maps));
    await bombard(agent, asks, tally);
  } while (!swapping.lines.includes('enough'));
  const swaps = await stopSwapping(swapping);
  process.stdout.write(`${swaps} swaps: ${JSON.stringify(Object.fromEntries([...tally].sort()))}\n`);
  assert.equal(untouched(), before, 'nothing that the link leads to was touched');
  assert.ok(swaps >= swapsAtLeast, `only ${swaps} swaps`);
  for (const code of ['ok', 'symlink'])
    assert.ok((tally.get(code) ?? 0) > operationsEach / 50, `${code} happened`);
  const running = sqlite3(
    databaseOf(agent.config.stateDir),
    `SELECT count(*) FROM operation WHERE outcome = 'running'`,
  );
  assert.equal(running, '0', 'every operation is settled');
  assert.deepEqual(agent.running.kernel.fds.transient(), [], 'no descriptor is left open');
}

async function heldMaps(): Promise<Holder> {
  return await hold(...[0, 1, 2, 3].map((index) => `map:array:4:8:1:pf_swap${index}:0`));
}

test('a directory that becomes a link to an ordinary tree leads no change into it', async () => {
  await using agent = await testAgent();
  using holder = await heldMaps();
  using canary = tempDir('canary');
  chmodSync(canary.path, 0o755);
  plantCanary(canary.path);
  const untouched = () => treeHash(canary.path);
  await attack({ agent, holder, target: canary.path, untouched }, random(seed));
});

test('a directory that becomes a link into another bpffs leads no change there', async () => {
  await using agent = await testAgent();
  using holder = await heldMaps();
  using other = mountBpffs();
  const target = join(other.path, 'victims');
  plantPins(target);
  chmodSync(target, 0o777);
  await attack({ agent, holder, target, untouched: () => describePins(target) }, random(seed + 1));
});

test('a directory that becomes a link to a neighbour leads no change to the neighbour', async () => {
  await using agent = await testAgent();
  using holder = await heldMaps();
  const target = join(agent.bpffs.path, 'victims');
  plantPins(target);
  for (const way of ['victims', target]) {
    execFileSync('rm', ['-rf', join(agent.bpffs.path, 'd'), join(agent.bpffs.path, 'l')]);
    await attack({ agent, holder, target: way, untouched: () => describePins(target) }, random(seed + 2));
  }
});
