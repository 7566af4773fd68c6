import assert from 'node:assert/strict';
import test from 'node:test';
import { testAgent } from '../support/agent.ts';
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
