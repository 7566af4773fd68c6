import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { isAlive } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { type LoadedProgram, loadPrograms } from '../support/programs.ts';
import { until } from '../support/until.ts';
import { bpftoolItems, streamOf } from './entries-fixture.ts';
import { bpftoolValue, makeMap, outcomeOf } from './map-edits-fixture.ts';

let agent: TestAgent;
let programs: readonly LoadedProgram[];
before(async () => {
  agent = await testAgent();
  programs = loadPrograms('prog-contexts', join(agent.bpffs.path, 'progs'));
});
after(async () => await agent[Symbol.asyncDispose]());

const inner = { type: 'array', key_size: 4, value_size: 8, max_entries: 2 };
const zero = '00000000';

function programOf(name: string): LoadedProgram {
  const found = programs.find((program) => program.name === name);
  assert.ok(found, name);
  return found;
}

for (const type of ['hash_of_maps', 'array_of_maps']) {
  test(`a map whose only holder is a slot of a ${type} is let go only where that is accepted`, async () => {
    const outer = await makeMap(agent, `of/${type}`, { type, value_size: 4, inner });
    const one = await makeMap(agent, `in/${type}-1`, inner);
    const two = await makeMap(agent, `in/${type}-2`, inner);
    const url = `/v1/maps/${outer}/entries/${zero}`;
    const put = (id: number, query = '') => agent.local.put(url + query).send({ value: { kind: 'map', id } });
    assert.equal(outcomeOf(await put(one)), '201');
    assert.equal((await agent.local.get(url).expect(200)).body.value.id, one);
    assert.equal(bpftoolValue(outer, zero)?.length, 8);
    await agent.local.delete(`/v1/pins/in/${type}-1?accept=last_reference`).expect(204);
    await agent.local.get(`/v1/maps/${one}`).expect(200);
    for (const ask of [
      () => put(two),
      () => agent.local.delete(url),
      () => agent.local.put(`${url}?format=raw`).send({ value: bytesOf(two) }),
    ]) {
      const refused = await ask();
      assert.equal(outcomeOf(refused), '409 hazard', refused.text);
      assert.deepEqual(refused.body.hazards, ['last_reference']);
      assert.equal(refused.body.id, one);
    }
    const foreseen = await agent.local.delete(`${url}?dry_run=true`).expect(200);
    assert.deepEqual(foreseen.body.plan[0].hazards, ['last_reference']);
    assert.equal(outcomeOf(await put(one)), '204', 'the same map again loses nothing');
    assert.ok(isAlive('map', one));
    const lines = { operations: [{ op: 'delete', key: type === 'hash_of_maps' ? zero : 0 }] };
    const batch = await agent.local.post(`/v1/maps/${outer}/entries/batch`).send(lines).expect(200);
    assert.deepEqual([batch.body.done, batch.body.failures[0].code], [0, 'hazard']);
    assert.equal(outcomeOf(await put(two, '?accept=last_reference')), '204');
    await until(`map ${one} is freed`, () => !isAlive('map', one));
    assert.equal(outcomeOf(await agent.local.delete(url)), '204', 'a pin holds the second');
    assert.equal(agent.running.kernel.fds.transient().length, 0);
  });
}

test('a dump of a map of maps puts the same maps into another', async () => {
  const spec = { type: 'hash_of_maps', value_size: 4, inner };
  const ids = [await makeMap(agent, 'member-1', inner), await makeMap(agent, 'member-2', inner)];
  const entries = ids.map((id, index) => ({ key: `0${index}000000`, value: { kind: 'map', id } }));
  const from = await makeMap(agent, 'members', { ...spec, entries });
  const to = await makeMap(agent, 'members-too', spec);
  const { lines } = await streamOf(agent, from);
  const answer = await agent.local
    .post(`/v1/maps/${to}/entries/batch`)
    .set('content-type', 'application/x-ndjson')
    .send(lines.join('\n'));
  assert.deepEqual([answer.body.done, answer.body.failed], [2, 0], answer.text);
  assert.deepEqual(bpftoolItems(to), bpftoolItems(from));
  const ids4 = Buffer.concat(ids.map((id, index) => Buffer.from(`0${index}000000${bytesOf(id)}`, 'hex')));
  const packed = await agent.local
    .post(`/v1/maps/${await makeMap(agent, 'members-packed', spec)}/entries/batch`)
    .set('content-type', 'application/vnd.pinfold.entries')
    .send(ids4);
  assert.deepEqual([packed.body.done, packed.body.failed], [2, 0], packed.text);
});

