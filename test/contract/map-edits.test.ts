import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { BtfBuilder } from '../support/btf-builder.ts';
import { bpftoolValue, makeMap, outcomeOf } from './map-edits-fixture.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

const value = (digit: number): string => String(digit).repeat(16);

test('an entry is made, changed and removed, and bpftool sees each', async () => {
  const id = await makeMap(agent, 'plain', {});
  const url = `/v1/maps/${id}/entries/01000000`;
  const made = await agent.local.put(url).send({ value: value(1) });
  assert.equal(made.status, 201);
  assert.equal(made.headers['location'], url);
  assert.equal(bpftoolValue(id, '01000000'), value(1));
  assert.equal(outcomeOf(await agent.local.put(url).send({ value: value(2) })), '204');
  assert.equal(bpftoolValue(id, '01000000'), value(2));
  assert.equal(outcomeOf(await agent.local.delete(url)), '204');
  assert.equal(bpftoolValue(id, '01000000'), undefined);
  assert.equal(outcomeOf(await agent.local.delete(url)), '404 entry_not_found');
});

const plainTypes: readonly (readonly [string, object, string, string])[] = [
  ['hash', {}, '01000000', '201'],
  ['lru_hash', {}, '01000000', '201'],
  ['array', {}, '01000000', '204'],
  ['lpm_trie', { key_size: 8, flags: ['no_prealloc'] }, '080000000a000000', '201'],
  ['percpu_hash', { value_size: 5 }, '01000000', '201'],
  ['lru_percpu_hash', {}, '01000000', '201'],
  ['percpu_array', { value_size: 12 }, '01000000', '204'],
];

for (const [type, spec, key, status] of plainTypes) {
  test(`what is read of a ${type} can be written back, raw, typed and as bpftool prints it`, async () => {
    const id = await makeMap(agent, `back/${type}`, { type, ...spec });
    const size = Object(spec).value_size ?? 8;
    const url = `/v1/maps/${id}/entries/${key}`;
    const first = await agent.local.put(url).send({ value: 'c3'.repeat(size) });
    assert.equal(outcomeOf(first), status);
    for (const format of ['raw', 'typed', 'bpftool']) {
      const read = await agent.local.get(`${url}?format=${format}`).expect(200);
      const { key: _, formatted: __, ...values } = read.body;
      await agent.local
        .put(url)
        .send({ value: '00'.repeat(size) })
        .expect(204);
      const back = await agent.local.put(`${url}?format=${format}`).send(values);
      assert.equal(outcomeOf(back), '204', `${format}: ${back.text}`);
      assert.match(bpftoolValue(id, key) ?? '', /^(c3)+$/, format);
    }
    const removed = await agent.local.delete(url);
    assert.equal(outcomeOf(removed), type.endsWith('array') ? '409 not_editable' : '204');
  });
}

test('a trie’s prefix is removed only by exactly its length', async () => {
  const id = await makeMap(agent, 'trie', { type: 'lpm_trie', key_size: 8, flags: ['no_prealloc'] });
  const at = (prefix: string): string => `/v1/maps/${id}/entry?key=${encodeURIComponent(`"${prefix}"`)}`;
  assert.equal(outcomeOf(await agent.local.put(at('10.0.0.0/8')).send({ value: value(1) })), '201');
  assert.equal(outcomeOf(await agent.local.put(at('10.1.0.0/16')).send({ value: value(2) })), '201');
  assert.equal(outcomeOf(await agent.local.delete(at('10.1.2.0/24'))), '404 entry_not_found');
  assert.equal(outcomeOf(await agent.local.delete(at('10.1.0.0/16'))), '204');
  assert.equal(bpftoolValue(id, '100000000a010000'), value(1), 'the shorter prefix is left');
});

test('modes are the kernel’s own, and so are If-None-Match: * and If-Match: *', async () => {
  for (const type of ['hash', 'lru_hash', 'lpm_trie', 'percpu_hash']) {
    const trie = type === 'lpm_trie' ? { key_size: 8, flags: ['no_prealloc'] } : {};
    const id = await makeMap(agent, `modes/${type}`, { type, ...trie });
    const url = `/v1/maps/${id}/entries/${type === 'lpm_trie' ? '2000000001000000' : '01000000'}`;
    const put = (body: object) => agent.local.put(url).send({ value: value(1), ...body });
    assert.equal(outcomeOf(await put({ mode: 'update' })), '404 entry_not_found', type);
    assert.equal(outcomeOf(await put({}).set('if-match', '*')), '412 precondition_failed', type);
    assert.equal(outcomeOf(await put({ mode: 'create' })), '201', type);
    assert.equal(outcomeOf(await put({ mode: 'create' })), '409 entry_exists', type);
    assert.equal(outcomeOf(await put({}).set('if-none-match', '*')), '412 precondition_failed', type);
    assert.equal(outcomeOf(await put({ mode: 'update' })), '204', type);
    assert.equal(outcomeOf(await put({ mode: 'create' }).set('if-match', '*')), '422 invalid_input', type);
  }
});

