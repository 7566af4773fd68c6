import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { testAgent } from '../support/agent.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap, isAlive, pinById } from '../support/bpftool.ts';
import { commandLine } from '../support/command-line.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const otherUuid = '00000000-0000-4000-8000-000000000000';
const operation = '01HZZZZZZZZZZZZZZZZZZZZZZZ';

/** An agent that ran once and is gone, and the options that name its places. */
async function deadAgent(bpffs: string, dir: string) {
  const stateDir = join(dir, 'state');
  const running = await testAgent({
    bpffs: { path: bpffs, dev: 0, [Symbol.dispose]: () => undefined },
    stateDir,
  });
  await running[Symbol.asyncDispose]();
  const database = join(stateDir, 'pinfold.db');
  const uuid = execFileSync('sqlite3', [database, "SELECT value FROM setting WHERE name = 'agent_uuid'"], {
    encoding: 'utf8',
  });
  const places = [
    '--bpffs',
    bpffs,
    '--state-dir',
    stateDir,
    '--run-dir',
    join(dir, 'run'),
    '--address',
    join(dir, 'run', 'agent.sock'),
  ];
  return { uuid: uuid.trim(), places };
}

test('what a dead agent left is found by doctor, and released by leave unless it would be lost', async () => {
  using bpffs = mountBpffs('mode=0700');
  using dir = tempDir('leave');
  const { uuid, places } = await deadAgent(bpffs.path, dir.path);
  const staging = join(bpffs.path, 'pinfold-staging');
  mkdirSync(staging, { recursive: true, mode: 0o700 });
  const { id } = createMap(join(bpffs.path, 'kept'), { name: 'pf_leave' });
  pinById('map', id, join(staging, `${uuid}-${operation}`));
  const last = createMap(join(staging, `${uuid}-${operation}-2`), { name: 'pf_leave' });

  const doctor = await commandLine(['doctor', ...places]);
  assert.match(doctor.out, /^warn +staging +leftovers: 2 of this agent$/m);

  const plan = await commandLine(['leave', '--dry-run', ...places]);
  assert.equal(plan.code, 4);
  assert.match(plan.out, new RegExp(`${uuid}-${operation} would be released`));
  assert.match(plan.out, /-2 kept: nothing else holds the object.*\n.*--accept last_reference/);
  assert.equal(readdirSync(staging).length, 2);

  assert.equal((await commandLine(['leave', ...places])).code, 4);
  assert.deepEqual(readdirSync(staging), [`${uuid}-${operation}-2`]);
  assert.ok(isAlive('map', last.id));

  const done = await commandLine(['leave', '--accept', 'last_reference', ...places]);
  assert.equal(done.code, 0, done.err);
  assert.match(done.out, /-2 released\nstaging directory removed\n$/);
  assert.equal(existsSync(staging), false);
  await until('the map to be freed', () => !isAlive('map', last.id));
  assert.ok(isAlive('map', id));
  const again = await commandLine(['leave', ...places]);
  assert.deepEqual(again, { code: 0, out: 'Nothing is held here.\n', err: '' });
});

test('what belongs to another agent, or to nobody known, stays', async () => {
  using bpffs = mountBpffs('mode=0700');
  using dir = tempDir('leave');
  const { places } = await deadAgent(bpffs.path, dir.path);
  const staging = join(bpffs.path, 'pinfold-staging');
  mkdirSync(staging, { recursive: true, mode: 0o700 });
  createMap(join(staging, `${otherUuid}-${operation}`), { name: 'pf_leave' });
  createMap(join(staging, 'stray'), { name: 'pf_leave' });

  const doctor = await commandLine(['doctor', ...places]);
  assert.match(doctor.out, /^warn +staging +leftovers: 1 of other agents, 1 of nobody known$/m);
  const left = await commandLine(['leave', '--force', ...places, '-o', 'json']);
  assert.equal(left.code, 4);
  const { released, kept, removedStaging } = JSON.parse(left.out);
  assert.deepEqual([released, kept.length, removedStaging], [[], 2, false]);
  assert.equal(readdirSync(staging).length, 2);
});

test('without a state directory nothing is anybody’s, and everything is listed', async () => {
  using bpffs = mountBpffs('mode=0700');
  using dir = tempDir('leave');
  const staging = join(bpffs.path, 'pinfold-staging');
  mkdirSync(staging, { mode: 0o700 });
  createMap(join(staging, `${otherUuid}-${operation}`), { name: 'pf_leave' });
  const places = [
    '--bpffs',
    bpffs.path,
    '--state-dir',
    join(dir.path, 'no'),
    '--run-dir',
    join(dir.path, 'no'),
  ];
  const left = await commandLine(['leave', '--force', ...places]);
  assert.equal(left.code, 4);
  assert.match(left.out, /kept: no state directory says whose it is/);
  assert.equal(existsSync(join(dir.path, 'no')), false);
});
