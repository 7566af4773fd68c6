import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import test from 'node:test';
import type { MapSpecification } from '../../src/model/schema/map-specification.ts';
import type { ProgramSpecification } from '../../src/model/schema/specification.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap, isAlive, updateEntry } from '../support/bpftool.ts';
import { compileBpf } from '../support/c-program.ts';
import { hold } from '../support/hold.ts';
import { start } from '../support/process.ts';
import { loadPrograms } from '../support/programs.ts';
import { databaseOf, sqlite3Rows } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const child = join(import.meta.dirname, `../support/observed-child${extname(import.meta.url)}`);

/** The specification of a map, as the API answers it. */
async function mapSpec(agent: TestAgent, id: number, query = ''): Promise<MapSpecification> {
  const answer = await agent.local.get(`/v1/maps/${id}/spec${query}`).expect(200);
  return answer.body;
}

/** The same once the agent has seen that the map is gone. */
async function goneSpec(agent: TestAgent, id: number, query = ''): Promise<MapSpecification> {
  return await until(
    `map ${id} to be known as gone`,
    () => mapSpec(agent, id, query),
    ({ about }) => about?.gone_at !== undefined,
  );
}

function reasons({ about }: MapSpecification | ProgramSpecification): readonly string[] {
  return (about?.not_recoverable ?? []).map(({ member }) => member);
}

test('a map’s specification has what no info structure tells: template, memory node, frozen', async () => {
  await using agent = await testAgent();
  using holder = await hold(
    'map:array:4:8:3:pf_inner:0x1000',
    'map:hash_of_maps:4:4:16:pf_outer:0:0',
    'map:hash:4:8:16:pf_numa:4',
    'map:array:4:8:2:pf_ro:0x480',
  );
  const [, outer, numa, frozen] = holder.objects.map(({ id }) => id);
  const { about, ...shape } = await mapSpec(agent, outer ?? 0);
  assert.deepEqual(shape, {
    name: 'pf_outer',
    type: 'hash_of_maps',
    key_size: 4,
    value_size: 4,
    max_entries: 16,
    inner: { type: 'array', key_size: 4, value_size: 8, max_entries: 3, flags: ['inner_map'] },
  });
  assert.equal(about?.state, 'present');
  assert.deepEqual(reasons({ ...shape, about } as MapSpecification), ['inner.btf']);
  const ofNode = await mapSpec(agent, numa ?? 0);
  assert.equal(ofNode.numa_node, 0);
  assert.deepEqual(ofNode.flags, ['numa_node']);
  assert.equal((await mapSpec(agent, frozen ?? 0)).freeze, undefined);
  execFileSync('bpftool', ['map', 'freeze', 'id', String(frozen)]);
  assert.equal((await mapSpec(agent, frozen ?? 0)).freeze, true);
});

test('types are told as they were loaded, and entries as bytes up to the limit', async () => {
  await using agent = await testAgent();
  loadPrograms('prog-calls', `${agent.bpffs.path}/calls`);
  const maps = (await agent.local.get('/v1/maps?name=pf_hash&fresh=true').expect(200)).body.items;
  const [map] = maps.filter(({ max_entries }: { max_entries: number }) => max_entries === 64);
  const spec = await mapSpec(agent, map.id);
  const { btf_id, btf_key_type_id, btf_value_type_id } = map;
  const raw = await agent.local.get(`/v1/btfs/${btf_id}?format=raw`).buffer(true).expect(200);
  assert.deepEqual(spec.btf?.blob_base64, Buffer.from(raw.body).toString('base64'));
  assert.deepEqual([spec.btf?.key_type_id, spec.btf?.value_type_id], [btf_key_type_id, btf_value_type_id]);
  const path = `${agent.bpffs.path}/filled`;
  const { id } = createMap(path, { entries: 8, value: 4 });
  for (const key of [1, 2, 3]) updateEntry(path, Uint8Array.of(key, 0, 0, 0), Uint8Array.of(9, 9, 9, key));
  const whole = await mapSpec(agent, id, '?entries=true');
  assert.deepEqual(whole.entries?.map(({ key, value }) => `${key}=${value}`).sort(), [
    '01000000=09090901',
    '02000000=09090902',
    '03000000=09090903',
  ]);
  assert.equal(whole.format, 'raw');
  const part = await mapSpec(agent, id, '?entries=true&limit=2');
  assert.equal(part.entries?.length, 2);
  assert.deepEqual(reasons(part), ['entries']);
  await agent.local.get(`/v1/maps/${id}/spec?limit=2`).expect(422);
  using holder = await hold('map:queue:0:8:4:pf_queue');
  const queue = await mapSpec(agent, holder.objects[0]?.id ?? 0, '?entries=true');
  assert.equal(queue.entries, undefined);
  assert.deepEqual(reasons(queue), ['entries']);
});