test('If-Match with a tag changes only the value that was seen', async () => {
  const id = await makeMap(agent, 'tagged', {});
  const url = `/v1/maps/${id}/entries/01000000`;
  await agent.local
    .put(url)
    .send({ value: value(1) })
    .expect(201);
  const seen = String((await agent.local.get(url).expect(200)).headers['etag']);
  await agent.local
    .put(url)
    .send({ value: value(2) })
    .expect(204);
  const late = await agent.local
    .put(url)
    .set('if-match', seen)
    .send({ value: value(3) });
  assert.equal(outcomeOf(late), '412 precondition_failed');
  assert.equal(outcomeOf(await agent.local.delete(url).set('if-match', seen)), '412 precondition_failed');
  assert.equal(bpftoolValue(id, '01000000'), value(2));
  const now = String((await agent.local.get(url).expect(200)).headers['etag']);
  assert.notEqual(now, seen);
  assert.equal(outcomeOf(await agent.local.delete(url).set('if-none-match', '*')), '412 precondition_failed');
  assert.equal(bpftoolValue(id, '01000000'), value(2));
  assert.equal(outcomeOf(await agent.local.delete(url).set('if-match', now)), '204');
});

test('a full map, a slot beyond the last and a frozen map each say what they are', async () => {
  const full = await makeMap(agent, 'full', { max_entries: 1 });
  await agent.local
    .put(`/v1/maps/${full}/entries/01000000`)
    .send({ value: value(1) })
    .expect(201);
  const more = await agent.local.put(`/v1/maps/${full}/entries/02000000`).send({ value: value(1) });
  assert.equal(outcomeOf(more), '409 map_full');
  const short = await agent.local.put(`/v1/maps/${full}/entries/01`).send({ value: value(1) });
  assert.equal(outcomeOf(short), '422 invalid_input');
  assert.equal(short.body.errors[0].pointer, '/params/hex');
  const none = await agent.local.put(`/v1/maps/${full}/entries/01000000`).send({});
  assert.deepEqual(none.body.errors, [{ pointer: '/body/value', detail: 'a value is wanted' }]);
  const array = await makeMap(agent, 'slots', { type: 'array', max_entries: 2 });
  const beyond = await agent.local.put(`/v1/maps/${array}/entry?key=2`).send({ value: value(1) });
  assert.equal(outcomeOf(beyond), '422 invalid_input');
  assert.match(beyond.body.detail, /the last slot is 1/);
  for (let again = 0; again < 2; again++) {
    const frozen = await agent.local.post(`/v1/maps/${array}/freeze`).expect(200);
    assert.equal(frozen.body.frozen, true);
    assert.equal(frozen.headers['pinfold-operation'] !== undefined, again === 0, 'once is enough');
  }
  const late = await agent.local.put(`/v1/maps/${array}/entry?key=0`).send({ value: value(1) });
  assert.equal(outcomeOf(late), '409 map_frozen');
  const batch = await agent.local
    .post(`/v1/maps/${array}/entries/batch`)
    .send({ operations: [{ key: '00000000', value: value(1) }] });
  assert.equal(outcomeOf(batch), '409 map_frozen');
});

test('a map whose values have a lock or a timer is not frozen, and the reason is that', async () => {
  for (const name of ['bpf_spin_lock', 'bpf_timer']) {
    const types = new BtfBuilder();
    const int = types.int('int', 4, 'signed');
    const [size, words] = name === 'bpf_timer' ? [16, 4] : [4, 1];
    const owned = types.struct(name, size, [{ name: 'val', type: types.array(int, words), at: 0 }]);
    const value = types.struct('pf_value', size, [{ name: 'owned', type: owned, at: 0 }]);
    const btf = { blob_base64: types.build().toString('base64'), key_type_id: int, value_type_id: value };
    const id = await makeMap(agent, `special/${name}`, { type: 'array', value_size: size, btf });
    const refused = await agent.local.post(`/v1/maps/${id}/freeze`);
    assert.equal(outcomeOf(refused), '501 not_supported');
    assert.match(refused.body.detail, /fields that the kernel keeps to itself, such as a lock or a timer/);
  }
});

