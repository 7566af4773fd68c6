import assert from 'node:assert/strict';
import { request } from 'node:http';
import test, { after, before } from 'node:test';
import { problemOf } from '../../src/api/problem.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { processorMs } from '../support/processor-time.ts';
import { sendRaw } from '../support/raw-http.ts';
import { databaseOf, sqlite3Rows } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';
import { bpftoolItems, streamOf } from './entries-fixture.ts';
import { bpftoolValue, makeMap, outcomeOf } from './map-edits-fixture.ts';
import { valueBtf } from './map-recipes.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

const lineType = 'application/x-ndjson';
const packedType = 'application/vnd.pinfold.entries';

const batchUrl = (id: number, query = ''): string => `/v1/maps/${id}/entries/batch${query}`;
const post = (id: number, type: string, body: string | Buffer, query = '') =>
  agent.local.post(batchUrl(id, query)).set('content-type', type).send(body);

test('each line of a batch is done or fails on its own, and the answer counts exactly', async () => {
  const id = await makeMap(agent, 'lines', { max_entries: 2 });
  const value = 'aa'.repeat(8);
  const operations = [
    { key: '01000000', value },
    { op: 'delete', key: '09000000' },
    { op: 'put', key: '02000000', value },
    { key: '03000000', value },
    { key: '04', value },
    { key: '01000000' },
    { op: 'delete', key: '02000000' },
    { key: '03000000', value },
  ];
  const answer = await agent.local.post(batchUrl(id)).send({ operations }).expect(200);
  const { operation_id, failures, ...counts } = answer.body;
  assert.deepEqual(counts, { atomic: false, done: 4, failed: 4 });
  assert.deepEqual(
    failures.map(({ index, code }: { index: number; code: string }) => [index, code]),
    [
      [1, 'entry_not_found'],
      [3, 'map_full'],
      [4, 'invalid_input'],
      [5, 'invalid_input'],
    ],
  );
  assert.deepEqual(
    ['01', '02', '03'].map((key) => bpftoolValue(id, `${key}000000`)),
    [value, undefined, value],
  );
  assert.equal(answer.headers['pinfold-operation'], operation_id);
  const told = await agent.local.get(`/v1/operations/${operation_id}`).expect(200);
  assert.equal(told.body.detail, '4 entries were changed, 4 failed.');
  const lines = operations.map((operation) => `${JSON.stringify(operation)}\n`).join('');
  const again = await post(id, lineType, `${lines}\nno json\n[1]`);
  assert.deepEqual([again.body.done, again.body.failed], [3, 7]);
  assert.deepEqual(
    again.body.failures.slice(-2).map(({ index, code }: { index: number; code: string }) => [index, code]),
    [
      [8, 'bad_json'],
      [9, 'invalid_input'],
    ],
  );
});

test('a line that nests without end fails by itself; what is between such lines is done', async () => {
  const btf = { blob_base64: valueBtf(), key_type_id: 1, value_type_id: 3 };
  const id = await makeMap(agent, 'nested', { btf });
  const plain = await makeMap(agent, 'nested-plain', {});
  const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
  for (const levels of [limits.jsonDepthMax - 1, limits.jsonDepthMax, 6000, 200_000]) {
    const lines = ['{"key":1,"value":{"count":"1"}}', `{"key":2,"value":${deep(levels)}}`];
    const typed = await post(
      id,
      lineType,
      [...lines, `{"key":${deep(levels)},"value":1}`, lines[0]].join('\n'),
    );
    assert.deepEqual([typed.status, typed.body.done, typed.body.failed], [200, 2, 2], typed.text);
    for (const view of ['u64', 'utf8', 'ipv4'].slice(0, 2)) {
      const query = `?key_as=u32&value_as=${view}`;
      const { body } = await post(plain, lineType, lines.slice(1).join('\n'), query);
      assert.deepEqual([body.done, body.failed, body.failures[0].code], [0, 1, 'invalid_input'], view);
    }
    const operations = `{"operations":[${lines.join()}]}`;
    const whole = await post(id, 'application/json', operations);
    const isTooDeep = levels >= limits.jsonDepthMax - 2;
    assert.equal(whole.status, isTooDeep ? 422 : 200, whole.text);
    if (isTooDeep) assert.equal(whole.body.errors[0].pointer, '/body/operations');
    const spec = { name: 'deep', type: 'hash', key_size: 4, value_size: 8, max_entries: 1, value_as: 'u64' };
    const entries = `"entries":[{"key":"01000000","value":${deep(levels)}}],"pin":{"path":"deep"}}`;
    const body = `${JSON.stringify(spec).slice(0, -1)},${entries}`;
    const made = await agent.local.post('/v1/maps').set('content-type', 'application/json').send(body);
    assert.equal(made.status, 422, made.text);
    const keyed = await agent.local
      .post(batchUrl(id))
      .set('content-type', 'application/json')
      .set('idempotency-key', `deep-${levels}`)
      .send(operations);
    assert.ok(keyed.status < 500, keyed.text);
  }
});

