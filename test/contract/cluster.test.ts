import assert from 'node:assert/strict';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import test, { after } from 'node:test';
import { readEventStream, type StreamMessage } from '../../src/client/sse.ts';
import { ConfigError, type Settings } from '../../src/model/config.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { commandLine } from '../support/command-line.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

/** A machine without etcd: the agent is the manager of a fleet of one. All tests of the file share it. */
const opening = open();
after(async () => await (await opening)[Symbol.asyncDispose]());

async function open(): Promise<TestAgent> {
  const at = await testAgent({ settings: { label: ['role=edge', 'zone=a'] } });
  await until(
    'the node to be in its fleet, with a digest',
    async () => (await at.local.get('/v1/cluster/nodes')).body.items,
    (items) => items[0]?.digest?.pins !== undefined,
    { timeoutMs: 30_000 },
  );
  return at;
}

/** Pins maps in a directory of the test's own, which the agent has seen when this resolves. */
async function pins(at: TestAgent, directory: string, count: number): Promise<readonly string[]> {
  mkdirSync(`${at.bpffs.path}/${directory}`);
  const paths = Array.from({ length: count }, (_, index) => `${directory}/p${index}`);
  for (const path of paths) createMap(`${at.bpffs.path}/${path}`, { name: 'pf_fleet' });
  await at.local.get('/v1/pins?fresh=true').expect(200);
  return paths;
}