test('a refusal says where, and which words would do', async () => {
  const id = await makeMap(agent, 'where', {});
  const refusals = [
    ['entry?key="zz"', '/query/key', /4 bytes are wanted/],
    ['entry?key=[1]', '/query/key', /4 bytes are wanted/],
    ['entries/01', '/params/hex', /4 bytes are wanted/],
    ['entries?key_as=u64', '/query/key_as', /^u64 is of 8 bytes, and here are 4$/],
    ['entries?value_as=u8', '/query/value_as', /^u8 is of 1 byte, and here are 8$/],
    ['entries?format=raw&value_as=u64', '/query/value_as', /^does not go with format=raw$/],
    ['entries?format=foo', '/query/format', /^must be one of typed, raw, bpftool$/],
    ['entries?key_as=foo', '/query/key_as', /^must be one of u8, u16, .*, utf8, hex, base64$/],
  ] as const;
  for (const [path, pointer, detail] of refusals) {
    const { status, body } = await agent.local.get(`/v1/maps/${id}/${path}`);
    assert.deepEqual([status, body.errors?.length, body.errors?.[0].pointer], [422, 1, pointer], path);
    assert.match(body.errors[0].detail, detail, path);
  }
  const zap = await agent.local
    .put(`/v1/maps/${id}/entries/01000000`)
    .send({ value: value(1), mode: 'zap' })
    .expect(422);
  assert.deepEqual(zap.body.errors, [
    { pointer: '/body/mode', detail: 'must be one of any, create, update' },
  ]);
});

test('a member that is called __proto__ is read, and taken back as it was read', async () => {
  const types = new BtfBuilder();
  const int = types.int('int', 4, 'signed');
  const members = ['__proto__', 'constructor'].map((name, index) => ({ name, type: int, at: 32 * index }));
  const struct = types.struct('pf_value', 8, members);
  const btf = { blob_base64: types.build().toString('base64'), key_type_id: int, value_type_id: struct };
  const id = await makeMap(agent, 'proto', { btf });
  const text = '{"__proto__":1,"constructor":2}';
  const json = 'application/json';
  const asRead = async (key: number) => (await agent.local.get(`/v1/maps/${id}/entry?key=${key}`)).text;
  await agent.local.put(`/v1/maps/${id}/entry?key=1`).type(json).send(`{"value":${text}}`).expect(201);
  assert.equal(await asRead(1), `{"key":1,"value":${text}}`);
  const line = (await asRead(1)).replace('"key":1', '"key":2');
  const batch = `/v1/maps/${id}/entries/batch`;
  const whole = await agent.local.post(batch).type(json).send(`{"operations":[${line}]}`).expect(200);
  assert.equal(whole.body.done, 1, whole.text);
  const lines = await agent.local.post(batch).type('application/x-ndjson').send(line).expect(200);
  assert.equal(lines.body.done, 1, lines.text);
  assert.equal(bpftoolValue(id, '02000000'), '0100000002000000');
  const proto = { ...Object.prototype };
  await agent.local.put(`/v1/maps/${id}/entry?key=1`).type(json).send('{"__proto__":1}').expect(422);
  assert.deepEqual({ ...Object.prototype }, proto);
});

test('per-CPU values are given for each CPU, or once for all of them', async () => {
  const id = await makeMap(agent, 'cpus', { type: 'percpu_hash' });
  const { possible } = agent.running.kernel.facts.cpus;
  const url = `/v1/maps/${id}/entries/01000000`;
  const values = Array.from({ length: possible }, (_, cpu) => ({ cpu, value: `0${cpu}`.repeat(8) }));
  await agent.local.put(url).send({ values: values.toReversed() }).expect(201);
  assert.deepEqual((await agent.local.get(url).expect(200)).body.values, values);
  for (const wrong of [
    { values: values.slice(1) },
    { values: [...values, { cpu: possible, value: value(1) }] },
    { values: values.map(({ value: each }) => ({ cpu: 0, value: each })) },
    { values, value: value(1) },
    {},
  ]) {
    const answer = await agent.local.put(url).send(wrong);
    assert.equal(outcomeOf(answer), '422 invalid_input', JSON.stringify(wrong));
    assert.match(answer.body.errors[0].pointer, /^\/body\/values?$/);
  }
});