test('a map that is unlike the template, or not the expected one, or not there, is not put in', async () => {
  const outer = await makeMap(agent, 'strict', { type: 'hash_of_maps', value_size: 4, inner });
  const other = await makeMap(agent, 'unlike', { name: 'pf_unlike' });
  const put = (value: object) => agent.local.put(`/v1/maps/${outer}/entries/${zero}`).send({ value });
  assert.equal(outcomeOf(await put({ kind: 'map', id: other })), '422 invalid_input');
  assert.equal(outcomeOf(await put({ kind: 'map', id: 2147483646 })), '404 source_not_found');
  assert.equal(outcomeOf(await put({ kind: 'program', id: 1 })), '422 invalid_input');
  const unexpected = await put({ kind: 'map', id: other, expect: { name: 'pf_other' } });
  assert.equal(outcomeOf(unexpected), '409 source_mismatch');
});

test('a program whose only holder is a slot of a prog_array stays until that is accepted', async () => {
  const array = await makeMap(agent, 'tails', { type: 'prog_array', value_size: 4 });
  const { id, path } = programOf('pf_tc');
  const url = `/v1/maps/${array}/entry?key=3`;
  const value = { kind: 'program', id, expect: { name: 'pf_tc' } };
  assert.equal(outcomeOf(await agent.local.put(url).send({ value })), '201');
  assert.equal((await agent.local.get(url).expect(200)).body.value.id, id);
  const second = await agent.local.put(url).send({ value, mode: 'create' });
  assert.equal(outcomeOf(second), '409 entry_exists', 'the kernel has no modes here; the agent looks');
  unlinkSync(path);
  await until('the pin is out of the counters', async () => {
    const plan = await agent.local.delete(`${url}&dry_run=true`).expect(200);
    return plan.body.plan[0].hazards.length === 1;
  });
  assert.equal(outcomeOf(await agent.local.delete(url)), '409 hazard');
  assert.ok(isAlive('prog', id));
  assert.equal(outcomeOf(await agent.local.delete(`${url}&force=true`)), '204');
  await until(`program ${id} is freed`, () => !isAlive('prog', id));
});

test('devices and CPUs are put in as they are shown', async () => {
  const loopback = Number(readFileSync('/sys/class/net/lo/ifindex', 'utf8'));
  for (const type of ['devmap', 'devmap_hash']) {
    const id = await makeMap(agent, type, { type, value_size: 4 });
    const url = `/v1/maps/${id}/entries/01000000?format=typed`;
    const put = (ifindex: number) => agent.local.put(url).send({ value: { ifindex } });
    assert.equal(outcomeOf(await put(loopback)), '201', type);
    assert.deepEqual((await agent.local.get(url).expect(200)).body.value, { ifindex: loopback });
    assert.equal(bpftoolValue(id, '01000000'), bytesOf(loopback));
    assert.equal(outcomeOf(await put(2147483647)), '422 invalid_input');
    assert.equal(outcomeOf(await put(0)), '422 invalid_input', type);
    assert.equal(bpftoolValue(id, '01000000'), bytesOf(loopback));
    assert.equal(outcomeOf(await agent.local.delete(url)), '204');
  }
  const cpus = await makeMap(agent, 'cpumap', { type: 'cpumap', value_size: 4, max_entries: 2 });
  const url = `/v1/maps/${cpus}/entry?key=0`;
  assert.equal(outcomeOf(await agent.local.put(url).send({ value: { qsize: 192 } })), '201');
  assert.deepEqual((await agent.local.get(url).expect(200)).body.value, { qsize: 192 });
  for (const value of [{ qsize: 99999 }, { qsize: 0 }]) {
    assert.equal(outcomeOf(await agent.local.put(url).send({ value })), '422 invalid_input');
  }
  assert.equal(
    outcomeOf(await agent.local.put(`${url}&dry_run=true`).send({ value: { qsize: 0 } })),
    '422 invalid_input',
  );
  assert.deepEqual((await agent.local.get(url).expect(200)).body.value, { qsize: 192 });
  assert.equal(outcomeOf(await agent.local.delete(url)), '204');
});