test('a machine by itself is a fleet of one node, ready, with labels, address and digest', async () => {
  const at = await opening;
  const { body } = await at.local.get('/v1/cluster/nodes').expect(200);
  const [node] = body.items;
  assert.deepEqual(
    [body.total, node.name, node.state, node.labels, node.address],
    [1, 'test-node', 'ready', { role: 'edge', zone: 'a' }, at.url],
  );
  const own = await at.local.get('/v1/node').expect(200);
  assert.deepEqual([node.boot_id, node.version], [own.body.boot_id, own.body.version]);
  assert.equal((await at.local.get('/v1/cluster/nodes/test-node').expect(200)).body.name, 'test-node');
  await pins(at, 'digested', 1);
  await until(
    'the digest to tell of the pin',
    async () => (await at.local.get('/v1/cluster/nodes/test-node')).body.digest.hash,
    (hash) => hash !== node.digest.hash,
    { timeoutMs: 30_000 },
  );
  const lines = await at.local.get('/v1/cluster/nodes').set('accept', 'application/x-ndjson').expect(200);
  assert.match(String(lines.text ?? lines.body), /"summary":\{"count":1,"complete":true/);
});

test('a selector chooses nodes by label, and what is none is refused with its place', async () => {
  const at = await opening;
  const chosen = async (selector: string): Promise<number> => {
    const { body } = await at.local.get('/v1/cluster/nodes').query({ selector }).expect(200);
    return body.items.length;
  };
  const found = ['role=edge', 'role==edge,zone!=b', 'zone', '!gpu', 'other!=x', ''];
  for (const selector of found) assert.equal(await chosen(selector), 1, selector);
  for (const selector of ['role=core', 'role=edge,zone!=a', 'gpu', '!zone'])
    assert.equal(await chosen(selector), 0, selector);
  for (const selector of ['=a', 'a=b=c', ',', '!a=b', 'a b', 'ü=1', `${'a'.repeat(1025)}`]) {
    const { body } = await at.local.get('/v1/cluster/pins').query({ selector }).expect(422);
    assert.equal(body.code, 'invalid_input', selector);
  }
});

test('what the fleet lists is what its nodes list, with the node on each item', async () => {
  const at = await opening;
  await pins(at, 'listed', 7);
  const lists = [
    { method: 'GET', url: '/v1/cluster/pins' },
    { method: 'GET', url: '/v1/cluster/objects' },
    { method: 'GET', url: '/v1/cluster/maps' },
    { method: 'GET', url: '/v1/cluster/programs' },
    { method: 'GET', url: '/v1/cluster/links' },
    { method: 'GET', url: '/v1/cluster/findings' },
  ];
  for (const { url } of lists) {
    const plural = url.replace('/v1/cluster/', '');
    const query = plural === 'pins' ? { fresh: 'true' } : {};
    const own = await at.local.get(`/v1/${plural}`).query(query).expect(200);
    const answer = await at.local.get(url).expect(200);
    assert.deepEqual([answer.body.complete, answer.body.unreachable], [true, []], plural);
    const ids = (
      items: readonly { readonly id?: number; readonly path?: string; readonly rule?: string }[],
    ) => items.map(({ id, path, rule }) => [id, path, rule]);
    if (plural === 'pins') assert.deepEqual(ids(answer.body.items), ids(own.body.items), plural);
    assert.ok(answer.body.items.every(({ node }: { node: string }) => node === 'test-node'));
  }
  const { body: filtered } = await at.local
    .get('/v1/cluster/pins')
    .query({ prefix: 'listed/p3' })
    .expect(200);
  assert.deepEqual(
    filtered.items.map(({ path }: { path: string }) => path),
    ['listed/p3'],
  );
  const refused = await at.local.get('/v1/cluster/pins').query({ prefix: 'a.b' }).expect(422);
  assert.equal(refused.body.code, 'bad_path', 'what every node would refuse is refused once');
});

test('pages of the fleet end where they say, and their cursors belong to one list', async () => {
  const at = await opening;
  const made = await pins(at, 'paged', 10);
  const paths: string[] = [];
  let cursor: string | undefined;
  do {
    const query = { prefix: 'paged', limit: '3', ...(cursor === undefined ? {} : { cursor }) };
    const { body } = await at.local.get('/v1/cluster/pins').query(query).expect(200);
    paths.push(...body.items.map(({ path }: { path: string }) => path));
    cursor = body.next_cursor ?? undefined;
  } while (cursor !== undefined);
  assert.deepEqual(paths, made);
  const first = await at.local.get('/v1/cluster/pins?limit=3').expect(200);
  const { next_cursor: taken } = first.body;
  for (const [path, given] of [
    ['/v1/cluster/maps', taken],
    ['/v1/cluster/pins', 'AAAAAAAAbm9uc2Vuc2U'],
    ['/v1/cluster/pins', '%'],
  ]) {
    const { body } = await at.local.get(String(path)).query({ cursor: given }).expect(400);
    assert.equal(body.code, 'bad_cursor');
  }
});

test('the stream of the fleet gives everything and ends with a summary', async () => {
  const at = await opening;
  await pins(at, 'streamed', 5);
  const { text } = await at.local
    .get('/v1/cluster/pins?prefix=streamed')
    .set('accept', 'application/x-ndjson')
    .buffer(true)
    .expect(200);
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const { summary } = lines.pop();
  assert.deepEqual(summary, { count: 5, nodes: 1, complete: true, unreachable: [] });
  assert.ok(lines.every(({ node }) => node === 'test-node'));
  const asked = at.local.get('/v1/cluster/pins?limit=3').set('accept', 'application/x-ndjson');
  assert.equal((await asked.expect(422)).body.code, 'invalid_input');
});

test('a request is passed on to the node byte for byte, with the caller’s own role', async () => {
  const at = await opening;
  createMap(`${at.bpffs.path}/through`, { name: 'pf_through' });
  await at.local.get('/v1/pins?fresh=true').expect(200);
  const through = '/v1/cluster/nodes/test-node/api';
  const answer = await at.local.get(`${through}/v1/pins/through`).expect(200);
  const own = await at.local.get('/v1/pins/through').expect(200);
  assert.deepEqual(answer.body, own.body);
  assert.deepEqual(
    [answer.headers['etag'], answer.headers['pinfold-node']],
    [own.headers['etag'], 'test-node'],
  );
  await at.local.get(`${through}/v1/pins/%FFx`).expect(404);
  await at.local
    .patch(`${through}/v1/pins/through`)
    .set('if-match', String(own.headers['etag']))
    .send({ labels: { a: 'b' } })
    .expect(200);
  const { body: events } = await at.local.get('/v1/events?pin=through&type=pin.changed').expect(200);
  assert.match(events.items.at(-1).actor, /^uid:0 pid:\d+ comm:\S+ via:test-node$/, 'history names both');
  const viewer = at.remote(await at.token('viewer'));
  await viewer.get(`${through}/v1/pins/through`).expect(200);
  const refused = await viewer.delete(`${through}/v1/pins/through`).expect(403);
  assert.equal(refused.body.code, 'forbidden');
  await at.local.put(`${through}/v1/directories/made`).expect(201);
  assert.ok(existsSync(`${at.bpffs.path}/made`));
  await at.local.delete(`${through}/v1/directories/made`).expect(204);
  await at.local.post(`${through}/v1/batch`).send({ operations: [] }).expect(422);
});

test('below a node there is its own API and nothing else', async () => {
  const at = await opening;
  const through = '/v1/cluster/nodes/test-node/api';
  const elsewhere = [
    `${through}/v1/cluster/nodes`,
    `${through}/metrics`,
    `${through}/v1/pins/..%2f..%2fmetrics`,
    `${through}/v1/pins/%2e%2e/x`,
    `${through}/v1`,
    `${through}/`,
  ];
  for (const path of elsewhere)
    assert.equal((await at.local.get(path).expect(404)).body.code, 'not_found', path);
  const packed = at.local.put(`${through}/v1/directories/packed`).set('content-encoding', 'gzip');
  const refused = await packed.set('content-type', 'application/json').send('{}').expect(415);
  assert.equal(refused.body.code, 'unsupported_media_type');
  const none = await at.local.get('/v1/cluster/nodes/nobody/api/v1/node').expect(404);
  assert.equal(none.body.code, 'node_not_found');
  assert.equal((await at.local.get('/v1/cluster/nodes/nobody').expect(404)).body.code, 'node_not_found');
  assert.equal((await at.local.get('/v1/cluster/nodes/%2F..').expect(422)).body.code, 'invalid_input');
  assert.equal((await at.local.get('/v1/cluster/pins?node=nobody').expect(404)).body.code, 'node_not_found');
  assert.equal((await at.local.get('/v1/cluster/pins?deadline=31s').expect(422)).body.code, 'invalid_input');
  assert.equal((await at.local.delete('/v1/cluster/nodes/test-node').expect(409)).body.code, 'conflict');
});

test('prometheus is told where to scrape each node', async () => {
  const at = await opening;
  const { body } = await at.local.get('/v1/cluster/prometheus/targets').expect(200);
  assert.deepEqual(body, [
    {
      targets: [new URL(at.url).host],
      labels: {
        node: 'test-node',
        __scheme__: 'http',
        __meta_pinfold_state: 'ready',
        __meta_pinfold_label_role: 'edge',
        __meta_pinfold_label_zone: 'a',
      },
    },
  ]);
});

test('the command line lists nodes, and asks one of them through its manager', async () => {
  const at = await opening;
  const [path = ''] = await pins(at, 'typed', 1);
  const run = async (...words: readonly string[]) => await commandLine([...words, '--address', at.socket]);
  const nodes = await run('get', 'nodes', '-o', 'wide', '-l', 'role=edge');
  assert.deepEqual([nodes.code, nodes.err], [0, '']);
  const [titles = '', row = ''] = nodes.out.split('\n');
  assert.match(titles, /^NAME +STATE +VERSION +PINS +OBJECTS +FINDINGS +SINCE +ADDRESS/);
  assert.match(row, /^test-node +ready .*role=edge,zone=a/);
  assert.equal((await run('get', 'nodes', '-l', 'role=core', '-o', 'name')).out, '');
  assert.equal((await run('get', 'node', 'test-node', '-o', 'name')).out, 'test-node\n');
  assert.equal((await run('get', 'node', 'nobody')).code, 3);
  const own = await run('get', 'pins', path, '-o', 'json');
  assert.deepEqual(await run('get', 'pins', path, '-o', 'json', '--node', 'test-node'), own);
  assert.equal((await run('unpin', path, '--force', '--node', 'test-node')).code, 0);
  assert.equal(existsSync(`${at.bpffs.path}/${path}`), false);
  const none = await run('get', 'pins', '--node', 'nobody');
  assert.deepEqual([none.code, none.out], [3, '']);
});

test('on a machine by itself the tokens of the fleet are in its own database, and good at once', async () => {
  const at = await opening;
  const wish = { name: 'everywhere', role: 'reader', expires_in: '1h' };
  const { body, headers } = await at.local.post('/v1/cluster/tokens').send(wish).expect(201);
  assert.equal(headers['location'], '/v1/cluster/tokens/everywhere');
  await at.remote(body.token).get('/v1/cluster/nodes').expect(200);
  await at.remote(body.token).get('/v1/cluster/tokens').expect(403);
  const { body: listed } = await at.local.get('/v1/cluster/tokens').expect(200);
  const { token: _, ...told } = body;
  assert.deepEqual(listed.items, [told]);
  await at.local.delete('/v1/cluster/tokens/everywhere').expect(204);
  await at.remote(body.token).get('/v1/cluster/nodes').expect(401);
});

test('the key of a fleet is made for its owner alone, once, and says what comes next', async () => {
  using dir = tempDir('cluster-init');
  const file = `${dir.path}/key`;
  const made = await commandLine(['cluster', 'init', file]);
  assert.deepEqual([made.code, made.err], [0, '']);
  assert.match(made.out, /pinfold agent --etcd URL --cluster-key/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const again = await commandLine(['cluster', 'init', file]);
  assert.equal(again.code, 1);
  assert.match(again.err, /cannot be made \(EEXIST\)/);
});

test('an agent that would join a fleet with nothing to be known by says what to do', async () => {
  using dir = tempDir('cluster-refused');
  const etcd = ['http://127.0.0.1:1'];
  const start = async (settings: Settings): Promise<void> => {
    const agent = await testAgent({ settings });
    await agent[Symbol.asyncDispose]();
  };
  const refusals: readonly (readonly [Settings, RegExp])[] = [
    [{ etcd }, /nothing to be known by, so it does not join: give it a certificate with --tls-cert/],
    [{ manager: true }, /go with --etcd URL/],
    [{ etcd: ['127.0.0.1:2379'], 'cluster-key': 'x' }, /--etcd wants http\(s\):\/\/HOST:PORT/],
    [{ etcd: ['https://h:1'], 'cluster-key': 'x' }, /needs --etcd-ca/],
    [{ etcd: [...etcd, 'https://h:1'], 'cluster-key': 'x' }, /for all members, not both/],
    [{ etcd, 'cluster-key': 'x', advertise: 'h' }, /--advertise wants HOST:PORT/],
    [{ etcd, 'cluster-key': 'x', 'fleet-role': 'root' }, /--fleet-role is one of viewer/],
    [{ etcd, 'cluster-key': `${dir.path}/none` }, /cannot be read \(ENOENT\)/],
  ];
  for (const [settings, sentence] of refusals) {
    await assert.rejects(
      start(settings),
      (error) => error instanceof ConfigError && sentence.test(error.message),
    );
  }
});

test('events of the fleet are those of its nodes, by pages that can be taken up again', async () => {
  const at = await opening;
  const paths = await pins(at, 'told', 6);
  const seen: string[] = [];
  let cursor: string | undefined;
  let resume = '';
  do {
    const query = { prefix: 'told', limit: '2', ...(cursor === undefined ? {} : { cursor }) };
    const { body } = await at.local.get('/v1/cluster/events').query(query).expect(200);
    assert.deepEqual([body.complete, body.unreachable], [true, []]);
    seen.push(...body.items.map(({ node, subject }: Told) => `${node}:${subject.path}`));
    ({ resume } = body);
    cursor = body.next_cursor ?? undefined;
  } while (cursor !== undefined);
  const own = await at.local.get('/v1/events?prefix=told').expect(200);
  assert.deepEqual(
    seen,
    own.body.items.map(({ subject }: Told) => `test-node:${subject.path}`),
  );
  assert.ok(seen.length >= paths.length);
  createMap(`${at.bpffs.path}/told/later`, { name: 'pf_fleet' });
  await at.local.get('/v1/pins?fresh=true').expect(200);
  const { body } = await at.local
    .get('/v1/cluster/events')
    .query({ prefix: 'told', cursor: resume })
    .expect(200);
  assert.deepEqual(
    body.items.map(({ subject }: Told) => subject.path),
    ['told/later'],
  );
  for (const given of ['x', resume.slice(0, -2), `${resume}AA`]) {
    const refused = await at.local
      .get('/v1/cluster/events')
      .query({ prefix: 'told', cursor: given })
      .expect(400);
    assert.equal(refused.body.code, 'bad_cursor');
  }
});

test('a live stream of the fleet’s events goes on where its reader was', async () => {
  const at = await opening;
  await pins(at, 'live', 3);
  const read = async (lastEventId: string, count: number): Promise<readonly StreamMessage[]> => {
    const gone = new AbortController();
    const response = await fetch(`${at.url}/v1/cluster/events?prefix=live&since=0`, {
      headers: {
        accept: 'text/event-stream',
        authorization: `Bearer ${at.secret}`,
        ...(lastEventId === '' ? {} : { 'last-event-id': lastEventId }),
      },
      signal: gone.signal,
    });
    assert.equal(response.status, 200);
    const messages: StreamMessage[] = [];
    for await (const message of readEventStream(response.body ?? new ReadableStream())) {
      if (message.data !== undefined) messages.push(message);
      if (messages.length >= count) break;
    }
    gone.abort();
    return messages;
  };
  const first = await read('', 3);
  assert.deepEqual(
    first.map(({ event, data }) => [event, told(data)]),
    ['live/p0', 'live/p1', 'live/p2'].map((path) => ['pin.created', path]),
  );
  const id = first.at(-1)?.id ?? '';
  assert.notEqual(id, '');
  createMap(`${at.bpffs.path}/live/p3`, { name: 'pf_fleet' });
  const [next] = await read(id, 1);
  assert.equal(told(next?.data), 'live/p3');
});

interface Told {
  readonly node: string;
  readonly subject: { readonly path: string };
}

function told(data: unknown): string {
  return Object(data).subject.path;
}
