import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { extname, join } from 'node:path';
import test from 'node:test';
import type { StepName } from '../../src/model/step.ts';
import { hookScript } from '../deploy/oci-fixture.ts';
import { testAgent } from '../support/agent.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { movedClock } from '../support/moved-clock.ts';
import { start } from '../support/process.ts';
import { rounds } from '../support/rounds.ts';
import { databaseOf, sqlite3Rows } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import type { ClaimOrders } from './support/claim-victim.ts';
import { victimFile } from './support/program.ts';
import { assertTidy, initialPins, pinsOf, restart, type Scene, setScene } from './support/scene.ts';
import { uncounted } from './support/uncounted.ts';

const times = rounds(1);

const victim = victimFile('claim-victim');

const agentProgram = join(import.meta.dirname, 'support', `killed-agent${extname(import.meta.filename)}`);

/** Runs the victim; tells whether it was killed at its step. */
function run(scene: Scene, orders: Omit<ClaimOrders, 'bpffs' | 'stateDir'>): boolean {
  const whole: ClaimOrders = { ...orders, bpffs: scene.bpffs.path, stateDir: scene.stateDir };
  const ended = spawnSync(process.execPath, [...process.execArgv, victim, JSON.stringify(whole)], {
    encoding: 'utf8',
    env: { ...process.env, ...uncounted },
  });
  if (ended.signal === 'SIGKILL') return true;
  assert.equal(ended.status, 0, ended.stderr);
  return false;
}

const rowsOf = (scene: Scene, sql: string) => sqlite3Rows(databaseOf(scene.stateDir), sql);

/** What is stored of the claim, and what history tells of it. */
function claimed(scene: Scene) {
  const [row] = rowsOf(scene, 'SELECT labels, (SELECT count(*) FROM claim_pin) AS paths FROM claim');
  const events = rowsOf(scene, "SELECT type FROM event WHERE type LIKE 'claim.%' ORDER BY seq");
  const orphans = rowsOf(scene, 'SELECT owner FROM claim_pin WHERE owner NOT IN (SELECT owner FROM claim)');
  assert.deepEqual(orphans, [], 'no path is left without its claim');
  return { labels: row?.['labels'], paths: row?.['paths'], told: events.map(({ type }) => type) };
}

const untouched = { labels: undefined, paths: undefined, told: [] };
const made = { labels: '{}', paths: 3, told: ['claim.made'] };
const changed = { labels: '{"changed":"yes"}', paths: 3, told: ['claim.made', 'claim.renewed'] };
const released = { labels: undefined, paths: undefined, told: ['claim.made', 'claim.released'] };

type Stored = Readonly<ReturnType<typeof claimed>>;

const acts: readonly { readonly act: ClaimOrders['act']; readonly before: Stored; readonly after: Stored }[] =
  [
    { act: 'claim', before: untouched, after: made },
    { act: 'change', before: made, after: changed },
    { act: 'release', before: made, after: released },
  ];

for (const { act, before, after } of acts) {
  test(`killed around a ${act}, it is there as a whole or not at all`, async () => {
    for (let round = 0; round < times; round++) {
      for (const [step, expected] of [
        ['claim.checked', before],
        ['claim.recorded', after],
      ] as const) {
        using scene = await setScene();
        if (act !== 'claim') assert.equal(run(scene, { act: 'claim' }), false);
        assert.ok(run(scene, { act, dieAt: step }), `${step} was reached`);
        assert.deepEqual(restart(scene).settled, [], 'no intent was left open');
        assert.deepEqual(claimed(scene), expected);
        assert.deepEqual(pinsOf(scene), initialPins(scene));
      }
    }
  });
}

