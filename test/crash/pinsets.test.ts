import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { extname, join } from 'node:path';
import test from 'node:test';
import supertest from 'supertest';
import type { StepName } from '../../src/model/step.ts';
import { testAgent } from '../support/agent.ts';
import { type Bpffs, mountBpffs } from '../support/bpffs.ts';
import { bpftool, listMaps, pinnedMap, removeEntry, updateEntry } from '../support/bpftool.ts';
import { start } from '../support/process.ts';
import { rounds } from '../support/rounds.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';
import { uncounted } from './support/uncounted.ts';

const victim = join(import.meta.dirname, 'support', `agent-victim${extname(import.meta.filename)}`);
const patience = { timeoutMs: 120_000, everyMs: 100 };
const isLong = rounds(1) > 1;
const name = 'pf_crash_set';

/** One protected map of so many entries, whose contents follow it into another. */
function setOf(max_entries: number) {
  const map = { name, type: 'hash', key_size: 4, value_size: 4, max_entries, flags: ['no_prealloc'] };
  return {
    all: true,
    on_schema_change: 'copy',
    prune: true,
    pins: [{ path: 'dir/map', map, protect: true }],
  };
}

/** Where an agent dies, and on which passing: each is tried in long runs, the first of a list always. */
interface Death {
  readonly dieAt: StepName;
  readonly nth?: number;
  readonly isAlways?: true;
  /** What somebody does while no agent is there; all of it unless told. */
  readonly meanwhile?: 'entries' | 'unpin';
}

/** An agent that dies, and what it leaves. */
async function killed(
  death: Death,
  ask: (client: ReturnType<typeof supertest.agent>, bpffs: Bpffs) => Promise<void>,
) {
  const bpffs = mountBpffs();
  const dir = tempDir('pinsets');
  const stateDir = join(dir.path, 'state');
  const runDir = join(dir.path, 'run');
  mkdirSync(stateDir, { mode: 0o700 });
  const { dieAt, nth = 1 } = death;
  const orders = { bpffs: bpffs.path, stateDir, runDir, dieAt, nth };
  using agent = start(process.execPath, [...process.execArgv, victim, JSON.stringify(orders)], {
    env: uncounted,
  });
  await agent.line(/^ready$/, 120_000);
  const client = supertest.agent(`http+unix://${encodeURIComponent(join(runDir, 'agent.sock'))}`);
  await ask(client, bpffs);
  assert.deepEqual(await agent.exit(120_000), { code: null, signal: 'SIGKILL' });
  const release = (): void => {
    bpffs[Symbol.dispose]();
    dir[Symbol.dispose]();
  };
  return { bpffs, stateDir, path: join(bpffs.path, 'dir/map'), [Symbol.dispose]: release };
}

/** Starts an agent in the place of the dead one and waits until it has come to a generation. */
async function backTo(left: { readonly bpffs: Bpffs; readonly stateDir: string }, generation: number) {
  const agent = await testAgent(left);
  const read = async () => (await agent.local.get('/v1/pinsets/set')).body;
  const isThere = (body: { generation?: number; status?: { state: string } }) =>
    body.generation === generation && body.status?.state === 'ok';
  await until(`generation ${generation}`, read, isThere, patience);
  return agent;
}

function keyOf(number: number): Uint8Array {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(number);
  return key;
}

/** What is in the map at a path: value by key. */
function entriesIn(path: string): Readonly<Record<number, number>> {
  const rows = bpftool<{ key: string[]; value: string[] }[]>('map', 'dump', 'pinned', path);
  const number = (hex: readonly string[]) => Buffer.from(hex.map(Number)).readUInt32LE();
  return Object.fromEntries(rows.map(({ key, value }) => [number(key), number(value)]));
}

/** Nothing is left but the map under its name, and the pin that protects it. */
async function assertClean(left: { readonly bpffs: Bpffs; readonly path: string }): Promise<void> {
  const { id } = pinnedMap(left.path);
  assert.equal(readdirSync(join(left.bpffs.path, 'pinfold-staging')).length, 1);
  const ours = () => listMaps().filter((map) => map.name === name || map.name === 'pinfold_copied');
  await untilPasses(
    () =>
      assert.deepEqual(
        ours().map((map) => map.id),
        [id],
      ),
    patience,
  );
}

