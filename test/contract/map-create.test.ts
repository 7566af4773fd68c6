import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { type BpftoolMap, bpftool, isAlive, pinnedMap } from '../support/bpftool.ts';
import { until, untilPasses } from '../support/until.ts';
import { type MapRecipe, recipes, valueBtf } from './map-recipes.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

const plain = { type: 'hash', key_size: 4, value_size: 8, max_entries: 16 };

/** Flags as bpftool shows them: numbers of include/uapi/linux/bpf.h, written down once more. */
const flagBits: Readonly<Record<string, number>> = {
  no_prealloc: 1,
  no_common_lru: 2,
  rdonly_prog: 128,
  mmapable: 1024,
};

/** What bpftool's own list of types, which is older than these, does not name. */
const unnamed: Readonly<Record<string, number>> = { arena: 33, cgrp_storage: 32 };

function assertAsAsked(shown: BpftoolMap, recipe: MapRecipe): void {
  const type = /^\d+$/.test(shown.type) ? unnamed[recipe.type] : recipe.type;
  assert.equal(String(shown.type), String(type), recipe.type);
  assert.equal(shown.bytes_key, recipe.key_size, recipe.type);
  assert.equal(shown.bytes_value, recipe.value_size, recipe.type);
  assert.equal(shown.max_entries, recipe.max_entries, recipe.type);
  const implied = recipe.type === 'devmap_hash' ? ['rdonly_prog'] : [];
  const flags = [...(recipe.flags ?? []), ...implied].reduce((bits, name) => bits | (flagBits[name] ?? 0), 0);
  assert.equal(shown.flags, flags, recipe.type);
}

test('a map of each type is made as it was asked for, and bpftool sees the same', async () => {
  for (const recipe of recipes) {
    const path = `made_${recipe.type}`;
    const answer = await agent.local.post('/v1/maps').send({ ...recipe, name: 'pf_made', pin: { path } });
    assert.equal(answer.status, 201, `${recipe.type}: ${answer.text}`);
    const shown = pinnedMap(`${agent.bpffs.path}/${path}`);
    assert.equal(shown.id, answer.body.id);
    assert.equal(shown.name, 'pf_made');
    assertAsAsked(shown, recipe);
    assert.equal(answer.headers['location'], `/v1/maps/${shown.id}`);
    assert.equal(answer.body.type, recipe.type);
    assert.deepEqual(answer.body.pins, [{ mount: agent.mount, path }]);
    assert.equal(answer.body.references.refcnt, answer.body.references.usercnt, recipe.type);
    await untilPasses(async () => {
      const { refcnt, usercnt } = (await agent.local.get(`/v1/maps/${shown.id}`)).body.references;
      assert.deepEqual({ refcnt, usercnt }, { refcnt: 1, usercnt: 1 }, recipe.type);
    });
    const operation = String(answer.headers['pinfold-operation']);
    const told = await agent.local.get(`/v1/operations/${operation}`).expect(200);
    assert.equal(told.body.outcome, 'applied');
    assert.equal(told.body.subject.path, path);
  }
  assert.equal(agent.running.kernel.fds.transient().length, 0, 'nothing is left open');
});

test('the specification of each of them makes an equal map', async () => {
  for (const { type } of recipes) {
    const id = pinnedMap(`${agent.bpffs.path}/made_${type}`).id;
    const specification = await agent.local.get(`/v1/maps/${id}/spec`).expect(200);
    const answer = await agent.local.post(`/v1/maps?pin=copies/${type}`).send(specification.body);
    assert.equal(answer.status, 201, `${type}: ${answer.text}`);
    const copy = pinnedMap(`${agent.bpffs.path}/copies/${type}`);
    assert.deepEqual(withoutId(copy), withoutId(pinnedMap(`${agent.bpffs.path}/made_${type}`)), type);
  }
});