test('a program’s instructions are told as loaded only where its tag proves them', async () => {
  await using agent = await testAgent();
  const programs = ['prog-arithmetic', 'prog-contexts'].flatMap((file) =>
    loadPrograms(file, `${agent.bpffs.path}/${file}`).map((program) => ({ ...program, file })),
  );
  using dir = tempDir('spec');
  const seen = { proven: 0, rewritten: 0 };
  for (const { id, name, file } of programs) {
    const spec: ProgramSpecification = (await agent.local.get(`/v1/programs/${id}/spec`).expect(200)).body;
    execFileSync('bpftool', ['prog', 'dump', 'xlated', 'id', String(id), 'file', `${dir.path}/xlated`]);
    const xlated = readFileSync(`${dir.path}/xlated`);
    assert.equal(spec.instructions?.xlated_base64, xlated.toString('base64'), name);
    assert.equal(spec.instructions?.count, xlated.length / 8);
    assert.ok((spec.line_info?.count ?? 0) > 0 && (spec.func_info?.count ?? 0) > 0, name);
    const loaded = spec.instructions?.loaded_base64;
    assert.equal(reasons(spec).includes('instructions.loaded'), loaded === undefined, name);
    seen[loaded === undefined ? 'rewritten' : 'proven']++;
    // libbpf relocates what reads structures of the kernel before it loads it.
    if (loaded === undefined || name === 'pf_iter') continue;
    const object = readFileSync(compileBpf(file));
    assert.ok(object.includes(Buffer.from(loaded, 'base64')), `${name} stands so in its file`);
  }
  assert.ok(seen.proven >= 4 && seen.rewritten >= 4, JSON.stringify(seen));
});

test('a program’s specification names its maps and what it was made to attach to', async () => {
  await using agent = await testAgent();
  using holder = await hold(
    'map:array:4:8:1:pf_used:0',
    'prog:xdp:pf_uses:0',
    'prog-iter:bpf_map:pf_iterates',
  );
  const [map = 0, program = 0, iterator = 0] = holder.objects.map(({ id }) => id);
  await agent.local.get('/v1/objects?fresh=true&limit=1').expect(200);
  const spec: ProgramSpecification = (await agent.local.get(`/v1/programs/${program}/spec`).expect(200)).body;
  assert.deepEqual(
    spec.maps.map(({ id, name, specification }) => ({ id, name, specification })),
    [{ id: map, name: 'pf_used', specification: `/v1/maps/${map}/spec` }],
  );
  assert.equal(spec.expected_attach_type, 'xdp');
  assert.deepEqual(spec.about.map_ids, [map]);
  const loaded = Buffer.from(spec.instructions?.loaded_base64 ?? '', 'base64');
  assert.equal(loaded.length, 32, 'a wide load of the map, its verdict, its exit');
  assert.equal(loaded.readUInt32LE(4), map, 'the map’s id stands where its descriptor was');
  const iterates = (await agent.local.get(`/v1/programs/${iterator}/spec`).expect(200)).body;
  assert.equal(iterates.expected_attach_type, 'trace_iter');
  assert.equal(iterates.attach_btf.name, 'bpf_iter_bpf_map');
  assert.ok(reasons(iterates).includes('license') && reasons(iterates).includes('prog_flags'));
});

