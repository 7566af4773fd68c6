import assert from 'node:assert/strict';
import test from 'node:test';
import { testAgent } from '../support/agent.ts';
import { commandLine } from '../support/command-line.ts';
import { until } from '../support/until.ts';

const patience = { timeoutMs: 60_000, everyMs: 50 };
const map = { type: 'hash', key_size: 4, value_size: 4, max_entries: 16 };

test('a pin set goes through its generations on a machine by itself', async () => {
  await using at = await testAgent();
  const url = '/v1/cluster/pinsets/edge-acl';
  const body = { all: true, pins: [{ path: 'tc/acl', map }] };
  const planned = await at.local.put(`${url}?dry_run=true`).send(body).expect(200);
  assert.equal(planned.body.plan.length, 1);
  await at.local.get(url).expect(404);
  const made = await at.local.put(url).send(body).expect(201);
  assert.deepEqual([made.body.generation, made.headers['etag']], [1, '"1"']);
  const again = await at.local.put(url).send({ pins: body.pins, all: true, name: 'edge-acl' }).expect(200);
  assert.equal(again.body.generation, 1, 'the same changes nothing');
  await at.local.put(url).set('if-none-match', '*').send(body).expect(412);
  await at.local.put(url).set('if-match', '"7"').send(body).expect(412);
  const next = await at.local
    .put(url)
    .set('if-match', '"1"')
    .send({ ...body, mode: 'observe' })
    .expect(200);
  assert.deepEqual([next.body.generation, next.body.former_generation], [2, 1]);
  await until(
    'the rollout of what is only observed',
    async () => (await at.local.get(url).expect(200)).body.rollout?.state,
    (state) => state === 'done',
    patience,
  );
});

test('history tells of what was wanted, paused, resumed and rolled out, and by whom, once', async () => {
  await using at = await testAgent();
  const url = '/v1/cluster/pinsets/told';
  const told = async () => {
    const { body } = await at.local.get('/v1/cluster/events').query({ type: types }).expect(200);
    const events: readonly { readonly type: string; readonly actor: string }[] = body.items;
    return events.map(({ type, actor }) => `${type} ${actor.replace(/ pid:.*/, '')}`);
  };
  const expectTold = async (expected: readonly string[]) => {
    await until(
      `history to tell ${expected.at(-1)}`,
      told,
      (all) => JSON.stringify(all) === JSON.stringify(expected),
      patience,
    );
  };
  const types = ['created', 'updated', 'deleted', 'paused', 'resumed', 'rolled_out']
    .map((what) => `pinset.${what}`)
    .join();
  const kept = { path: 'kept', expect: { kind: 'map' } };
  const ops = await at.token('operator');
  await at.local
    .put(url)
    .send({ all: true, pins: [kept] })
    .expect(201);
  await expectTold(['pinset.created uid:0', 'pinset.paused pinset:told@1']);
  await at.remote(ops).post(`${url}/pause`).expect(200);
  await expectTold(['pinset.created uid:0', 'pinset.paused pinset:told@1', 'pinset.paused api:operator-1']);
  await at.local.post(`${url}/resume`).expect(200);
  const before = [
    ...['pinset.created uid:0', 'pinset.paused pinset:told@1', 'pinset.paused api:operator-1'],
    ...['pinset.resumed uid:0', 'pinset.rolled_out uid:0'],
  ];
  await expectTold(before);
  await at
    .remote(ops)
    .put(url)
    .send({ all: true, mode: 'observe', pins: [kept] })
    .expect(200);
  const rolledOut = [...before, 'pinset.updated api:operator-1', 'pinset.rolled_out api:operator-1'];
  await expectTold(rolledOut);
  await at.local.delete(url).expect(204);
  await expectTold([...rolledOut, 'pinset.deleted uid:0']);
  const { out } = await commandLine([
    'get',
    'events',
    '--type',
    'pinset.deleted',
    '--address',
    `unix:${at.socket}`,
  ]);
  assert.match(out, /pinset\.deleted +told +uid:0 /);
  await using again = await at.restart();
  const seen = await again.local.get('/v1/cluster/events').query({ type: types }).expect(200);
  assert.equal(seen.body.items.length, rolledOut.length + 1, 'a restart tells nothing again');
});

test('what a pin set would do is asked anew each time, whatever Idempotency-Key comes with it', async () => {
  await using at = await testAgent();
  for (const path of ['/v1/cluster/pinsets/asked/diff', '/v1/pinsets/diff']) {
    for (const absent of ['one', 'other']) {
      const sent = at.local.post(path).set('idempotency-key', 'same');
      const answer = await sent.send({ name: 'asked', all: true, absent: [absent] }).expect(200);
      assert.equal(answer.headers['idempotent-replayed'], undefined);
    }
  }
});
