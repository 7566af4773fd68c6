import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { extname, join } from 'node:path';
import test from 'node:test';
import supertest from 'supertest';
import type { PinDocument } from '../../src/model/schema/pin.ts';
import { steps } from '../../src/model/step.ts';
import { killNow, stagedIn } from '../kernel/changes-fixture.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { isAlive } from '../support/bpftool.ts';
import { bpfFds } from '../support/leaks.ts';
import { start } from '../support/process.ts';
import { rounds } from '../support/rounds.ts';
import { databaseOf, sqlite3Rows } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import type { AgentOrders } from './support/agent-victim.ts';
import { type Death, deaths, scenarios } from './support/scenarios.ts';
import { initialPins, pinsOf, type Scene, setScene } from './support/scene.ts';
import { uncounted } from './support/uncounted.ts';
import type { Change } from './support/victim.ts';

/** A place at which the agent dies; with `failAt` while it takes a failed batch back. */
interface AgentDeath extends Death {
  readonly failAt?: number;
}

const victim = join(import.meta.dirname, 'support', `agent-victim${extname(import.meta.filename)}`);
const times = rounds(1);

/** Each step once, in the first change that passes it. */
const table: readonly AgentDeath[] = [
  ...deaths.filter(({ step }, index) => deaths.findIndex((other) => other.step === step) === index),
  // Twice, so that the owner of its object is dead once also where each runs once.
  { scenario: scenarios.batch, step: 'batch.step_undone', nth: 2, failAt: 5 },
  { scenario: scenarios.batch, step: 'batch.step_undone', nth: 1, failAt: 5 },
  { scenario: scenarios.unpinBatch, step: 'batch.step_done', nth: 1 },
  { scenario: scenarios.unpinBatch, step: 'batch.committed', nth: 1 },
];

test('an agent is killed at every step that a change has', () => {
  // Those of claims are in claims.test.ts, of clean-up in quarantine.test.ts and gc.test.ts, of pin sets in
  // pinsets.test.ts.
  const others = /^(?:recovery|claim|release|quarantine|restore|discard|gc|aside|copy|pinset)\./;
  const ofChanges = steps.filter((step) => !others.test(step));
  assert.deepEqual([...new Set(table.map(({ step }) => step))].sort(), [...ofChanges].sort());
});

for (const [index, death] of table.entries()) {
  const title = `an agent killed at ${death.step} (${death.scenario.name}) tells the truth when it is back`;
  test(title, async () => {
    for (let round = 0; round < times; round++) await dieOnce(death, (index + round) % 2 === 1);
  });
}

/** The change happened as a whole or not at all, the agent says which, and what it shows is what is there. */
async function dieOnce(death: AgentDeath, sourceDies: boolean): Promise<void> {
  using scene = await setScene();
  const before = initialPins(scene);
  await killDuring(scene, death);
  const committed = operationsOf(scene);
  if (sourceDies) killNow(scene.source.pid);
  {
    await using back = await testAgent({ bpffs: scene.bpffs, stateDir: scene.stateDir });
    const outcome = await settledOutcome(back, scene);
    if (/\.(source_held|checked)$/.test(death.step) && committed.length === 0) assert.equal(outcome, 'none');
    else assert.match(outcome, /^(applied|not_applied)$/);
    if (death.step.endsWith('.settled')) assert.equal(outcome, 'applied');
    if (death.failAt !== undefined) assert.equal(outcome, 'not_applied');
    const isApplied = outcome === 'applied';
    // What was being taken back, and alone holds an object whose owner has died, is kept for somebody.
    if (death.failAt !== undefined && sourceDies) await discardKept(back, scene.fresh);
    const ids = pinsOf(scene);
    assert.deepEqual(ids, isApplied ? death.scenario.after(scene) : before, outcome);
    const pins = await assertShownAsTheyAre(back, scene, ids);
    if (death.scenario === scenarios.attributes) {
      const old = pins.find(({ path }) => path === 'old');
      const shown = { mode: old?.mode, uid: old?.uid, labels: old?.labels };
      const changed = { mode: '0640', uid: 1000, labels: { app: 'x' } };
      assert.deepEqual(shown, isApplied ? changed : { mode: '0600', uid: 0, labels: {} }, outcome);
    }
    assert.deepEqual(stagedIn(scene), [], 'nothing is left in the staging directory');
    for (const id of new Set(ids.values())) assert.ok(isAlive('map', id), `map ${id} is alive`);
    assertRecorded(back, scene, pins);
  }
  assert.deepEqual([...bpfFds().values()], [], 'no object is held by an agent that has stopped');
}