const making: readonly Death[] = [
  { dieAt: 'aside.held', isAlways: true },
  { dieAt: 'pinset.applied' },
  { dieAt: 'pin.staged' },
  { dieAt: 'pin.settled' },
  { dieAt: 'aside.recorded' },
  { dieAt: 'pinset.step_done' },
];

for (const death of making.filter(({ isAlways }) => isLong || isAlways === true)) {
  test(`a node killed at ${death.dieAt} while it makes a protected map has it once, as its own`, async () => {
    using left = await killed(death, async (client) => {
      await client.put('/v1/cluster/pinsets/set').send(setOf(64)).then(ignore, ignore);
    });
    if (existsSync(left.path)) updateEntry(left.path, keyOf(1), keyOf(2));
    const isMade = existsSync(left.path);
    await using agent = await backTo(left, 1);
    assert.deepEqual(entriesIn(left.path), isMade ? { 1: 2 } : {});
    assert.deepEqual((await agent.local.get('/v1/pinsets/set').expect(200)).body.made, ['dir/map']);
    await assertClean(left);
  });
}

const copying: readonly Death[] = [
  { dieAt: 'copy.swapped', isAlways: true },
  { dieAt: 'copy.filled', isAlways: true },
  { dieAt: 'copy.begun' },
  { dieAt: 'copy.comparing' },
  { dieAt: 'copy.compared' },
  { dieAt: 'copy.exchanged', meanwhile: 'entries' },
  { dieAt: 'copy.exchanged', meanwhile: 'unpin' },
  { dieAt: 'replace.exchanged', meanwhile: 'entries' },
  { dieAt: 'replace.exchanged', meanwhile: 'unpin' },
  { dieAt: 'replace.settled' },
  { dieAt: 'copy.passed', nth: 1 },
  { dieAt: 'copy.passed', nth: 2 },
  { dieAt: 'copy.let_go' },
  { dieAt: 'aside.unlinked', nth: 1 },
  { dieAt: 'aside.unlinked', nth: 2 },
  { dieAt: 'aside.unlinked', nth: 3 },
];

for (const death of copying.filter(({ isAlways }) => isLong || isAlways === true)) {
  const { meanwhile, nth = 1 } = death;
  const doing = meanwhile === undefined ? '' : `, with ${meanwhile} meanwhile,`;
  test(`a node killed at ${death.dieAt} (${nth})${doing} while it copies has every entry once`, async () => {
    using left = await killed(death, async (client, bpffs) => {
      await client.put('/v1/cluster/pinsets/set').send(setOf(64)).expect(201);
      const path = join(bpffs.path, 'dir/map');
      const read = async () => (await client.get('/v1/pinsets/set')).body.status?.state;
      await until('the first generation', read, (state) => state === 'ok', patience);
      for (let number = 1; number <= 20; number++) updateEntry(path, keyOf(number), keyOf(number));
      await client.put('/v1/cluster/pinsets/set').send(setOf(128)).then(ignore, ignore);
    });
    const expected = meanwhile === 'unpin' ? entriesIn(left.path) : changedEntries(left.path);
    if (meanwhile !== 'entries') rmSync(left.path);
    await using _agent = await backTo(left, 2);
    assert.equal(pinnedMap(left.path).max_entries, 128);
    assert.deepEqual(entriesIn(left.path), expected);
    await assertClean(left);
  });
}

/** Removes an entry, changes one and makes one, by the name; what must be there then. */
function changedEntries(path: string): Readonly<Record<number, number>> {
  removeEntry(path, Buffer.from([10, 0, 0, 0]));
  updateEntry(path, keyOf(11), keyOf(99));
  updateEntry(path, keyOf(30), keyOf(30));
  const numbers = Array.from({ length: 20 }, (_, index) => index + 1).filter((number) => number !== 10);
  const kept = numbers.map((number) => [number, number === 11 ? 99 : number]);
  return Object.fromEntries([...kept, [30, 30]]);
}

function ignore(): void {}
