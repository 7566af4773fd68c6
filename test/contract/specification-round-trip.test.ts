import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test, { after, before } from 'node:test';
import type { MapSpecification } from '../../src/model/schema/map-specification.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { bpftool, createMap, isAlive, shownMap, updateEntry } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { makeObjects, type ObjectZoo } from '../support/make-objects.ts';
import { loadPrograms } from '../support/programs.ts';
import { until } from '../support/until.ts';

let agent: TestAgent;
let zoo: ObjectZoo;
before(async () => {
  agent = await testAgent();
  zoo = await makeObjects();
});
after(async () => {
  zoo[Symbol.dispose]();
  await agent[Symbol.asyncDispose]();
});

let made = 0;

/** Whether the kernel says that a map has types; bpftool's own id of them is not to be trusted on 6.18. */
async function typesOf(id: number): Promise<readonly unknown[]> {
  const { btf_id, btf_key_type_id, btf_value_type_id } = (await agent.local.get(`/v1/maps/${id}`)).body;
  return [btf_id !== undefined, btf_key_type_id, btf_value_type_id];
}

async function specOf(id: number, query = ''): Promise<MapSpecification> {
  return (await agent.local.get(`/v1/maps/${id}/spec${query}`).expect(200)).body;
}

/** A map made from the specification of another, as it was answered, and what refused it if anything did. */
async function remake(id: number, query = ''): Promise<{ readonly id: number } | { readonly code: string }> {
  const specification = await specOf(id, query);
  const body = { ...specification, pin: { path: `made/${++made}`, parents: true } };
  const answer = await agent.local.post('/v1/maps').send(body);
  if (answer.status !== 201) return { code: `${answer.body.code}: ${answer.body.detail}` };
  return { id: answer.body.id };
}

async function assertEqualMap(id: number, query = ''): Promise<number> {
  const copy = await remake(id, query);
  assert.ok('id' in copy, `map ${id}: ${JSON.stringify(copy)}`);
  assert.notEqual(copy.id, id);
  assert.deepEqual(shownMap(copy.id), shownMap(id));
  assert.deepEqual(await typesOf(copy.id), await typesOf(id));
  const { about: _, ...original } = await specOf(id, query);
  const { about: __, ...again } = await specOf(copy.id, query);
  assert.deepEqual(again, original, 'its specification is the same, too');
  return copy.id;
}

test('posting the specification of a map of each type makes an equal one', async () => {
  const refused: string[] = [];
  for (const { id, type } of zoo.made.filter(({ kind }) => kind === 'map')) {
    const copy = await remake(id);
    if ('code' in copy) refused.push(`${type} ${copy.code}`);
    else await assertEqualMap(id);
  }
  assert.deepEqual(refused, []);
});

test('flags, map_extra, the node of memory, the template and being frozen are kept', async () => {
  using holder = await hold(
    'map:hash:4:8:16:pf_no_prealloc:0x1',
    'map:lru_hash:4:8:16:pf_no_common:0x2',
    'map:hash:4:8:16:pf_numa:0x4',
    'map:array:4:4096:4:pf_mmapable:0x400',
    'map:array:4:8:4:pf_rdonly_prog:0x80',
    'map:hash:4:8:4:pf_zero_seed:0x40',
    'map:array:4:16:2:pf_template:0x1000',
    'map:array_of_maps:4:4:8:pf_outer:0:6',
    'map:array:4:8:1:pf_frozen:0x80',
  );
  const ids = holder.objects.map(({ id }) => id);
  execFileSync('bpftool', ['map', 'freeze', 'id', String(ids[8])]);
  for (const id of ids) await assertEqualMap(id);
  assert.equal(shownMap(((await remake(ids[8] ?? 0)) as { id: number }).id)['frozen'], 1);
});

test('maps of a real program keep their types, and frozen ones their contents', async () => {
  const programs = loadPrograms('prog-calls', `${agent.bpffs.path}/calls`);
  const used = new Set<number>();
  for (const { id } of programs) {
    for (const map of (await agent.local.get(`/v1/programs/${id}`)).body.map_ids) used.add(map);
  }
  const own: { readonly id: number; readonly name: string }[] = [];
  for (const id of used) {
    const { name } = (await agent.local.get(`/v1/maps/${id}`)).body;
    if (name.startsWith('prog_cal.')) own.push({ id, name });
  }
  assert.equal(own.length, 3, '.bss, .data and .rodata');
  for (const { id, name } of own) {
    const copy = await assertEqualMap(id, '?entries=true');
    const dump = (map: number) =>
      execFileSync('bpftool', ['-j', 'map', 'dump', 'id', String(map)], { encoding: 'utf8' });
    assert.equal(dump(copy), dump(id), name);
  }
});

test('entries come along, per CPU too', async () => {
  for (const type of ['hash', 'array', 'percpu_hash', 'lru_hash']) {
    const path = `${agent.bpffs.path}/filled_${type}`;
    const { id } = createMap(path, { type, value: 8, entries: 4, name: 'pf_filled' });
    for (const key of [0, 2, 3])
      updateEntry(path, Uint8Array.of(key, 0, 0, 0), Uint8Array.of(key, 1, 2, 3, 4, 5, 6, 7));
    const copy = await remake(id, '?entries=true');
    assert.ok('id' in copy, JSON.stringify(copy));
    const dump = (map: number) =>
      bpftool<readonly object[]>('map', 'dump', 'id', String(map)).map((entry) => JSON.stringify(entry));
    assert.deepEqual(dump(copy.id).sort(), dump(id).sort(), type);
  }
});

test('an equal map is made of one that is gone', async () => {
  const path = `${agent.bpffs.path}/short_lived`;
  const { id } = createMap(path, { value: 20, entries: 7, name: 'pf_short' });
  const before = shownMap(id);
  const items = async () => (await agent.local.get('/v1/specifications?path=short_lived')).body.items;
  await until('it to be stored', items, ({ length }) => length === 1);
  execFileSync('rm', [path]);
  await until('it to be freed', () => !isAlive('map', id));
  const copy = await remake(id);
  assert.ok('id' in copy, JSON.stringify(copy));
  assert.deepEqual(shownMap(copy.id), before);
});
