import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { filledMaps } from '../support/entries.ts';
import { hold } from '../support/hold.ts';
import { bpfFds } from '../support/leaks.ts';
import { until, untilPasses } from '../support/until.ts';

/** More text than the sockets between agent and client take. */
const many = 200_000;

/** Of a map that nobody holds. */
const unheld = { pins: 0, fds: 0, programs: 0, maps: 0, links: 0, attachments: 0 };
const uncounted = { ...unheld, writecnt: 0, unexplained: 0 };

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

test('a client that goes away in the middle frees the map it was reading', async () => {
  using maps = await filledMaps('big', String(many));
  const before = bpfFds().size;
  const response = await slowDump(agent, maps.id('big'));
  assert.ok(bpfFds().size > before);
  response.destroy();
  await until(
    'the map to be closed',
    () => bpfFds().size,
    (count) => count === before,
  );
});

test('one dump more than there may be is 429, and there is room again when one ends', async () => {
  using maps = await filledMaps('big', String(many));
  const before = bpfFds().size;
  const url = `/v1/maps/${maps.id('big')}/entries`;
  const open: http.IncomingMessage[] = [];
  for (let nth = 0; nth < limits.dumpsMax; nth++) open.push(await slowDump(agent, maps.id('big')));
  const refused = await agent.local.get(url).set('accept', 'application/x-ndjson').expect(429);
  assert.equal(JSON.parse(refused.text).code, 'too_many_requests');
  assert.ok(Number(refused.headers['retry-after']) >= 1);
  // Everything else goes on: slow readers wait, and no thread waits for them.
  await agent.local.get(`${url}?limit=5`).expect(200);
  await agent.local.get(`/v1/maps/${maps.id('big')}/entries/01000000`).expect(200);
  open.pop()?.destroy();
  await until('room', async () => {
    const answer = await agent.local.get(`${url}?limit=1`).set('accept', 'application/x-ndjson');
    return answer.status === 200;
  });
  for (const response of open) response.destroy();
  await until(
    'all maps to be closed',
    () => bpfFds().size,
    (count) => count === before,
  );
});

test('where all places are taken, the dump of a reader that takes nothing is cut for another', async (t) => {
  using maps = await filledMaps('big', String(many));
  const before = bpfFds().size;
  let ahead = 0;
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + ahead);
  const open: http.IncomingMessage[] = [];
  for (let nth = 0; nth < limits.dumpsMax; nth++) open.push(await slowDump(agent, maps.id('big')));
  const url = `/v1/maps/${maps.id('big')}/entries?limit=1`;
  const ask = async () => await agent.local.get(url).set('accept', 'application/x-ndjson');
  assert.equal((await ask()).status, 429);
  const full = bpfFds().size;
  ahead = limits.dumpStalledMs;
  assert.equal((await ask()).status, 200);
  await until(
    'one of them to be cut, and the other to end',
    () => bpfFds().size,
    (count) => count < full,
  );
  // Whoever was cut finds its connection ended once it reads on; the others would go on.
  const [cut] = open;
  assert.ok(cut !== undefined);
  await assert.rejects(once(cut.resume(), 'end'), /aborted/);
  assert.equal(cut.complete, false);
  for (const response of open) response.destroy();
  await until(
    'all maps to be closed',
    () => bpfFds().size,
    (count) => count === before,
  );
});

test('a dump under way is in no count, and changes nothing of what a hazard is judged by', async () => {
  using maps = await filledMaps('big', String(many));
  const id = maps.id('big');
  await agent.local
    .put('/v1/pins/dumped')
    .send({ source: { kind: 'map', id } })
    .expect(201);
  const counted = { ...uncounted, refcnt: 2, usercnt: 2, pins: 1, fds: 1 };
  await untilReferencesAre(id, counted);
  const response = await slowDump(agent, id);
  await untilReferencesAre(id, counted);
  // Somebody else holds the map: no hazard, with the dump and without.
  await agent.local.delete('/v1/pins/dumped').expect(204);
  await agent.local
    .put('/v1/pins/dumped')
    .send({ source: { kind: 'map', id } })
    .expect(201);
  maps.child.end();
  await maps.child.exit();
  // Now only the pin does, and the dump, which does not count.
  await until(
    'the last reference to be seen',
    async () => await agent.local.delete('/v1/pins/dumped?dry_run=true'),
    (answer) => JSON.stringify(answer.body).includes('last_reference'),
  );
  const answer = await agent.local.delete('/v1/pins/dumped').expect(409);
  assert.deepEqual(answer.body.hazards, ['last_reference']);
  response.destroy();
  await agent.local.delete('/v1/pins/dumped?accept=last_reference').expect(204);
});

test('inner maps that are followed are in no count either', async () => {
  using holder = await hold(
    'map:array:4:8:200000:pf_inner:0',
    'map:array_of_maps:4:4:1:pf_outer:0:0',
    'put:1:0:0',
  );
  const [inner, outer] = holder.objects.map(({ id }) => id);
  const counted = { ...uncounted, refcnt: 2, usercnt: 1, fds: 1, maps: 1 };
  await untilReferencesAre(Number(inner), counted);
  const response = await slowDump(agent, Number(outer), '?follow=true');
  await until(
    'the inner map to be open',
    () => bpfFds().size,
    (count) => count >= 2,
  );
  await untilReferencesAre(Number(inner), counted);
  response.destroy();
});

test('stopping the agent ends dumps under way and lets go of their maps', async () => {
  await using other = await testAgent({ settings: { node: 'stopping' } });
  using maps = await filledMaps('big', String(many));
  const response = await slowDump(other, maps.id('big'));
  response.on('error', () => undefined);
  await other.running.stop();
  assert.deepEqual(
    other.running.kernel.fds.transient().map(({ what }) => what),
    [],
  );
});

/** Waits until holders, read after this was called, are counted so. Other agents look in passing. */
async function untilReferencesAre(id: number, expected: object): Promise<void> {
  const since = new Date().toISOString();
  await untilPasses(async () => {
    const { references } = (await agent.local.get(`/v1/maps/${id}`).expect(200)).body;
    const { holders_observed_at: observedAt, ...counted } = references;
    assert.deepEqual(counted, expected);
    assert.ok(observedAt >= since, `holders were read at ${observedAt}, not after ${since}`);
  });
}

/** Begins a dump over the unix socket and reads only its first piece. */
async function slowDump(of: TestAgent, id: number, query = ''): Promise<http.IncomingMessage> {
  const path = `/v1/maps/${id}/entries${query}`;
  const headers = { accept: 'application/x-ndjson' };
  const request = http.get({ socketPath: join(of.socket), path, headers, agent: false });
  const [response]: http.IncomingMessage[] = await once(request, 'response');
  assert.ok(response !== undefined && response.statusCode === 200);
  response.on('error', () => undefined);
  await once(response, 'readable');
  return response;
}
