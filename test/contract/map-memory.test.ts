import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { memoryOf } from '../../src/kernel/create/memory.ts';
import { limits } from '../../src/model/limits.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { listMaps } from '../support/bpftool.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

const sizes = { key_size: 4, value_size: 40, max_entries: 20_000 };
const slots = { ...sizes, value_size: 4 };
const keyless = { ...sizes, key_size: 0 };
const wanted: readonly (typeof sizes & { readonly type: string; readonly flags?: string[] })[] = [
  ...['array', 'percpu_array', 'hash', 'lru_hash', 'percpu_hash', 'lru_percpu_hash', 'stack_trace'].map(
    (type) => ({ type, ...sizes }),
  ),
  { type: 'hash', ...sizes, flags: ['no_prealloc'] },
  ...['prog_array', 'perf_event_array', 'xskmap', 'sockmap', 'sockhash', 'devmap_hash'].map((type) => ({
    type,
    ...slots,
  })),
  ...['queue', 'stack', 'bloom_filter'].map((type) => ({ type, ...keyless })),
  { type: 'ringbuf', key_size: 0, value_size: 0, max_entries: 1 << 20 },
];

test('the memory a map will take is known before it is made, about as the kernel counts it', async () => {
  const { possible } = agent.running.kernel.facts.cpus;
  for (const [index, spec] of wanted.entries()) {
    const pin = { path: `memory-${index}` };
    const { body } = await agent.local
      .post('/v1/maps')
      .send({ ...spec, name: 'pf_memory', pin })
      .expect(201);
    const estimate = memoryOf(spec, possible);
    const share = estimate / body.memlock;
    const told = `${spec.type} ${spec.flags ?? ''}: ${estimate} for ${body.memlock}`;
    assert.ok((share > 0.75 && share < 1.25) || Math.abs(estimate - body.memlock) < 65_536, told);
  }
});

test('a map that would take more than 1 GiB at once is not made unless that is asked for', async () => {
  const huge = { type: 'array', name: 'pf_huge', key_size: 4, value_size: 4096, max_entries: 1 << 22 };
  const post = (spec: object) => agent.local.post('/v1/maps').send({ pin: { path: 'huge' }, ...spec });
  const refused = await post(huge).expect(422);
  assert.equal(refused.body.code, 'invalid_input');
  assert.equal(refused.body.errors[0].pointer, '/body/max_entries');
  assert.deepEqual(
    [refused.body.memory_bytes, refused.body.memory_max],
    [16 * 1024 ** 3, limits.mapMemoryDefault],
  );
  assert.match(refused.body.detail, /a larger "memory_max" in the request allows more/);
  assert.deepEqual(
    listMaps().filter(({ name }) => name === 'pf_huge'),
    [],
  );
  const inner = { type: 'array', key_size: 4, value_size: 4096, max_entries: 1 << 22 };
  const outer = { type: 'array_of_maps', key_size: 4, value_size: 4, max_entries: 2, inner };
  const template = await post({ ...outer, name: 'pf_huge' }).expect(422);
  assert.equal(template.body.errors[0].pointer, '/body/inner/max_entries');
  // What may be taken counts, not what is usual: the same rule at a size that hurts nobody.
  const small = { ...huge, max_entries: 256 };
  await post({ ...small, memory_max: (1 << 20) - 1 }).expect(422);
  await post({ ...small, memory_max: 1 << 20 }).expect(201);
});

test('a pin that is there already is told of without a way that there is not', async () => {
  const answer = await agent.local
    .post('/v1/maps')
    .send({ type: 'hash', ...sizes, name: 'pf_memory', pin: { path: 'memory-0' } })
    .expect(409);
  assert.equal(answer.body.code, 'pin_exists');
  assert.match(answer.body.detail, /^The map is not made: there is a pin at "memory-0" already\./);
  assert.doesNotMatch(answer.text, /replace/);
});

test('freezing takes no body but an empty one', async () => {
  const { body } = await agent.local
    .post('/v1/maps')
    .send({ type: 'hash', ...sizes, name: 'pf_cold', pin: { path: 'cold' } })
    .expect(201);
  const freeze = (sent?: object) => agent.local.post(`/v1/maps/${body.id}/freeze`).send(sent);
  for (const sent of [{ frozen: false }, [], [1]]) {
    const refused = await freeze(sent).expect(422);
    assert.equal(refused.body.errors[0].pointer, '/body');
  }
  assert.equal((await agent.local.get(`/v1/maps/${body.id}`).expect(200)).body.frozen, false);
  assert.equal((await freeze({}).expect(200)).body.frozen, true);
  await freeze().expect(200);
});
