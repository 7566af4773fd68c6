import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { compileC } from '../support/c-program.ts';
import { makeCgroups } from '../support/cgroups.ts';
import { start } from '../support/process.ts';
import { makeMap, outcomeOf } from './map-edits-fixture.ts';
import { valueBtf } from './map-recipes.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

const kinds = ['sk', 'inode', 'task', 'cgrp'] as const;
type Kind = (typeof kinds)[number];

/** Maps of the four storages, and a process that owns one of each sort and tells what is stored for that. */
async function storages(directory: string) {
  const groups = makeCgroups(1);
  const [group = ''] = groups.paths;
  const btf = { blob_base64: valueBtf(), key_type_id: 1, value_type_id: 3 };
  const spec = { key_size: 4, value_size: 8, max_entries: 0, flags: ['no_prealloc'], btf };
  const ids: Partial<Record<Kind, number>> = {};
  for (const kind of kinds) {
    ids[kind] = await makeMap(agent, `${directory}/${kind}`, { ...spec, type: `${kind}_storage` });
  }
  const child = start(compileC('storage'), [group, ...kinds.map((kind) => String(ids[kind]))]);
  const { socket, file, pid } = JSON.parse(await child.line());
  const cgroup = String(statSync(group, { bigint: true }).ino);
  const owners = {
    sk: { pid, fd: socket },
    inode: { pid, fd: file },
    task: { pid },
    cgrp: { cgroup_id: cgroup },
  } as const satisfies Record<Kind, object>;
  return {
    owners,
    id: (kind: Kind) => ids[kind] ?? 0,
    url: (kind: Kind, key: object = owners[kind]) =>
      `/v1/maps/${ids[kind]}/entry?key=${encodeURIComponent(JSON.stringify(key))}`,
    told: async (kind: Kind) => {
      child.write(kind);
      return await child.line();
    },
    [Symbol.dispose]: () => {
      child[Symbol.dispose]();
      groups[Symbol.dispose]();
    },
  };
}

test('what is stored for a socket, file, process or control group is written and removed', async () => {
  using all = await storages('written');
  for (const kind of kinds) {
    const url = all.url(kind);
    assert.equal(await all.told(kind), 'none');
    const put = await agent.local.put(url).send({ value: { count: '258' } });
    assert.equal(outcomeOf(put), '201', put.text);
    assert.equal(put.headers['location'], undefined, 'no number of a descriptor is told');
    assert.equal(await all.told(kind), '0201000000000000');
    const again = await agent.local.put(url).send({ value: { count: 1 }, mode: 'create' });
    assert.equal(outcomeOf(again), '409 entry_exists');
    assert.equal(outcomeOf(await agent.local.put(url).send({ value: { count: 3 } })), '204');
    assert.equal(await all.told(kind), '0300000000000000');
    const dry = await agent.local.delete(`${url}&dry_run=true`).expect(200);
    assert.equal(dry.body.plan.length, 1);
    assert.equal(await all.told(kind), '0300000000000000');
    assert.equal(outcomeOf(await agent.local.delete(url)), '204');
    assert.equal(await all.told(kind), 'none');
    assert.equal(outcomeOf(await agent.local.delete(url)), '404 entry_not_found');
  }
  assert.deepEqual(agent.running.kernel.fds.transient(), []);
});

test('an owner of the wrong kind, or gone, is refused, and no key names a descriptor of ours', async () => {
  using all = await storages('refused');
  const { owners, url } = all;
  const put = async (kind: Kind, key: object) =>
    outcomeOf(await agent.local.put(url(kind, key)).send({ value: { count: 1 } }));
  assert.equal(await put('sk', owners.inode), '422 invalid_input');
  assert.equal(await put('sk', owners.task), '422 invalid_input');
  assert.equal(await put('task', { pid: 4_194_304 }), '404 source_not_found');
  assert.equal(await put('task', { ...owners.task, start_time: 1 }), '409 source_mismatch');
  assert.equal(await put('inode', { ...owners.inode, fd: 9999 }), '404 source_not_found');
  assert.equal(await put('cgrp', { cgroup_id: '999999999999' }), '404 source_not_found');
  for (const kind of kinds) {
    const base = `/v1/maps/${all.id(kind)}`;
    const value = '00'.repeat(8);
    const byHex = await agent.local.put(`${base}/entries/03000000?format=raw`).send({ value });
    assert.equal(outcomeOf(byHex), '409 not_editable', kind);
    assert.equal(await put(kind, Object('03000000')), '422 invalid_input');
    const batch = await agent.local
      .post(`${base}/entries/batch?format=raw`)
      .send({ operations: [{ key: '03000000', value }] });
    assert.equal(batch.body.code ?? batch.body.failures[0].code, 'not_editable', batch.text);
    assert.equal(await all.told(kind), 'none');
  }
});
