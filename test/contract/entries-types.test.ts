import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { shownMap } from '../support/bpftool.ts';
import { compileBpf } from '../support/c-program.ts';
import { type FilledMaps, filledMaps } from '../support/entries.ts';
import { bpftoolItems, entriesOf, streamOf } from './entries-fixture.ts';

let agent: TestAgent;
let maps: FilledMaps;
before(async () => {
  agent = await testAgent();
  maps = await filledMaps('special');
});
after(async () => {
  maps[Symbol.dispose]();
  await agent[Symbol.asyncDispose]();
});

test('maps in maps, programs and devices come as what they stand for', async () => {
  const inner = maps.id('inner');
  const loopback = Number(readFileSync('/sys/class/net/lo/ifindex', 'utf8'));
  const reference = { kind: 'map', id: inner };
  assert.deepEqual(await entriesOf(agent, maps.id('array_of_maps')), [{ key: 2, value: reference }]);
  assert.deepEqual(await entriesOf(agent, maps.id('hash_of_maps')), [{ key: '09000000', value: reference }]);
  assert.deepEqual(await entriesOf(agent, maps.id('devmap')), [{ key: 1, value: { ifindex: loopback } }]);
  assert.deepEqual(await entriesOf(agent, maps.id('devmap_hash')), [
    { key: '4d000000', value: { ifindex: loopback } },
  ]);
  const [slot] = await entriesOf(agent, maps.id('prog_array'));
  assert.equal(slot?.key, 3);
  const { kind, id } = Object(slot?.value);
  assert.equal(kind, 'program');
  assert.equal((await agent.local.get(`/v1/programs/${id}`).expect(200)).body.name, 'pf_inner');
});

test('follow puts the entries of inner maps into the line, and holds them no longer than that', async () => {
  const before = agent.running.kernel.fds.transient().length;
  for (const name of ['array_of_maps', 'hash_of_maps']) {
    const [entry] = await entriesOf(agent, maps.id(name), '?follow=true');
    const inner = await entriesOf(agent, maps.id('inner'), '?format=typed');
    assert.deepEqual(Object(entry?.value), { kind: 'map', id: maps.id('inner'), entries: inner });
  }
  assert.equal(agent.running.kernel.fds.transient().length, before);
});

test('a map that cannot be read says why, and is never an empty list', async () => {
  const closed = [
    'queue',
    'stack',
    'bloom_filter',
    'ringbuf',
    'user_ringbuf',
    'arena',
    'perf_event_array',
    'cgroup_array',
    'xskmap',
    'sockmap',
  ];
  for (const name of closed) {
    for (const path of ['entries', 'entries/00000000', 'count']) {
      for (const accept of ['application/json', 'application/x-ndjson']) {
        if (path !== 'entries' && accept !== 'application/json') continue;
        const answer = await agent.local.get(`/v1/maps/${maps.id(name)}/${path}`).set('accept', accept);
        assert.equal(answer.status, 409, `${name} ${path}`);
        const problem = JSON.parse(answer.text);
        assert.equal(problem.code, 'not_readable');
        assert.equal(problem.type, 'urn:pinfold:error:not_readable');
        assert.equal(problem.map_type, name);
        assert.match(problem.detail, /cannot be read: .{20,}|need 8/);
      }
    }
  }
});

test('the value of a struct_ops map is typed by the BTF of the kernel', async () => {
  const name = 'pf_congestion';
  execFileSync('bpftool', ['struct_ops', 'register', compileBpf('struct-ops')]);
  const shown: readonly { readonly id: number; readonly name: string }[] = JSON.parse(
    execFileSync('bpftool', ['-j', 'struct_ops', 'show'], { encoding: 'utf8' }),
  );
  const id = shown.find((map) => map.name === name)?.id ?? 0;
  try {
    const { lines } = await streamOf(agent, id, '?format=bpftool');
    assert.deepEqual([...lines], bpftoolItems(id));
    const [entry] = await entriesOf(agent, id);
    const { common, data } = Object(entry?.value);
    assert.equal(common.state, 'BPF_STRUCT_OPS_STATE_INUSE');
    assert.equal(data.name, name);
    assert.match(data.ssthresh, /^0x[0-9a-f]+$/);
    await assertMadeAgain(id);
  } finally {
    execFileSync('bpftool', ['struct_ops', 'unregister', 'id', String(id)]);
  }
});

test('an empty map that can be read is an empty list that says it is complete', async () => {
  for (const name of ['stack_trace', 'wronly']) {
    const { lines, summary } = await streamOf(agent, maps.id(name));
    assert.deepEqual([...lines], []);
    assert.equal(summary['complete'], true);
  }
});

test('peek shows the head of a queue or stack and leaves it there', async () => {
  for (const [name, head] of [
    ['queue', 1],
    ['stack', 3],
  ] as const) {
    for (let again = 0; again < 2; again++) {
      const answer = await agent.local.get(`/v1/maps/${maps.id(name)}/peek?value_as=u32`).expect(200);
      assert.equal(answer.body.value, head);
    }
  }
  const empty = await agent.local.get(`/v1/maps/${maps.id('empty_queue')}/peek`).expect(404);
  assert.equal(empty.body.code, 'entry_not_found');
  const other = await agent.local.get(`/v1/maps/${maps.id('inner')}/peek`).expect(409);
  assert.equal(other.body.code, 'not_readable');
});

test('contents are for readers, and maps that are gone are 404', async () => {
  const viewer = agent.remote(await agent.token('viewer'));
  const reader = agent.remote(await agent.token('reader'));
  const base = `/v1/maps/${maps.id('inner')}`;
  for (const path of ['/entries', '/entries/00000000', '/entry?key=0', '/count', '/peek']) {
    assert.equal((await viewer.get(base + path)).status, 403, path);
    assert.notEqual((await reader.get(base + path)).status, 403, path);
  }
  for (const path of ['/entries', '/entry?key=0', '/count', '/peek']) {
    const answer = await agent.local.get(`/v1/maps/2147483646${path}`).expect(404);
    assert.equal(answer.body.code, 'object_not_found');
  }
});

/** From its specification, and by the name of its type alone; neither is registered with the kernel. */
async function assertMadeAgain(id: number): Promise<void> {
  const { body: spec } = await agent.local.get(`/v1/maps/${id}/spec?entries=true`).expect(200);
  assert.equal(spec.entries, undefined);
  assert.deepEqual(
    spec.about.not_recoverable.map(({ member }: { readonly member: string }) => member),
    ['entries'],
  );
  const { btf: _, about: __, ...rest } = spec;
  const btf = { vmlinux_value_type: 'bpf_struct_ops_tcp_congestion_ops' };
  for (const [path, body] of Object.entries({ again: spec, named: { ...rest, btf } })) {
    const made = await agent.local.post('/v1/maps').send({ ...body, pin: { path } });
    assert.equal(made.status, 201, made.text);
    assert.deepEqual(shownMap(made.body.id), shownMap(id));
  }
}