/** Every step of a release that removes three pins, the repeated ones at each of their passings. */
const deaths: readonly { readonly step: StepName; readonly nth: number }[] = [
  { step: 'release.intent_committed', nth: 1 },
  ...[1, 2, 3].map((nth) => ({ step: 'release.step_done' as const, nth })),
  { step: 'release.committed', nth: 1 },
  ...[1, 2, 3].map((nth) => ({ step: 'release.displaced_unlinked' as const, nth })),
  { step: 'release.settled', nth: 1 },
];

/** The pins are gone and so is the claim, or all of them are there. */
function assertWhole(scene: Scene): void {
  assertTidy(scene);
  const pins = pinsOf(scene);
  if (pins.size > 0) {
    assert.deepEqual(pins, initialPins(scene), 'all pins are there');
    assert.deepEqual(claimed(scene), made);
  } else assert.deepEqual(claimed(scene), released);
  const outcomes = rowsOf(scene, "SELECT outcome FROM operation WHERE kind = 'release'");
  assert.ok(outcomes.every(({ outcome }) => outcome === (pins.size > 0 ? 'not_applied' : 'applied')));
  const removed = rowsOf(scene, "SELECT path FROM event WHERE type = 'pin.removed'");
  assert.equal(removed.length, pins.size > 0 ? 0 : 3, 'each removal is told once');
}

for (const { step, nth } of deaths) {
  test(`killed at ${step} (passing ${nth}), the pins go with the claim, or all of it stays`, async () => {
    for (let round = 0; round < times; round++) {
      using scene = await setScene();
      run(scene, { act: 'claim' });
      assert.ok(run(scene, { act: 'unpin', dieAt: step, nth }), `${step} was reached`);
      assert.deepEqual(restart(scene).waiting, []);
      assertWhole(scene);
      if (pinsOf(scene).size > 0) run(scene, { act: 'unpin' });
      assert.equal(pinsOf(scene).size, 0, 'asking again finishes it');
      assert.equal(claimed(scene).told.at(-1), 'claim.released');
      assert.deepEqual(restart(scene).settled, [], 'a second start finds nothing to do');
    }
  });
}

const recoverySteps = [
  'recovery.intent_examined',
  'recovery.kernel_changed',
  'recovery.intent_settled',
] as const;

test('recovery of a release may be killed at its own steps too', async () => {
  for (const dieAt of recoverySteps) {
    using scene = await setScene();
    run(scene, { act: 'claim' });
    run(scene, { act: 'unpin', dieAt: 'release.displaced_unlinked', nth: 2 });
    assert.ok(run(scene, { act: 'recover', dieAt }), `${dieAt} was reached`);
    assert.deepEqual(restart(scene).waiting, []);
    assertWhole(scene);
    assert.equal(pinsOf(scene).size, 0, 'a pin was gone for good, so the others go too');
  }
});

test('an agent and a hook killed while the hook waits leave a claim that ends by itself', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('hook-killed');
  const stateDir = join(dir.path, 'state');
  const places = { bpffs: bpffs.path, stateDir, runDir: dir.path };
  {
    using agent = start(process.execPath, [...process.execArgv, agentProgram, JSON.stringify(places)]);
    await agent.line(/^listening$/);
    using hook = start(hookScript, ['start'], { env: { PINFOLD_SOCKET: join(dir.path, 'agent.sock') } });
    hook.write('{"id":"c1","annotations":{"pinfold/claim":"never"}}');
    hook.end();
    const leases = () => sqlite3Rows(databaseOf(stateDir), 'SELECT lease_ms FROM claim');
    const [claim] = await until('the claim', leases, ({ length }) => length === 1);
    assert.deepEqual(claim, { lease_ms: 90_000 });
    agent.kill();
    hook.kill();
    await agent.exit();
  }
  const clock = movedClock();
  await using back = await testAgent({ bpffs, stateDir, clock });
  await back.local.get('/v1/claims/oci%3Ac1').expect(200);
  clock.sleep(90_000);
  await back.agent.reads.refresh();
  await back.local.get('/v1/claims/oci%3Ac1').expect(404);
});