test('what is told of a change is who, when and which map, and never a key or a value', async () => {
  const id = await makeMap(agent, 'secret', { name: 'pf_secret' });
  const url = `/v1/maps/${id}/entries/a1b2c3d4`;
  const put = await agent.local
    .put(url)
    .send({ value: 'e5'.repeat(8) })
    .expect(201);
  const removed = await agent.local.delete(url).expect(204);
  const told = await agent.local.get(`/v1/events?type=entry.changed&id=${id}`).expect(200);
  assert.deepEqual(
    told.body.items.map(({ after: { action, entries }, operation_id }: EventLine) => [
      action,
      entries,
      operation_id,
    ]),
    [
      ['put', 1, put.headers['pinfold-operation']],
      ['delete', 1, removed.headers['pinfold-operation']],
    ],
  );
  assert.equal(told.body.items[0].subject.name, 'pf_secret');
  assert.match(told.body.items[0].actor, /^uid:0 /);
  const operation = await agent.local.get(`/v1/operations/${put.headers['pinfold-operation']}`).expect(200);
  assert.equal(operation.body.outcome, 'applied');
  assert.equal(operation.body.kind, 'entry_put');
  for (const document of [told.text, operation.text, agent.logs.join('\n').replaceAll(url, '')]) {
    assert.doesNotMatch(document, /a1b2c3d4|e5e5e5/);
  }
});

interface EventLine {
  readonly after: { readonly action: string; readonly entries: number };
  readonly operation_id: string;
}

test('a dry run changes nothing', async () => {
  const id = await makeMap(agent, 'dry', {});
  const url = `/v1/maps/${id}/entries/01000000?dry_run=true`;
  const plan = await agent.local
    .put(url)
    .send({ value: value(1) })
    .expect(200);
  assert.deepEqual(plan.body.plan, [{ action: 'put', detail: 'add an entry', hazards: [] }]);
  assert.equal(bpftoolValue(id, '01000000'), undefined);
  assert.equal(
    (await agent.local.post(`/v1/maps/${id}/freeze?dry_run=true`).expect(200)).body.plan.length,
    1,
  );
  await agent.local
    .put(url.replace('?dry_run=true', ''))
    .send({ value: value(1) })
    .expect(201);
});

test('changing contents is for operators, and of maps that are there', async () => {
  const id = await makeMap(agent, 'roles', {});
  const reader = agent.remote(await agent.token('reader'));
  const operator = agent.remote(await agent.token('operator'));
  for (const base of [`/v1/maps/${id}`, '/v1/maps/2147483646']) {
    const gone = base.endsWith('6') && !base.endsWith(String(id));
    for (const [ask, allowed] of [
      [(who: typeof reader) => who.put(`${base}/entries/01000000`).send({ value: value(1) }), '201'],
      [
        (who: typeof reader) =>
          who.put(`${base}/entry?key=1&key_as=u32&value_as=hex`).send({ value: value(1) }),
        '204',
      ],
      [(who: typeof reader) => who.delete(`${base}/entries/01000000`), '204'],
      [(who: typeof reader) => who.post(`${base}/entries/batch`).send({ operations: [] }), '200'],
      [(who: typeof reader) => who.post(`${base}/freeze`), '200'],
    ] as const) {
      assert.equal(outcomeOf(await ask(reader)), '403 forbidden');
      assert.equal(outcomeOf(await ask(operator)), gone ? '404 object_not_found' : allowed);
    }
  }
});

for (const [flag, outcome] of [
  ['read-only', '409 read_only'],
  ['pins-only', '501 not_supported'],
] as const) {
  test(`an agent with --${flag} changes and makes no maps, and says so`, async () => {
    await using other = await testAgent({ settings: { [flag]: true } });
    const id = await makeMap(agent, `of-${flag}`, {});
    const spec = { type: 'array', key_size: 4, value_size: 8, max_entries: 1, pin: { path: 'never' } };
    for (const ask of [
      () => other.local.put(`/v1/maps/${id}/entries/01000000`).send({ value: value(1) }),
      () => other.local.delete(`/v1/maps/${id}/entries/01000000`),
      () => other.local.post(`/v1/maps/${id}/entries/batch`).send({ operations: [] }),
      () => other.local.post(`/v1/maps/${id}/freeze`),
      () => other.local.post('/v1/maps').send(spec),
    ]) {
      assert.equal(outcomeOf(await ask()), outcome);
    }
    assert.equal(bpftoolValue(id, '01000000'), undefined);
  });
}
