import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { commandLine } from '../support/command-line.ts';
import { hold } from '../support/hold.ts';
import { until, untilPasses } from '../support/until.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

/** The body of an answer that must be 200 and as the OpenAPI document says. */
async function get(path: string, template: string) {
  const answer = await agent.local.get(path).expect(200);
  assertDeclared('GET', template, answer);
  return answer.body;
}

test('the graph of a map has its pins, the program that uses it, and who has it open', async () => {
  using holder = await hold(
    'map:hash:4:8:16:pf_graph:0',
    `pin:0:${join(agent.bpffs.path, 'graph')}`,
    'prog:sched_cls:pf_user:0',
  );
  const [map, program] = holder.objects;
  await untilPasses(async () => {
    const graph = await get(`/v1/maps/${map?.id}/holders`, '/v1/maps/{id}/holders');
    const { refcnt, usercnt, pins, fds, programs, unexplained } = graph.references;
    assert.deepEqual([refcnt, usercnt, pins, fds, programs, unexplained], [3, 2, 1, 1, 1, 0]);
    assert.deepEqual(graph.object, { kind: 'map', id: map?.id, type: 'hash', name: 'pf_graph' });
    const holders = graph.edges.filter(({ held }: { held: string }) => held === `map:${map?.id}`);
    assert.deepEqual(holders.map(({ hold: how }: { hold: string }) => how).toSorted(), [
      'open',
      'pin',
      'uses',
    ]);
    const [process] = graph.nodes.filter(
      ({ node, pid }: { node: string; pid?: number }) => node === 'process' && pid === holder.pid,
    );
    assert.equal(process?.comm, 'hold');
    const seen = graph.nodes.some(({ key }: { key: string }) => key === `program:${program?.id}`);
    assert.ok(seen);
    assert.ok(Date.now() - Date.parse(graph.observed_at) < 5000);
  });
});

test('programs and links have graphs too; of programs nothing is called unexplained', async () => {
  using holder = await hold('prog:raw_tracepoint:pf_traced', 'link:raw_tp:0:task_rename');
  const [program, link] = holder.objects;
  await untilPasses(async () => {
    const ofLink = await get(`/v1/links/${link?.id}/holders`, '/v1/links/{id}/holders');
    assert.deepEqual([ofLink.references.fds, ofLink.references.unexplained], [1, 0]);
    const ofProgram = await get(`/v1/programs/${program?.id}/holders`, '/v1/programs/{id}/holders');
    assert.deepEqual([ofProgram.references.fds, ofProgram.references.links], [1, 1]);
    assert.equal(ofProgram.unexplained, undefined);
    assert.equal(ofProgram.references.unexplained, undefined);
  });
});

test('a single object says who holds it by numbers, and of when they are', async () => {
  using holder = await hold('map:hash:4:8:16:pf_numbers:0', 'dup:0');
  const id = holder.objects[0]?.id;
  await untilPasses(async () => {
    const { references } = await get(`/v1/maps/${id}`, '/v1/maps/{id}');
    const { refcnt, fds, pins, programs, maps, links, attachments, unexplained } = references;
    assert.deepEqual(
      [refcnt, fds, pins, programs, maps, links, attachments, unexplained],
      [1, 1, 0, 0, 0, 0, 0, 0],
    );
    assert.ok(Date.now() - Date.parse(references.holders_observed_at) < 5000);
  });
});

test('objects are listed by the process that holds them', async () => {
  using holder = await hold('map:hash:4:8:16:pf_mine:0', 'prog:sched_cls:pf_mine');
  using stranger = await hold('map:hash:4:8:16:pf_other:0');
  const expected = holder.objects.map(({ id }) => id).toSorted();
  const idsOf = (body: { readonly items: readonly { readonly id: number }[] }) =>
    body.items.map(({ id }) => id).toSorted();
  await until(
    'the list of what the process holds',
    async () => idsOf(await get(`/v1/objects?held_by=pid:${holder.pid}&fresh=true`, '/v1/objects')),
    (ids) => ids.join() === expected.join(),
  );
  const maps = await get(`/v1/maps?held_by=pid:${holder.pid}`, '/v1/maps');
  assert.deepEqual(idsOf(maps), [holder.objects[0]?.id]);
  const byName = idsOf(await get('/v1/objects?held_by=comm:hold&limit=5000', '/v1/objects'));
  for (const { id } of [...holder.objects, ...stranger.objects]) assert.ok(byName.includes(id));
  const lines = await agent.local
    .get(`/v1/objects?held_by=pid:${holder.pid}&limit=1`)
    .set('Accept', 'application/x-ndjson')
    .expect(200);
  assert.equal(JSON.parse(String(lines.text).trim().split('\n').at(-1) ?? '').summary.complete, false);
  const shown = await commandLine([
    'get',
    'maps',
    '--held-by',
    `pid:${holder.pid}`,
    '-o',
    'name',
    '--address',
    agent.socket,
  ]);
  assert.equal(shown.out, `map:${holder.objects[0]?.id}\n`, shown.err);
});

test('a choice of processes that means nothing is refused', async () => {
  for (const bad of ['7', 'pid:x', 'user:root', 'pid:']) {
    const answer = await agent.local.get(`/v1/objects?held_by=${bad}`).expect(422);
    assertDeclared('GET', '/v1/objects', answer);
    assert.equal(answer.body.code, 'invalid_input');
    assert.equal(answer.body.errors[0].pointer, '/query/held_by');
  }
});

test('what is not there is 404, and unknown keys are 422', async () => {
  for (const route of ['holders', 'why']) {
    for (const plural of ['maps', 'programs', 'links']) {
      const answer = await agent.local.get(`/v1/${plural}/2147483000/${route}`).expect(404);
      assertDeclared('GET', `/v1/${plural}/{id}/${route}`, answer);
      assert.equal(answer.body.code, 'object_not_found');
      await agent.local.get(`/v1/${plural}/1/${route}?x=1`).expect(422);
    }
  }
});

test('an agent that uses no ids says that it cannot tell', async () => {
  await using pinsOnly = await testAgent({ settings: { 'pins-only': true } });
  for (const path of ['/v1/maps/1/holders', '/v1/links/1/why', '/v1/objects?held_by=pid:1']) {
    const answer = await pinsOnly.local.get(path).expect(501);
    assert.equal(answer.body.code, 'not_supported');
    assert.match(answer.body.detail, /--pins-only/);
  }
});
