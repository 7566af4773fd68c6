import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { BtfBuilder } from '../support/btf-builder.ts';
import { streamOf } from './entries-fixture.ts';
import { bpftoolValue, makeMap, outcomeOf } from './map-edits-fixture.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

/** `struct pf_key { char port_class; int port; }`: three bytes of padding between them. */
function paddedBtf(member: string): object {
  const btf = new BtfBuilder();
  const int = btf.int('int', 4, 'signed');
  const byte = btf.int('unsigned char', 1);
  btf.struct('pf_key', 8, [
    { name: member, type: byte, at: 0 },
    { name: 'port', type: int, at: 32 },
  ]);
  return { blob_base64: btf.build().toString('base64'), key_type: 'pf_key', value_type: 'int' };
}

const spec = { type: 'hash', key_size: 8, value_size: 4, max_entries: 8 };
const plain = '0100000005000000';
const dirty = '01aa00bb05000000';

test('keys that differ in their padding alone are told apart, and taken back as they are shown', async () => {
  const id = await makeMap(agent, 'padded', { ...spec, btf: paddedBtf('class') });
  for (const [hex, value] of [
    [plain, 1],
    [dirty, 2],
  ] as const) {
    const put = await agent.local.put(`/v1/maps/${id}/entries/${hex}?format=typed`).send({ value });
    assert.equal(outcomeOf(put), '201');
  }
  const { lines } = await streamOf(agent, id, '?format=typed');
  const entries = lines.map((line) => JSON.parse(line)).sort((one, other) => one.value - other.value);
  assert.deepEqual(entries, [
    { key: { class: 1, port: 5 }, value: 1 },
    { key: { hex: dirty }, value: 2 },
  ]);
  const page = await agent.local.get(`/v1/maps/${id}/entries?format=typed`).expect(200);
  assert.deepEqual(new Set(page.body.items.map(({ value }: { value: number }) => value)), new Set([1, 2]));
  for (const { key, value } of entries) {
    const at = `/v1/maps/${id}/entry?key=${encodeURIComponent(JSON.stringify(key))}`;
    assert.equal((await agent.local.get(at).expect(200)).body.value, value);
  }
  const copy = await makeMap(agent, 'padded-copy', { ...spec, btf: { map: id } });
  const batch = await agent.local
    .post(`/v1/maps/${copy}/entries/batch`)
    .set('content-type', 'application/x-ndjson')
    .send(lines.join('\n'));
  assert.deepEqual([batch.body.done, batch.body.failed], [2, 0], batch.text);
  assert.equal(bpftoolValue(copy, plain), '01000000');
  assert.equal(bpftoolValue(copy, dirty), '02000000');
});

test('a member called hex keeps its own meaning, and digits that do not fit are refused', async () => {
  const id = await makeMap(agent, 'named-hex', { ...spec, btf: paddedBtf('hex') });
  const at = (key: object) => `/v1/maps/${id}/entry?key=${encodeURIComponent(JSON.stringify(key))}`;
  assert.equal(outcomeOf(await agent.local.put(at({ hex: 1, port: 5 })).send({ value: 7 })), '201');
  assert.equal(bpftoolValue(id, plain), '07000000');
  assert.equal(outcomeOf(await agent.local.put(at({ hex: dirty })).send({ value: 8 })), '201');
  assert.equal(bpftoolValue(id, dirty), '08000000');
  for (const hex of ['01', `${dirty}00`, 'zz00000000000000']) {
    assert.equal(outcomeOf(await agent.local.put(at({ hex })).send({ value: 9 })), '422 invalid_input', hex);
  }
});

test('keys without padding are written by the fast way and never as digits', async () => {
  const btf = new BtfBuilder();
  const int = btf.int('int', 4, 'signed');
  btf.struct('pf_key', 8, [
    { name: 'one', type: int, at: 0 },
    { name: 'two', type: int, at: 32 },
  ]);
  const types = { blob_base64: btf.build().toString('base64'), key_type: 'pf_key', value_type: 'int' };
  const id = await makeMap(agent, 'whole', { ...spec, btf: types });
  await agent.local
    .put(`/v1/maps/${id}/entries/ffffffffffffffff?format=typed`)
    .send({ value: 1 })
    .expect(201);
  const { lines } = await streamOf(agent, id, '?format=typed');
  assert.deepEqual(lines, ['{"key":{"one":-1,"two":-1},"value":1}']);
  const put = await agent.local.put(`/v1/maps/${id}/entry?key={"hex":"ffffffffffffffff"}`).send({ value: 2 });
  assert.equal(outcomeOf(put), '422 invalid_input');
});