test('a socket is put in by the descriptor of a process, and shown by its cookie', async () => {
  await using connected = await connection();
  for (const [type, value_size] of [
    ['sockmap', 8],
    ['sockhash', 8],
    ['sockmap', 4],
  ] as const) {
    const id = await makeMap(agent, `sock/${type}${value_size}`, { type, value_size });
    const url = `/v1/maps/${id}/entries/01000000?format=typed`;
    const value = { pid: process.pid, fd: connected.fd };
    const put = await agent.local.put(url).send({ value });
    assert.match(outcomeOf(put), /^20[14]$/, put.text);
    if (value_size === 8) {
      const shown = await agent.local.get(url).expect(200);
      assert.match(shown.body.value.socket_cookie, /^\d+$/);
    }
    assert.equal(outcomeOf(await agent.local.delete(url)), '204');
    const noSocket = openSync('/dev/null', 'r');
    const file = await agent.local.put(url).send({ value: { pid: process.pid, fd: noSocket } });
    closeSync(noSocket);
    assert.equal(outcomeOf(file), '422 invalid_input');
    const gone = await agent.local.put(url).send({ value: { ...value, start_time: 1 } });
    assert.equal(outcomeOf(gone), '409 source_mismatch');
  }
});

test('AF_XDP sockets go into xskmaps, and bound sockets that share a port into arrays of those', async () => {
  using holder = await hold('socket:xsk', 'socket:reuseport', 'socket:reuseport');
  const [xsk, shared, another] = holder.objects;
  for (const { type, value_size, fits, other } of [
    { type: 'xskmap', value_size: 4, fits: xsk, other: shared },
    { type: 'reuseport_sockarray', value_size: 8, fits: shared, other: xsk },
    { type: 'reuseport_sockarray', value_size: 4, fits: another, other: xsk },
  ]) {
    const id = await makeMap(agent, `sock/${type}${value_size}`, { type, value_size, max_entries: 4 });
    const url = `/v1/maps/${id}/entries/01000000?format=typed`;
    const put = (fd: number | undefined) => agent.local.put(url).send({ value: { pid: holder.pid, fd } });
    const answer = await put(fits?.fd);
    assert.match(outcomeOf(answer), /^20[14]$/, answer.text);
    if (value_size === 8) {
      const shown = await agent.local.get(url).expect(200);
      assert.match(shown.body.value.socket_cookie, /^[1-9]\d*$/);
      assert.notEqual(bpftoolValue(id, '01000000'), undefined);
    }
    assert.match(outcomeOf(await put(other?.fd)), /^4\d\d /, 'a socket of another kind');
    assert.equal(outcomeOf(await agent.local.delete(url)), '204');
    // The kernel says nothing of an xskmap's slot that was empty (xsk_map_delete_elem).
    const again = type === 'xskmap' ? '204' : '404 entry_not_found';
    assert.equal(outcomeOf(await agent.local.delete(url)), again);
  }
  assert.equal(agent.running.kernel.fds.transient().length, 0);
});

test('queues, stacks and bloom filters are added to, and types that take nothing say why', async () => {
  for (const type of ['queue', 'stack', 'bloom_filter']) {
    const id = await makeMap(agent, type, { type, key_size: 0, entries: [{ value: '11'.repeat(8) }] });
    const url = `/v1/maps/${id}/entries/batch`;
    const answer = await agent.local
      .post(url)
      .send({ operations: [{ value: '22'.repeat(8) }, { op: 'delete' }] });
    assert.deepEqual([answer.body.done, answer.body.failures[0].code], [1, 'not_editable'], type);
    if (type === 'bloom_filter') continue;
    const head = await agent.local.get(`/v1/maps/${id}/peek`).expect(200);
    assert.equal(head.body.value, (type === 'queue' ? '11' : '22').repeat(8));
    const keyed = await agent.local.put(`/v1/maps/${id}/entries/00`).send({ value: '22'.repeat(8) });
    assert.equal(outcomeOf(keyed), '409 not_editable');
  }
  for (const [type, sizes] of [
    ['ringbuf', { key_size: 0, value_size: 0, max_entries: 4096 }],
    ['perf_event_array', { value_size: 4 }],
    ['cgroup_array', { value_size: 4 }],
  ] as const) {
    const id = await makeMap(agent, `closed/${type}`, { type, ...sizes });
    const put = await agent.local.put(`/v1/maps/${id}/entries/${zero}`).send({ value: zero });
    assert.equal(outcomeOf(put), '409 not_editable');
    assert.match(put.body.detail, /cannot be written: .{20,}/);
    assert.equal(put.body.map_type, type);
  }
});

function bytesOf(number: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes.toString('hex');
}

/** A TCP connection of this process to itself, and the descriptor of one of its ends. */
async function connection(): Promise<AsyncDisposable & { readonly fd: number }> {
  const accepted: Socket[] = [];
  const server: Server = createServer((socket) => accepted.push(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect(Object(server.address()).port, '127.0.0.1');
  await once(client, 'connect');
  return {
    fd: Object(client)._handle.fd,
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      for (const socket of accepted) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