test('BTF is that of a blob, or of another map, by ids and by the names of types', async () => {
  const blob = { blob_base64: valueBtf() };
  const first = await agent.local
    .post('/v1/maps')
    .send({
      ...plain,
      btf: { ...blob, key_type: 'int', value_type: 'struct pf_value' },
      pin: { path: 'btf_names' },
    })
    .expect(201);
  assert.equal(first.body.btf_key_type_id, 1);
  assert.equal(first.body.btf_value_type_id, 3);
  for (const [path, btf] of [
    ['btf_of_map', { map: first.body.id }],
    ['btf_of_pin', { pin: 'btf_names', key_type: 'int', value_type_id: 2 }],
  ] as const) {
    const next = await agent.local.post('/v1/maps').send({ ...plain, btf, pin: { path } });
    assert.equal(next.status, 201, next.text);
    assert.equal(next.body.btf_id, first.body.btf_id);
    assert.equal(next.body.btf_key_type_id, 1);
    assert.equal(next.body.btf_value_type_id, path === 'btf_of_map' ? 3 : 2);
  }
  const dump = bpftool<{ types: { id: number; name: string }[] }>(
    'btf',
    'dump',
    'id',
    String(first.body.btf_id),
  );
  assert.equal(dump.types.find(({ id }) => id === 3)?.name, 'pf_value');
});

test('entries are in it from the beginning, typed by its own BTF, and it is frozen after', async () => {
  const answer = await agent.local
    .post('/v1/maps')
    .send({
      ...plain,
      btf: { blob_base64: valueBtf(), key_type_id: 1, value_type_id: 3 },
      flags: ['rdonly'],
      entries: [
        { key: 5, value: { count: '500' } },
        { key: -1, value: { count: '-1' } },
      ],
      freeze: true,
      pin: { path: 'filled' },
    })
    .expect(201);
  assert.equal(answer.body.frozen, true);
  const dump = bpftool<{ formatted: { key: number; value: { count: number } } }[]>(
    'map',
    'dump',
    'id',
    String(answer.body.id),
  );
  const read = dump.map(({ formatted }) => formatted).sort((a, b) => a.key - b.key);
  assert.deepEqual(read, [
    { key: -1, value: { count: -1 } },
    { key: 5, value: { count: 500 } },
  ]);
  const refused = await agent.local
    .put(`/v1/maps/${answer.body.id}/entry?key=5`)
    .send({ value: { count: '1' } });
  assert.equal(refused.body.code, 'map_frozen');
});

test('what cannot be made is 422 and says where, all at once', async () => {
  const cases: readonly (readonly [object, readonly string[]])[] = [
    [{ type: 'nothing' }, ['/body/type']],
    [
      { key_size: 0, value_size: 0, max_entries: 0 },
      ['/body/key_size', '/body/value_size', '/body/max_entries'],
    ],
    [{ type: 'array', key_size: 8 }, ['/body/key_size']],
    [{ type: 'lpm_trie', key_size: 8 }, ['/body/flags']],
    [{ type: 'ringbuf', key_size: 0, value_size: 0, max_entries: 12288 }, ['/body/max_entries']],
    [{ type: 'hash_of_maps', value_size: 4 }, ['/body/inner']],
    [{ btf: { blob_base64: valueBtf(), key_type_id: 99, value_type_id: 3 } }, ['/body/btf/key_type_id']],
    [{ btf: { blob_base64: valueBtf(), key_type_id: 1, value_type_id: 1 } }, ['/body/btf/value_type_id']],
    [{ value_as: 'u32', entries: [{ key: '01000000', value: 1 }] }, ['/body/value_as']],
    [{ inner: { id: 1 } }, ['/body/inner']],
    [{ type: 'task_storage', max_entries: 0, flags: ['no_prealloc'] }, ['/body/btf']],
    [{ flags: ['no_prealloc', 'nonsense'] }, ['/body/flags/1']],
    [{ flags: ['numa_node'] }, ['/body/numa_node']],
    [{ ifindex: 2 }, ['/body/ifindex']],
    [{ map_extra: '99999999999999999999' }, ['/body/map_extra']],
    [{ name: 'with-dash' }, ['/body/name']],
    [{ btf: { blob_base64: 'AAAA' } }, ['/body/btf/blob_base64']],
    [{ btf: { key_type_id: 1 } }, ['/body/btf']],
    [{ btf: { blob_base64: valueBtf(), key_type: 'absent' } }, ['/body/btf/key_type']],
    [{ type: 'array', key_size: 4, flags: ['no_prealloc'] }, ['/body']],
    [{ entries: [{ key: '01', value: '00' }] }, ['/body/entries/0/key']],
    [{ type: 'array', entries: [{ key: '10000000', value: '00'.repeat(8) }] }, ['/body/entries/0']],
    [{ unknown: 1 }, ['/body/unknown']],
  ];
  for (const [change, pointers] of cases) {
    const body = { ...plain, ...change, pin: { path: 'never' } };
    const answer = await agent.local.post('/v1/maps').send(body);
    assert.equal(answer.status, 422, `${JSON.stringify(change)}: ${answer.text}`);
    const told = answer.body.errors.map(({ pointer }: { pointer: string }) => pointer);
    assert.deepEqual(told, pointers, answer.text);
  }
  const noPin = await agent.local.post('/v1/maps').send(plain);
  assert.equal(noPin.body.errors[0].pointer, '/body/pin');
  const gone = await agent.local
    .post('/v1/maps')
    .send({ ...plain, btf: { map: 2147483646 }, pin: { path: 'never' } });
  assert.equal(gone.body.code, 'source_not_found');
  assert.ok(!readdirSync(agent.bpffs.path).includes('never'));
});