test('a batch that ends by a defect still tells what was done, and where to look it up', async () => {
  const id = await makeMap(agent, 'defect', {});
  const good = Buffer.from(`{"key":"01000000","value":"${'00'.repeat(8)}"}\n`);
  async function* body(): AsyncGenerator<Buffer, void, undefined> {
    yield good;
    throw new TypeError('a defect');
  }
  const context = {
    caller: { actor: 'test', role: 'admin' },
    requestId: 'r-1',
    dryRun: false,
    createOnly: false,
    ifMatch: undefined,
    accept: new Set<never>(),
    force: false,
  } as const;
  const running = agent.agent.batches.run(
    { mapId: id, choice: {}, mode: 'any' },
    { kind: 'lines', body: body() },
    context,
  );
  const failure: unknown = await running.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(isPinfoldError(failure, 'internal'), String(failure));
  const problem = problemOf(failure, 'r-1');
  const { operation_id, done, failed, detail } = problem.body;
  assert.deepEqual([problem.status, done, failed], [500, 1, 0]);
  assert.doesNotMatch(String(detail), /defect/);
  const told = await agent.local.get(`/v1/operations/${operation_id}`).expect(200);
  assert.deepEqual(
    [told.body.outcome, told.body.detail],
    ['applied', '1 entries were changed, 0 failed. It ended early: a defect'],
  );
});

const types: readonly (readonly [string, object, readonly string[]])[] = [
  ['hash', {}, ['raw', 'bpftool']],
  ['lru_hash', { max_entries: 10_000 }, ['raw']],
  ['array', {}, ['raw', 'typed']],
  ['percpu_hash', { value_size: 3 }, ['raw', 'bpftool']],
  ['percpu_array', {}, ['typed']],
  ['lpm_trie', { key_size: 8, flags: ['no_prealloc'] }, ['typed', 'raw']],
];

for (const [type, spec, formats] of types) {
  test(`a dump of a ${type} makes an equal map when it is sent back`, async () => {
    const sizes = { type, max_entries: 3000, ...spec };
    const from = await makeMap(agent, `dump/${type}`, sizes);
    const packed = packedEntries(type, Object(spec).value_size ?? 8, 3000);
    const filled = await post(from, packedType, packed);
    assert.deepEqual([filled.body.done, filled.body.failed], [3000, 0], filled.text);
    for (const format of formats) {
      const to = await makeMap(agent, `copy/${type}-${format}`, sizes);
      const { lines, summary } = await streamOf(agent, from, `?format=${format}`);
      const text = `${lines.join('\n')}\n${JSON.stringify({ summary })}\n`;
      const answer = await post(to, lineType, text, `?format=${format}`);
      assert.deepEqual([answer.body.done, answer.body.failed], [3000, 0], answer.text);
      assert.deepEqual(bpftoolItems(to), bpftoolItems(from), format);
    }
  });
}

