import assert from 'node:assert/strict';
import test from 'node:test';
import { renewalIntervalMs } from '../../src/model/claim/lease.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { movedClock } from '../support/moved-clock.ts';

const leaseMs = 600_000;
const year = 365.25 * 24 * 3600 * 1000;

interface Line {
  readonly seq: number;
  readonly type: string;
  readonly actor: string;
  readonly subject: { readonly name?: string };
}

/** What history tells of claims, oldest first. */
async function claimEvents(agent: TestAgent): Promise<readonly Line[]> {
  const types = 'claim.made,claim.renewed,claim.released,claim.expired';
  const { body } = await agent.local.get(`/v1/events?type=${types}&limit=5000`).expect(200);
  return body.items;
}

async function remaining(agent: TestAgent, owner: string): Promise<number | undefined> {
  await agent.agent.reads.refresh();
  const { status, body } = await agent.local.get(`/v1/claims/${owner}`);
  return status === 404 ? undefined : body.remaining_ms;
}

test('a clock that jumps by ten years ends no lease, prolongs none, and changes no order', async () => {
  const clock = movedClock();
  await using agent = await testAgent({ clock });
  createMap(`${agent.bpffs.path}/map`, { name: 'pf_years' });
  const claim = { pins: ['map'], lease: '10m' };
  await agent.local.put('/v1/claims/early').send(claim).expect(201);
  const owners = ['early'];
  let passed = 0;
  for (const [index, years] of [10, -20, 10, -10, 20, -10].entries()) {
    clock.setBy(years * year);
    clock.sleep(60_000);
    passed += 60_000;
    const left = await remaining(agent, 'early');
    assert.ok(left !== undefined && left <= leaseMs - passed && left > leaseMs - passed - 60_000, `${left}`);
    owners.push(`jump-${index}`);
    await agent.local
      .put(`/v1/claims/jump-${index}`)
      .send({ pins: ['map'], labels: { of: 'jumps' } })
      .expect(201);
  }
  assert.equal((await agent.local.delete('/v1/pins/map')).body.code, 'hazard', 'it is needed all the time');
  const made = (await claimEvents(agent)).filter(({ type }) => type === 'claim.made');
  assert.deepEqual(
    made.map(({ subject }) => subject.name),
    owners,
    'history is in the order in which things happened',
  );
  const { body: list } = await agent.local.get('/v1/claims').expect(200);
  assert.deepEqual(
    list.items.map(({ owner }: { owner: string }) => owner),
    [...owners].sort(),
  );
  clock.setBy(-10 * year);
  clock.sleep(leaseMs - passed);
  assert.equal(
    await remaining(agent, 'early'),
    undefined,
    'it ends when its time has passed, and not before',
  );
  assert.equal((await claimEvents(agent)).at(-1)?.type, 'claim.expired');
  const { text } = await agent.local.get('/metrics').expect(200);
  assert.match(text, /^pinfold_claims 6$/m);
  assert.match(text, /^pinfold_claimed_pins 1$/m);
  assert.match(text, /^pinfold_claims_expired_total 1$/m);
});

test('time without an agent counts, and a restarted one waits one renewal interval', async () => {
  const clock = movedClock();
  await using first = await testAgent({ clock });
  const put = (agent: TestAgent, owner: string) =>
    agent.local.put(`/v1/claims/${owner}`).send({ pins: ['map'], lease: '10m' });
  await put(first, 'due').expect(201);
  clock.sleep(300_000);
  await put(first, 'fresh').expect(201);
  await first.local
    .put('/v1/claims/forever')
    .send({ pins: ['map'] })
    .expect(201);
  // Half an hour is set back while it is down, and eight minutes really pass.
  await using second = await first.restart();
  const early = await remaining(second, 'fresh');
  assert.ok(early !== undefined && early > leaseMs - 120_000, 'a restart alone costs nothing');
  clock.setBy(-1_800_000);
  const third = await restartAfter(second, () => clock.sleep(480_000));
  await using agent = third;
  const grace = renewalIntervalMs(leaseMs);
  const due = await remaining(agent, 'due');
  const fresh = await remaining(agent, 'fresh');
  assert.ok(
    due !== undefined && due <= grace && due > grace - 120_000,
    `the grace is left of one that was over: ${due}`,
  );
  assert.ok(
    fresh !== undefined && fresh <= grace && fresh > grace - 120_000,
    `and of one that had less: ${fresh}`,
  );
  await put(agent, 'fresh').expect(200);
  clock.sleep(grace);
  assert.equal(await remaining(agent, 'due'), undefined, 'who did not come by in that time loses it');
  assert.notEqual(await remaining(agent, 'fresh'), undefined, 'who did keeps it');
  const { body } = await agent.local.get('/v1/claims/forever').expect(200);
  assert.deepEqual(
    [body.lease, body.remaining_ms, body.expires_at, body.renew_interval],
    [null, null, null, null],
  );
  const told = (await claimEvents(agent)).map(({ type, subject, actor }) => [type, subject.name, actor]);
  assert.deepEqual(told.at(-1), ['claim.expired', 'due', 'kernel']);
});

/** Ends one agent, lets something happen while there is none, and starts another. */
async function restartAfter(agent: TestAgent, act: () => void): Promise<TestAgent> {
  await agent.running.stop();
  act();
  return await agent.restart();
}

test('renewals are told in history when they change something, and otherwise once an hour', async () => {
  const clock = movedClock();
  await using agent = await testAgent({ clock });
  const renew = (body: object) => agent.local.put('/v1/claims/beat').send(body);
  await renew({ pins: ['map'], lease: '2h' }).expect(201);
  for (let beat = 0; beat < 5; beat++) {
    clock.sleep(60_000);
    const { headers } = await renew({}).expect(200);
    assert.equal(headers['pinfold-operation'], undefined);
  }
  clock.sleep(3_600_000);
  const { headers } = await renew({}).expect(200);
  assert.ok(headers['pinfold-operation']);
  await renew({ labels: { a: 'b' } }).expect(200);
  const types = (await claimEvents(agent)).map(({ type }) => type);
  assert.deepEqual(types, ['claim.made', 'claim.renewed', 'claim.renewed']);
});