test('of an object that is gone the last specification is told, or one by its fingerprint', async () => {
  await using agent = await testAgent();
  using holder = await hold('map:array:4:8:5:pf_short:0', 'map:hash_of_maps:4:4:7:pf_going:0:0');
  const id = holder.objects[1]?.id ?? 0;
  const { read_at: _, state: __, ...before } = (await mapSpec(agent, id)).about ?? assert.fail();
  const stored = () =>
    sqlite3Rows(
      databaseOf(agent.config.stateDir),
      `SELECT o.id FROM object o JOIN specification s ON s.object = o.seq WHERE o.id = ${id}`,
    );
  await until('it to be stored', stored, (rows) => rows.length === 1);
  await holder.release();
  await until('it to be freed', () => !isAlive('map', id));
  const gone = await goneSpec(agent, id);
  assert.equal(gone.about?.state, 'gone');
  assert.equal(gone.about.fingerprint, before.fingerprint);
  assert.deepEqual(gone.inner, { type: 'array', key_size: 4, value_size: 8, max_entries: 5 });
  const query = `?fingerprint=${encodeURIComponent(before.fingerprint)}`;
  assert.deepEqual(await mapSpec(agent, id, query), gone);
  const other = await agent.local.get(`/v1/maps/${id}/spec?fingerprint=another`).expect(404);
  assert.equal(other.body.code, 'object_not_found');
  assert.deepEqual(reasons(await mapSpec(agent, id, '?entries=true')), ['inner.btf', 'entries']);
});

test('the list finds what was at a path, though it is gone', async () => {
  await using agent = await testAgent();
  const { id } = createMap(`${agent.bpffs.path}/was_here`, { name: 'pf_was_here', value: 16 });
  createMap(`${agent.bpffs.path}/is_here`, { name: 'pf_is_here' });
  const list = async (query: string) =>
    (await agent.local.get(`/v1/specifications?${query}`).expect(200)).body.items;
  await until(
    'both to be listed',
    async () => await list('path=is_here'),
    (items) => items.length === 1,
  );
  await until(
    'both to be listed',
    async () => await list('path=was_here'),
    (items) => items.length === 1,
  );
  execFileSync('rm', [`${agent.bpffs.path}/was_here`]);
  const [gone] = await until(
    'it to be listed as gone',
    async () => await list('path=was_here&state=gone'),
    (items) => items.length === 1,
  );
  assert.deepEqual(
    [gone.kind, gone.id, gone.type, gone.name, gone.pins],
    ['map', id, 'hash', 'pf_was_here', [{ mount: agent.mount, path: 'was_here' }]],
  );
  assert.equal((await goneSpec(agent, id)).value_size, 16);
  assert.deepEqual(await list('path=was_here&state=present'), []);
  assert.equal((await list('name=pf_is_here&kind=map&state=present')).length >= 1, true);
  const page = (await agent.local.get('/v1/specifications?limit=1').expect(200)).body;
  const next = (await agent.local.get(`/v1/specifications?limit=1&cursor=${page.next_cursor}`).expect(200))
    .body;
  assert.notDeepEqual(next.items, page.items);
});

test('a map that is frozen is stored again, so that its specification says so when it is gone', async () => {
  await using agent = await testAgent();
  const path = `${agent.bpffs.path}/will_freeze`;
  const { id } = createMap(path, { type: 'array', entries: 1, name: 'pf_freezing' });
  const stored = (isFrozen: number) =>
    sqlite3Rows(
      databaseOf(agent.config.stateDir),
      `SELECT 1 FROM object o JOIN specification s ON s.object = o.seq
       WHERE o.id = ${id} AND coalesce(s.document ->> '$.freeze', 0) = ${isFrozen}`,
    ).length;
  await until('it to be stored', () => stored(0));
  execFileSync('bpftool', ['map', 'freeze', 'pinned', path]);
  await until('the change to be stored', () => stored(1), Boolean, { timeoutMs: 60_000 });
  execFileSync('rm', [path]);
  const gone = await goneSpec(agent, id);
  assert.equal(gone.freeze, true);
  assert.deepEqual(reasons(gone), ['entries']);
});