test('only the summary that ends a dump is no entry; a line with more or less has failed', async () => {
  const id = await makeMap(agent, 'summaries', { max_entries: 10 });
  const lines = ['{"summary":{},"key":"00000001"}', '{"summary":5}', '{"summary":{"count":0}}'];
  const { body } = await post(id, lineType, `${lines.join('\n')}\n`, '?format=raw');
  assert.deepEqual([body.done, body.failed], [0, 2]);
});

test('packed keys remove, packed entries write, and what is cut off is told', async () => {
  const id = await makeMap(agent, 'packed', { max_entries: 5000 });
  const entries = packedEntries('hash', 8, 5000);
  const cut = await post(id, packedType, Buffer.concat([entries, Buffer.from('cut')]));
  assert.deepEqual([cut.body.done, cut.body.failed], [5000, 1]);
  assert.deepEqual(
    [cut.body.failures[0].index, cut.body.failures[0].detail],
    [5000, '3 bytes are left, and an entry has 12.'],
  );
  assert.equal(bpftoolValue(id, '87130000'), entries.subarray(12 * 4999 + 4).toString('hex'));
  const keys = Buffer.concat(
    Array.from({ length: 5001 }, (_, index) => entries.subarray(12 * index, 12 * index + 4)),
  );
  keys.writeUInt32LE(77_777, 4 * 2500);
  const extra = Buffer.concat([keys.subarray(0, 4 * 5000), Buffer.from('01000000', 'hex')]);
  const removed = await post(id, packedType, extra, '?op=delete');
  assert.deepEqual([removed.body.done, removed.body.failed], [4999, 2]);
  assert.deepEqual(
    removed.body.failures.map(({ index, code }: { index: number; code: string }) => [index, code]),
    [
      [2500, 'entry_not_found'],
      [5000, 'entry_not_found'],
    ],
  );
  assert.equal((await agent.local.get(`/v1/maps/${id}/count`).expect(200)).body.count, 1);
});

test('modes hold for every line of a batch', async () => {
  const id = await makeMap(agent, 'modes', { max_entries: 100 });
  const packed = packedEntries('hash', 8, 50);
  const create = await post(id, packedType, packed, '?mode=create');
  assert.equal(create.body.done, 50);
  const again = await post(id, packedType, packedEntries('hash', 8, 60), '?mode=create');
  assert.deepEqual(
    [again.body.done, again.body.failed, again.body.failures[0].code],
    [10, 50, 'entry_exists'],
  );
  const update = await post(id, packedType, packedEntries('hash', 8, 70), '?mode=update');
  assert.deepEqual([update.body.done, update.body.failures[0].code], [60, 'entry_not_found']);
});

test('of ten thousand failures the first thousand are told, and all are counted', async () => {
  const id = await makeMap(agent, 'failures', { max_entries: 1 });
  const answer = await post(id, packedType, packedEntries('hash', 8, 10_001));
  assert.deepEqual([answer.body.done, answer.body.failed, answer.body.failures.length], [1, 10_000, 1000]);
});

test('a dry run of a batch understands it and changes nothing', async () => {
  const id = await makeMap(agent, 'dry', {});
  const text = `{"key":"01000000","value":"${'00'.repeat(8)}"}\n{"key":"01"}\n`;
  const answer = await post(id, lineType, text, '?dry_run=true');
  assert.deepEqual(answer.body.plan, [
    { action: 'batch', detail: 'change 1 entries; 1 lines are not understood', hazards: [] },
  ]);
  assert.equal(bpftoolValue(id, '01000000'), undefined);
});