test('a pin that cannot be made takes the new map with it', async () => {
  const there = pinnedMap(`${agent.bpffs.path}/made_hash`).id;
  for (const [path, code] of [
    ['made_hash', 'pin_exists'],
    ['no/such/directory', 'parent_not_found'],
    ['a.dot', 'bad_path'],
  ] as const) {
    const before = ownMaps('pf_doomed');
    const answer = await agent.local.post('/v1/maps').send({ ...plain, name: 'pf_doomed', pin: { path } });
    assert.equal(answer.body.code, code);
    await until(`the map for ${path} is gone`, () => ownMaps('pf_doomed').length === before.length);
  }
  assert.equal(pinnedMap(`${agent.bpffs.path}/made_hash`).id, there);
});

test('a dry run has the kernel prove it, tells the steps, and leaves nothing', async () => {
  const body = {
    ...plain,
    name: 'pf_dry',
    entries: [{ key: '01000000', value: '00'.repeat(8) }],
    freeze: true,
  };
  const answer = await agent.local.post('/v1/maps?dry_run=true&pin=deep/er/dry').send(body).expect(200);
  const steps = answer.body.plan.map(({ action }: { action: string }) => action);
  assert.deepEqual(steps, ['create', 'fill', 'freeze', 'pin']);
  assert.match(answer.body.plan[0].detail, /the kernel was asked/);
  await until('the map of the dry run is gone', () => ownMaps('pf_dry').length === 0);
  const bad = await agent.local
    .post('/v1/maps?dry_run=true&pin=dry')
    .send({ ...plain, type: 'array', flags: ['no_prealloc'] });
  assert.equal(bad.status, 422);
  assert.equal(bad.body.errno, 'EINVAL');
});

test('the answer counts the pin of the new map, however fresh what is known of holders is', async () => {
  for (const index of [1, 2, 3]) {
    const { body } = await agent.local.post(`/v1/maps?pin=counted${index}`).send(plain).expect(201);
    assert.deepEqual([body.pins.length, body.references.pins], [1, 1]);
    // Reads all holders, for whoever asks within the next second.
    await agent.local.get(`/v1/maps/${body.id}`).expect(200);
  }
});

test('the same Idempotency-Key makes one map', async () => {
  const ask = () =>
    agent.local
      .post('/v1/maps')
      .set('idempotency-key', 'make-it-once')
      .send({
        ...plain,
        name: 'pf_once',
        pin: { path: 'a/b/once', parents: true, mode: '0640', owner: 'me' },
      });
  const [first, second] = [await ask(), await ask()];
  assert.equal(first.status, 201, first.text);
  assert.equal(second.body.id, first.body.id);
  assert.equal(second.headers['idempotent-replayed'], 'true');
  assert.equal(ownMaps('pf_once').length, 1);
  const pin = await agent.local.get('/v1/pins/a/b/once').expect(200);
  assert.deepEqual([pin.body.mode, pin.body.owner], ['0640', 'me']);
  await agent.local.delete('/v1/pins/a/b/once?accept=last_reference').expect(204);
  await until('the pin was all that held it', () => !isAlive('map', first.body.id));
});

test('making maps is for operators', async () => {
  const reader = agent.remote(await agent.token('reader'));
  const answer = await reader.post('/v1/maps').send({ ...plain, pin: { path: 'never' } });
  assert.equal(answer.status, 403);
});

/** All that bpftool says of a map but its id; of BTF it says things on 6.18 that are not so. */
function withoutId(map: BpftoolMap): object {
  return { ...map, id: 0, btf_id: 0 };
}

function ownMaps(name: string): readonly BpftoolMap[] {
  return bpftool<BpftoolMap[]>('map', 'show').filter((map) => map.name === name);
}
