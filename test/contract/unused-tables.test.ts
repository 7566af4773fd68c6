import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { counterKey, counterSampler } from '../support/counters.ts';
import { forFile } from '../support/disposal.ts';
import { type Held, hold } from '../support/hold.ts';
import { untilPasses } from '../support/until.ts';

const sampler = forFile(counterSampler());

let agent: TestAgent;
before(async () => {
  agent = await testAgent({ file: { findings: { min_age: '0s', settle: '0s' } } });
});
after(async () => await agent[Symbol.asyncDispose]());

/** How the kernel counts a map, by an iterator that has nothing in common with ours. */
async function countersOf(id: number) {
  const found = (await sampler.sample()).get(counterKey('map', id));
  return [found?.refcnt, found?.usercnt];
}

/** A prog_array that only a pinned program uses; the process that made both has gone. */
async function unusedTable(name: string): Promise<{ readonly table: Held; readonly program: Held }> {
  const pin = join(agent.bpffs.path, name);
  using maker = await hold('map:prog_array:4:4:4:pf_tails:0', 'prog:sched_cls:pf_jumper:0', `pin:1:${pin}`);
  const [table, program] = maker.objects;
  assert.ok(table !== undefined && program !== undefined);
  await maker.release();
  await untilPasses(async () => assert.deepEqual(await countersOf(table.id), [1, 0]));
  return { table, program };
}

/** One more reference would stay for ever; others on the machine open the table for a moment. */
async function isAsBefore(table: Held): Promise<void> {
  await untilPasses(async () => assert.deepEqual(await countersOf(table.id), [1, 0]));
}

/** What is asked of all maps. */
const ofAll = [
  'objects?kind=map&fresh=true',
  'objects?held_by=comm:nobody',
  'findings?fresh=true',
  'top/maps',
];

/** Everything that can be asked of a map by its id, and what else is given. */
async function askEverything(id: number, program: number, others: readonly string[]): Promise<void> {
  for (const path of [
    ...others,
    `maps/${id}`,
    `maps/${id}/holders`,
    `maps/${id}/why`,
    `maps/${id}/spec`,
    `maps/${id}/types`,
    `programs/${program}/holders`,
    `programs/${program}/why`,
    `programs/${program}/spec`,
  ]) {
    const { status, body } = await agent.local.get(`/v1/${path}`);
    assert.ok(status < 300 || body.code === 'not_readable' || body.code === 'not_supported', path);
  }
  for (const path of ['entries', 'entries/count', 'entries/00000000', 'spec?include=entries']) {
    const { status } = await agent.local.get(`/v1/maps/${id}/${path}`);
    assert.ok([200, 409, 422].includes(status), `${path}: ${status}`);
  }
  await agent.local.get('/metrics').expect(200);
}

test('no question opens a prog_array that nobody has open or pinned: its references stay', async () => {
  const { table, program } = await unusedTable('jumper');
  for (const others of [ofAll, [], []]) await askEverything(table.id, program.id, others);
  await isAsBefore(table);
  await agent.local.delete('/v1/pins/jumper?accept=last_reference').expect(204);
  await untilPasses(async () => assert.deepEqual(await countersOf(table.id), [undefined, undefined]));
});

test('what an iterator shows of such a table is told, and why the rest is not', async () => {
  let nth = 0;
  // While somebody looks at it in passing it has a user, and is as any other: then a new one is tried.
  await untilPasses(
    async () => {
      nth++;
      const { table } = await unusedTable(`told-${nth}`);
      const answer = await agent.local.get(`/v1/maps/${table.id}`).expect(200);
      assertDeclared('GET', '/v1/maps/{id}', answer);
      const { body } = answer;
      assert.deepEqual(
        [body.type, body.name, body.key_size, body.value_size, body.max_entries, body.map_flags, body.frozen],
        ['prog_array', 'pf_tails', 4, 4, 4, 0, false],
      );
      assert.equal(body.memlock, undefined);
      assert.match(body.unread, /^memlock, .* not opened: no process and no pin holds this prog_array/);
      assert.deepEqual([body.references.refcnt, body.references.usercnt], [1, 0]);
      const holders = await agent.local.get(`/v1/maps/${table.id}/holders`).expect(200);
      assert.deepEqual(holders.body.unexplained, { users: 0, kernel: 0 });
      const entries = await agent.local.get(`/v1/maps/${table.id}/entries`).expect(409);
      assertDeclared('GET', '/v1/maps/{id}/entries', entries);
      assert.equal(entries.body.code, 'not_readable');
      assert.match(entries.body.detail, /is not opened: .* emptied it when its last user went\.$/);
      const pinned = await agent.local
        .put(`/v1/pins/again-${nth}`)
        .send({ source: { kind: 'map', id: table.id } })
        .expect(409);
      assert.equal(pinned.body.code, 'not_readable');
      await agent.local
        .put(`/v1/maps/${table.id}/entries/00000000`)
        .send({ value: { id: 1 } })
        .expect(409);
      await agent.local.post(`/v1/maps/${table.id}/freeze`).expect(409);
      await isAsBefore(table);
    },
    { timeoutMs: 120_000 },
  );
});

test('it is the same table to Pinfold whether or not somebody has it open', async () => {
  const pin = join(agent.bpffs.path, 'same');
  using maker = await hold('map:prog_array:4:4:4:pf_same:0', 'prog:sched_cls:pf_same:0', `pin:1:${pin}`);
  const id = maker.objects[0]?.id ?? 0;
  const before = await agent.local.get(`/v1/maps/${id}`).expect(200);
  assert.equal(before.body.unread, undefined);
  await maker.release();
  await untilPasses(async () => assert.deepEqual(await countersOf(id), [1, 0]));
  await untilPasses(async () => {
    const after = await agent.local.get(`/v1/maps/${id}`).expect(200);
    assert.equal(after.body.fingerprint, before.body.fingerprint);
    assert.notEqual(after.body.unread, undefined);
  });
});

test('asked hundreds of times in a row, it is still counted as it was', async () => {
  const { table } = await unusedTable('often');
  using kernel = openKernel();
  for (let round = 0; round < 300; round++) {
    await untilPasses(() => {
      assert.equal(kernel.objects.describe('map', table.id)?.info.kind, 'map');
      assert.equal(kernel.counters.readOne('map', table.id)?.usercnt, 0n);
      assert.throws(() => kernel.objects.holdById('map', table.id)[Symbol.dispose](), /is not opened/);
    });
  }
  for (let round = 0; round < 20; round++) kernel.holders.read({ focus: { kind: 'map', id: table.id } });
  await isAsBefore(table);
});