test('a client that goes in the middle leaves what was done, told as such, and nothing open', async () => {
  const id = await makeMap(agent, 'gone', { max_entries: 100_000 });
  const sent = request({
    socketPath: agent.socket,
    method: 'POST',
    path: batchUrl(id),
    headers: { 'content-type': packedType, 'content-length': 12 * 100_000 },
  });
  sent.on('error', () => undefined);
  sent.write(packedEntries('hash', 8, 40_000));
  const count = async (): Promise<number> =>
    (await agent.local.get(`/v1/maps/${id}/count`).expect(200)).body.count;
  await until('most of what was sent is in', count, (entries) => entries > 30_000);
  await untilPasses(async () => {
    const { references } = (await agent.local.get(`/v1/maps/${id}`).expect(200)).body;
    assert.deepEqual([references.refcnt, references.usercnt], [1, 1], 'the batch is in no count');
  });
  sent.destroy();
  const settled = async () => {
    const events = await agent.local.get(`/v1/events?type=entry.changed&id=${id}`).expect(200);
    return events.body.items[0];
  };
  const event = await until('the batch is settled', settled, (item) => item !== undefined);
  assert.equal(event.after.entries, await count());
  const operation = await agent.local.get(`/v1/operations/${event.operation_id}`).expect(200);
  assert.match(operation.body.detail, /^\d+ entries were changed, \d failed. It ended early: The body ended/);
  await until('everything is closed', () => agent.running.kernel.fds.transient().length === 0);
});

test('eight batches run at one time, and a ninth is told to come again', async () => {
  const id = await makeMap(agent, 'many', {});
  const open = Array.from({ length: 8 }, () => {
    const headers = { 'content-type': packedType };
    const sent = request({ socketPath: agent.socket, method: 'POST', path: batchUrl(id), headers });
    const ended = new Promise<number>((resolve, reject) => {
      sent.on('error', reject);
      sent.on('response', (response) => resolve(response.resume().statusCode ?? 0));
    });
    sent.write(Buffer.alloc(6));
    return { sent, ended };
  });
  const isFull = async () => {
    const answer = await agent.local.post(batchUrl(id)).send({ operations: [] });
    return answer.status === 429 && answer.headers['retry-after'] === '1';
  };
  await until('all eight are being read', isFull);
  for (const { sent } of open) sent.end(Buffer.alloc(6));
  assert.deepEqual(await Promise.all(open.map(({ ended }) => ended)), Array(8).fill(200));
  await agent.local.post(batchUrl(id)).send({ operations: [] }).expect(200);
});

test('an agent that is stopped settles the batch under way first', async () => {
  using state = tempDir('state');
  const id = await makeMap(agent, 'stopped', {});
  {
    await using other = await testAgent({ stateDir: state.path });
    const headers = { 'content-type': packedType };
    const sent = request({ socketPath: other.socket, method: 'POST', path: batchUrl(id), headers });
    sent.on('error', () => undefined);
    sent.write(packedEntries('hash', 8, 10));
    await until('the batch is read', () => sqlite3Rows(databaseOf(state.path), select).length === 1);
  }
  const [operation] = sqlite3Rows(databaseOf(state.path), select);
  assert.equal(operation?.['outcome'], 'applied');
  assert.match(String(operation?.['detail']), /^10 entries were changed, 0 failed\. It ended early/);
  assert.notEqual(bpftoolValue(id, '09000000'), undefined);
});

const select = "SELECT outcome, detail FROM operation WHERE kind = 'entries_batch'";

test('others are answered meanwhile, and no turn of the event loop takes long', async () => {
  const id = await makeMap(agent, 'fair', { max_entries: 400_000 });
  const body = packedEntries('hash', 8, 400_000);
  const turns: number[] = [];
  let last = processorMs();
  // Processor time: how long others on this machine keep it from us says nothing of how long a turn is.
  const timer = setInterval(() => {
    const now = processorMs();
    turns.push(now - last);
    last = now;
  }, 1);
  const answer = await post(id, packedType, body);
  clearInterval(timer);
  assert.equal(answer.body.done, 400_000, answer.text);
  turns.sort((a, b) => a - b);
  assert.ok(
    (turns[Math.floor(turns.length * 0.9)] ?? 0) < 40,
    `processor time: ${turns.slice(-20).map(Math.round)}`,
  );
  assert.ok(turns.length > 20, `${turns.length} turns`);
});

