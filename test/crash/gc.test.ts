import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import test from 'node:test';
import supertest from 'supertest';
import type { StepName } from '../../src/model/step.ts';
import { stagedIn } from '../kernel/changes-fixture.ts';
import { testAgent } from '../support/agent.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { leak } from '../support/leak.ts';
import { start } from '../support/process.ts';
import { rounds } from '../support/rounds.ts';
import { databaseOf, sqlite3Rows } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { uncounted } from './support/uncounted.ts';

const victim = join(import.meta.dirname, 'support', `agent-victim${extname(import.meta.filename)}`);
const times = rounds(1);

/** More than two chunks, so that a clean-up can die between them. */
const pins = 70;

const deaths: readonly (readonly [StepName, number])[] = [
  ['gc.planned', 1],
  ['gc.chunk_done', 1],
  ['quarantine.moved_aside', 40],
  ['gc.settled', 1],
];

for (const [dieAt, nth] of deaths) {
  test(`an agent killed at ${dieAt} (passing ${nth}) in a clean-up comes back exact`, async () => {
    for (let round = 0; round < times; round++) await dieOnce(dieAt, nth);
  });
}

async function dieOnce(dieAt: StepName, nth: number): Promise<void> {
  using bpffs = mountBpffs();
  using dir = tempDir('gc');
  const stateDir = join(dir.path, 'state');
  const runDir = join(dir.path, 'run');
  mkdirSync(stateDir, { mode: 0o700 });
  await leak(join(bpffs.path, 'leak'), { maps: pins, programs: 0 });
  const orders = { bpffs: bpffs.path, stateDir, runDir, dieAt, nth };
  using agent = start(process.execPath, [...process.execArgv, victim, JSON.stringify(orders)], {
    env: uncounted,
  });
  // Its first observation takes in every bpffs of the machine.
  await agent.line(/^ready$/, 120_000);
  const client = supertest.agent(`http+unix://${encodeURIComponent(join(runDir, 'agent.sock'))}`);
  const asked = client.post('/v1/gc').send({ prefix: 'leak', min_age: '0s' });
  await asked.then(
    () => undefined,
    () => undefined,
  );
  assert.deepEqual(await agent.exit(120_000), { code: null, signal: 'SIGKILL' });

  const dead = () => readdirSync(join(bpffs.path, 'leak')).length;
  {
    await using back = await testAgent({ bpffs, stateDir });
    const rows = sqlite3Rows(databaseOf(stateDir), 'SELECT slot, path FROM quarantine ORDER BY slot');
    assert.deepEqual(
      rows.map(({ slot }) => slot),
      [...stagedIn({ bpffs })].sort(),
    );
    assert.equal(dead() + rows.length, pins, 'each is under its name or in quarantine');
    const [run] = sqlite3Rows(
      databaseOf(stateDir),
      "SELECT outcome, detail FROM operation WHERE kind = 'gc'",
    );
    assert.match(String(run?.['outcome']), dieAt === 'gc.settled' ? /^applied$/ : /^unknown$/);
    const told = sqlite3Rows(databaseOf(stateDir), "SELECT seq FROM event WHERE type = 'pin.quarantined'");
    assert.equal(told.length, rows.length);
    const { body } = await back.local.get('/v1/quarantine?limit=500').expect(200);
    assert.equal(body.total, rows.length);
    for (const { id } of body.items) await back.local.post(`/v1/quarantine/${id}/restore`).expect(200);
  }
  assert.equal(dead(), pins, 'all of it can be undone');
  assert.deepEqual(stagedIn({ bpffs }), []);
}