/** Has a real agent carry the change out over HTTP; it dies on the way and never answers. */
async function killDuring(scene: Scene, { scenario, step, nth, failAt }: AgentDeath): Promise<void> {
  using run = tempDir('run');
  const orders: AgentOrders = {
    bpffs: scene.bpffs.path,
    stateDir: scene.stateDir,
    runDir: run.path,
    dieAt: step,
    nth,
    ...(failAt === undefined ? {} : { failAt }),
  };
  using agent = start(process.execPath, [...process.execArgv, victim, JSON.stringify(orders)], {
    env: uncounted,
  });
  // Its first observation takes in every bpffs of the machine, also one that is changed without rest.
  await agent.line(/^ready$/, 120_000);
  const socket = `http+unix://${encodeURIComponent(join(run.path, 'agent.sock'))}`;
  const answer = await requestOf(supertest.agent(socket), scenario.change(scene)).then(
    ({ status, text }) => `${status} ${text}`,
    () => undefined,
  );
  assert.equal(answer, undefined, `${step} was reached before the answer`);
  assert.deepEqual(await agent.exit(), { code: null, signal: 'SIGKILL' });
}

/** A change as a client asks for it. */
function requestOf(client: supertest.Agent, change: Change): supertest.Test {
  switch (change.do) {
    case 'pin':
      return client.put(`/v1/pins/${change.path}`).send(change.request);
    case 'patch':
      return client.patch(`/v1/pins/${change.path}`).send(change.patch);
    case 'unpin':
      return client.delete(`/v1/pins/${change.path}`);
    case 'batch':
      return client.post('/v1/batch').send({ operations: change.operations });
  }
}

/** The one thing in quarantine is a pin of this map, which lives; it goes once that is accepted. */
async function discardKept({ local }: TestAgent, map: number): Promise<void> {
  const { body } = await local.get('/v1/quarantine').expect(200);
  const [kept, ...others] = body.items;
  assert.deepEqual([kept.kind, kept.object_id, others], ['map', map, []]);
  assert.ok(isAlive('map', map), 'nothing else holds it');
  const entry = `/v1/quarantine/${kept.id}`;
  await local.delete(entry).expect(409);
  await local.delete(`${entry}?accept=last_reference`).expect(204);
}

/** The operations in the database, as sqlite3 sees them. */
function operationsOf(scene: Scene): readonly Record<string, unknown>[] {
  return sqlite3Rows(databaseOf(scene.stateDir), 'SELECT id, outcome FROM operation');
}

/** What became of the only operation, over HTTP and as sqlite3 sees it; `none` where there is none. */
async function settledOutcome(back: TestAgent, scene: Scene): Promise<string> {
  const [row, ...others] = operationsOf(scene);
  assert.deepEqual(others, [], 'there is one operation at most');
  if (row === undefined) return 'none';
  const { body } = await back.local.get(`/v1/operations/${String(row['id'])}`).expect(200);
  assert.equal(body.outcome, row['outcome']);
  assert.notEqual(body.settled_at, null);
  return String(body.outcome);
}

/** The records of that mount, as sqlite3 sees them, are the pins that are shown; no intent is open. */
function assertRecorded(back: TestAgent, scene: Scene, pins: readonly PinDocument[]): void {
  const select = `SELECT CAST(path AS TEXT) AS path, inode, object_id AS id FROM pin
    WHERE gone_at IS NULL AND mount = '${back.mount}' ORDER BY path`;
  const shown = pins.map(({ path, inode, id }) => ({ path, inode, id }));
  assert.deepEqual(sqlite3Rows(databaseOf(scene.stateDir), select), shown);
  const open = "SELECT id FROM operation WHERE outcome = 'running' OR plan IS NOT NULL";
  assert.deepEqual(sqlite3Rows(databaseOf(scene.stateDir), open), [], 'no intent is open');
}

/** The list of all pins is what find(1) and bpftool see on that mount. */
async function assertShownAsTheyAre(
  back: TestAgent,
  scene: Scene,
  ids: ReadonlyMap<string, number>,
): Promise<readonly PinDocument[]> {
  const { body } = await back.local.get(`/v1/pins?mount=${back.mount}&limit=5000`).expect(200);
  const pins: readonly PinDocument[] = body.items;
  const shown = pins.map(({ path, id, inode, mode, uid }) => ({ path, id, inode, mode, uid }));
  const found = execFileSync(
    'find',
    ['.', '-type', 'f', '-not', '-name', '*.debug', '-printf', '%P %i %m %U\n'],
    {
      cwd: scene.bpffs.path,
      encoding: 'utf8',
    },
  );
  const lines = found.split('\n').filter((line) => line !== '');
  const there = lines.sort().map((line) => {
    const [path = '', inode, mode = '', uid] = line.split(' ');
    return { path, id: ids.get(path), inode: Number(inode), mode: mode.padStart(4, '0'), uid: Number(uid) };
  });
  assert.deepEqual(shown, there);
  return pins;
}