test('what does not go together is refused before anything is read', async () => {
  const id = await makeMap(agent, 'refused', {});
  const lines = await post(id, lineType, '{}', '?op=delete');
  assert.equal(outcomeOf(lines), '422 invalid_input');
  const keyed = await post(id, packedType, Buffer.alloc(12)).set('idempotency-key', 'streamed');
  assert.equal(outcomeOf(keyed), '422 invalid_input');
  const text = await post(id, 'text/plain', 'x');
  assert.equal(outcomeOf(text), '415 unsupported_media_type');
  for (const type of ['application/json', lineType, packedType]) assert.ok(text.body.detail.includes(type));
  const packed = await post(id, packedType, Buffer.alloc(12)).set('content-encoding', 'gzip');
  assert.equal(outcomeOf(packed), '415 unsupported_media_type');
  const one = { key: '00000000', value: '00'.repeat(8) };
  const batch = agent.local
    .post(batchUrl(id))
    .set('content-encoding', 'gzip')
    .send({ operations: [one] });
  assert.equal(outcomeOf(await batch), '415 unsupported_media_type');
  const put = agent.local.put(`/v1/maps/${id}/entries/00000000`).set('content-encoding', 'gzip').send(one);
  assert.equal(outcomeOf(await put), '415 unsupported_media_type');
  assert.equal(bpftoolValue(id, '00000000'), undefined);
  const array = await makeMap(agent, 'no-delete', { type: 'array' });
  assert.equal(outcomeOf(await post(array, packedType, Buffer.alloc(4), '?op=delete')), '409 not_editable');
  const sockets = await makeMap(agent, 'no-packed', { type: 'sockmap' });
  assert.equal(outcomeOf(await post(sockets, packedType, Buffer.alloc(12))), '409 not_editable');
  const long = await post(id, lineType, `{"key":"${'0'.repeat(5 * 1024 * 1024)}"}`);
  assert.equal(outcomeOf(long), '413 body_too_large');
});

test('what is behind a line that is too long is thrown away, and the connection goes on', async () => {
  const id = await makeMap(agent, 'long', {});
  const body = `{"key":"${'0'.repeat(12 * 1024 * 1024)}"}\n`;
  const head = [`Host: ${new URL(agent.url).host}`, `Authorization: Bearer ${agent.secret}`];
  const post = [`POST ${batchUrl(id)} HTTP/1.1`, ...head, `Content-Type: ${lineType}`];
  const lines = [...post, `Content-Length: ${body.length}`, '', body];
  const get = [`GET /v1/maps/${id} HTTP/1.1`, ...head, '', ''].join('\r\n');
  const { text } = await sendRaw(agent.url, lines.join('\r\n') + get, 5000);
  assert.match(text, /^HTTP\/1\.1 413 [\s\S]*HTTP\/1\.1 200 /);
});

/** Entries as the packed form has them; values of all CPUs where the type is per-CPU. */
function packedEntries(type: string, valueSize: number, count: number): Buffer {
  const isTrie = type === 'lpm_trie';
  const keySize = isTrie ? 8 : 4;
  const { possible } = agent.running.kernel.facts.cpus;
  const stride = Math.ceil(valueSize / 8) * 8;
  const wireSize = type.startsWith('percpu') ? stride * possible : valueSize;
  const bytes = Buffer.alloc(count * (keySize + wireSize));
  for (let index = 0; index < count; index++) {
    const at = index * (keySize + wireSize);
    if (isTrie) bytes.writeUInt32LE(32, at);
    bytes.writeUInt32LE(index, at + keySize - 4);
    for (let from = 0; from < wireSize; from += type.startsWith('percpu') ? stride : wireSize) {
      bytes.fill(index % 251, at + keySize + from, at + keySize + from + valueSize);
    }
  }
  return bytes;
}