test('a frozen map’s specification says what entries it lacks, and so does a map made of it', async () => {
  await using agent = await testAgent();
  const path = `${agent.bpffs.path}/frozen`;
  const { id } = createMap(path, { entries: 8, value: 4 });
  for (const key of [1, 2, 3]) updateEntry(path, Uint8Array.of(key, 0, 0, 0), Uint8Array.of(9, 9, 9, key));
  assert.deepEqual(reasons(await mapSpec(agent, id)), []);
  execFileSync('bpftool', ['map', 'freeze', 'pinned', path]);
  const bare = await mapSpec(agent, id);
  assert.deepEqual(reasons(bare), ['entries']);
  assert.match(bare.about?.not_recoverable[0]?.reason ?? '', /not asked for.*frozen empty, for good/);
  const part = await mapSpec(agent, id, '?entries=true&limit=2');
  assert.match(part.about?.not_recoverable[0]?.reason ?? '', /first 2;.*frozen without the rest, for good/);
  const whole = await mapSpec(agent, id, '?entries=true');
  assert.deepEqual(reasons(whole), []);
  const copies = [
    [bare, /frozen and empty, for good/, 0],
    [part, /without the entries that its specification says it lacks/, 2],
    [whole, undefined, 3],
  ] as const;
  for (const [index, [spec, notice, count]] of copies.entries()) {
    const made = await agent.local.post(`/v1/maps?pin=copy${index}`).send(spec).expect(201);
    if (notice === undefined) assert.equal(made.body.notices, undefined);
    else assert.match(made.body.notices.join(), notice);
    const held = await agent.local.get(`/v1/maps/${made.body.id}/count`).expect(200);
    assert.equal(held.body.count, count);
  }
  const dry = await agent.local.post('/v1/maps?pin=dry&dry_run=true').send(bare).expect(200);
  const details = dry.body.plan.map(({ detail }: { detail: string }) => detail).join();
  assert.match(details, /stays empty for good/);
});

test('what a killed agent had stored, and what it had not come to, another one knows', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('spec-killed');
  const stateDir = join(dir.path, 'state');
  const { id } = createMap(`${bpffs.path}/first`, { name: 'pf_first', entries: 33 });
  const options = { env: { NODE_TEST_CONTEXT: undefined, NODE_V8_COVERAGE: undefined } };
  using killed = start(process.execPath, [...process.execArgv, child, bpffs.path, stateDir], options);
  await killed.line(/^ready$/, 60_000);
  const stored = () =>
    sqlite3Rows(
      databaseOf(stateDir),
      `SELECT 1 FROM object o JOIN specification s ON s.object = o.seq WHERE o.id = ${id}`,
    ).length;
  await until('it to be stored', stored);
  killed.kill();
  await killed.exit();
  execFileSync('rm', [`${bpffs.path}/first`]);
  const kept = createMap(`${bpffs.path}/second`, { name: 'pf_second' });
  await until('it to be freed', () => !isAlive('map', id));
  const others = `object NOT IN (SELECT seq FROM object WHERE id = ${id} AND kind = 'map')`;
  const forget = ['specification_part', 'specification'].map(
    (table) => `DELETE FROM ${table} WHERE ${others}`,
  );
  execFileSync('sqlite3', [databaseOf(stateDir), forget.join(';')]);
  await using agent = await testAgent({ bpffs, stateDir });
  const gone = await goneSpec(agent, id);
  assert.deepEqual([gone.max_entries, gone.about?.state], [33, 'gone']);
  const counted = () =>
    sqlite3Rows(
      databaseOf(stateDir),
      `SELECT 1 FROM object o LEFT JOIN specification s ON s.object = o.seq
       WHERE o.gone_at IS NULL AND o.kind = 'map' AND o.id = ${kept.id} AND s.object IS NOT NULL`,
    ).length;
  await until('the other to be stored', counted);
});

test('who may not read contents is refused a specification, and may list them', async () => {
  await using agent = await testAgent();
  const { id } = createMap(`${agent.bpffs.path}/secret`);
  const viewer = agent.remote(await agent.token('viewer'));
  await viewer.get(`/v1/maps/${id}/spec`).expect(403);
  await viewer.get('/v1/programs/1/spec').expect(403);
  await viewer.get('/v1/specifications').expect(200);
  await agent.local.get('/v1/maps/2147483647/spec').expect(404);
  await agent.local.get('/v1/specifications?cursor=nonsense').expect(400);
  const pinsOnly = await testAgent({ settings: { 'pins-only': true } });
  await pinsOnly.local.get(`/v1/maps/${id}/spec`).expect(501);
  await pinsOnly[Symbol.asyncDispose]();
});
