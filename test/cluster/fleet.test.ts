import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { readEventStream, type StreamMessage } from '../../src/client/sse.ts';
import { formatPlaces, parsePlaces } from '../../src/cluster/fan-out/places.ts';
import { writeClusterKey } from '../../src/cluster/signing/key-file.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';

/** The same machine stands for several: each agent has a bpffs, a state and a name of its own. */
const dir = tempDir('fleet');
const key = join(dir.path, 'key');
writeClusterKey(key);
let etcd: TestEtcd | undefined;
const opening = open();
const patience = { timeoutMs: 60_000, everyMs: 100 };

async function open() {
  etcd = await startEtcd(3);
  const { urls } = etcd;
  const node = async (name: string, zone: string, more: Readonly<Record<string, boolean>> = {}) =>
    await testAgent({
      settings: { node: name, etcd: urls, 'cluster-key': key, label: [`zone=${zone}`], ...more },
    });
  const agents = {
    a: await node('a', 'x', { manager: true }),
    b: await node('b', 'y'),
    c: await node('c', 'x'),
  };
  for (const [name, at] of Object.entries(agents)) {
    for (let index = 0; index < 4; index += 1)
      createMap(`${at.bpffs.path}/${name}${index}`, { name: 'pf_fleet' });
    await at.local.get('/v1/pins?fresh=true').expect(200);
  }
  return { etcd, node, ...agents };
}

after(async () => {
  const world = await opening.catch(() => undefined);
  for (const at of world === undefined ? [] : [world.a, world.b, world.c]) await at[Symbol.asyncDispose]();
  etcd?.[Symbol.dispose]();
  dir[Symbol.dispose]();
});

/** What the manager says of its nodes: `a ready, b stale`. */
async function states(manager: TestAgent): Promise<string> {
  const { body } = await manager.local.get('/v1/cluster/nodes').expect(200);
  return body.items.map(({ name, state }: Record<string, string>) => `${name} ${state}`).join(', ');
}

async function untilStates(manager: TestAgent, expected: string): Promise<void> {
  await until(
    'the states of nodes',
    () => states(manager),
    (seen) => seen === expected,
    patience,
  );
}

/** Everything the fleet lists, by pages. */
async function listed(manager: TestAgent, query: Readonly<Record<string, string>> = {}) {
  const items: string[] = [];
  const unreachable: string[] = [];
  let cursor: string | undefined;
  do {
    const asked = { limit: '5', deadline: '30s', ...query, ...(cursor === undefined ? {} : { cursor }) };
    const { body } = await manager.local.get('/v1/cluster/pins').query(asked).expect(200);
    items.push(...body.items.map(({ node, path }: Record<string, string>) => `${node}:${path}`));
    unreachable.push(...body.unreachable.map(({ node }: Record<string, string>) => node));
    assert.equal(body.complete, body.unreachable.length === 0);
    cursor = body.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return { items, unreachable };
}

const of = (name: string): string[] => [0, 1, 2, 3].map((index) => `${name}:${name}${index}`);

test('agents meet in etcd, and a manager lists what all of them have', async () => {
  const { a, b } = await opening;
  await untilStates(a, 'a ready, b ready, c ready');
  assert.deepEqual(await listed(a), { items: [...of('a'), ...of('b'), ...of('c')], unreachable: [] });
  assert.deepEqual((await listed(a, { selector: 'zone=x' })).items, [...of('a'), ...of('c')]);
  assert.deepEqual((await listed(a, { node: 'b' })).items, of('b'));
  const refused = await b.local.get('/v1/cluster/nodes').expect(421);
  assert.equal(refused.body.code, 'not_a_manager');
  assert.match(refused.body.detail, /--manager/);
});

test('etcd holds two keys a node, of less than 2 KiB, and nothing of its objects', async () => {
  const { a, etcd } = await opening;
  await until(
    'three digests',
    async () => (await a.local.get('/v1/cluster/nodes')).body.items,
    (items) => items.every(({ digest }: { digest: unknown }) => digest !== null),
    patience,
  );
  const { kvs } = JSON.parse(etcd.ctl('get', '', '--prefix', '-w', 'json'));
  const keys = kvs.map(({ key: text }: { key: string }) => Buffer.from(text, 'base64').toString());
  const names = ['a', 'b', 'c'].flatMap((name) => [`nodes/${name}/digest`, `nodes/${name}/member`]);
  // Besides, once one is elected, who leads.
  assert.deepEqual(
    keys.filter((key: string) => key !== '/pinfold/v1/manager/leader'),
    names.map((name) => `/pinfold/v1/${name}`),
  );
  for (const { value } of kvs) assert.ok(Buffer.from(value, 'base64').length <= 1024);
});

test('a manager acts at a node as its caller, and with no more than the node allows managers', async () => {
  const { a, b } = await opening;
  const through = '/v1/cluster/nodes/b/api';
  await a.local.get(`${through}/v1/pins/b0`).expect(200);
  await a.local
    .patch(`${through}/v1/pins/b0`)
    .send({ labels: { by: 'a' } })
    .expect(200);
  const { body } = await b.local.get('/v1/events?pin=b0&type=pin.changed').expect(200);
  assert.match(body.items.at(-1).actor, /^uid:0 pid:\d+ comm:\S+ via:a$/);
  assert.equal((await a.local.get(`${through}/v1/tokens`).expect(403)).body.code, 'forbidden');
  await a.local.get('/v1/tokens').expect(200);
  const roles = { viewer: [200, 403], reader: [200, 403], operator: [200, 200] } as const;
  for (const role of ['viewer', 'reader', 'operator'] as const) {
    const as = a.remote(await a.token(role));
    await as.get(`${through}/v1/pins/b1`).expect(roles[role][0]);
    await as
      .patch(`${through}/v1/pins/b1`)
      .send({ labels: { by: role } })
      .expect(roles[role][1]);
  }
  await a.remote(null).get(`${through}/v1/pins/b1`).expect(401);
  const unsigned = await b.remote(null).get('/v1/pins/b1').expect(401);
  assert.equal(unsigned.body.code, 'unauthenticated');
  const own = { 'pinfold-actor': 'uid:0', 'pinfold-role': 'admin' };
  await b.remote(null).get('/v1/pins/b1').set(own).expect(401);
});

test('an agent with another key is in nobody’s lists, and is named with the reason', async () => {
  const { a, etcd } = await opening;
  const other = join(dir.path, 'other');
  writeClusterKey(other);
  const settings = { node: 'stranger', etcd: etcd.urls, 'cluster-key': other, manager: true };
  {
    await using stranger = await testAgent({ settings });
    await until(
      'the stranger',
      () => states(a),
      (seen) => seen.includes('stranger ready'),
      patience,
    );
    const { body } = await a.local.get('/v1/cluster/pins').expect(200);
    assert.equal(body.complete, false);
    assert.deepEqual(
      body.unreachable.map(({ node }: Record<string, string>) => node),
      ['stranger'],
    );
    assert.match(body.unreachable[0].reason, /not signed with the key of this cluster/);
    const theirs = await stranger.local.get('/v1/cluster/pins').expect(200);
    assert.deepEqual(
      theirs.body.items.filter(({ node }: Record<string, string>) => node !== 'stranger'),
      [],
    );
  }
  await until(
    'the stranger to go',
    () => states(a),
    (seen) => seen.includes('stranger stale'),
    patience,
  );
  await a.local.delete('/v1/cluster/nodes/stranger').expect(204);
  await untilStates(a, 'a ready, b ready, c ready');
});

test('a second agent of the same name does not take the first one’s place, and says so', async () => {
  const { a, b, node } = await opening;
  await using twin = await node('b', 'y');
  assert.ok(
    twin.logs.some((line) => line.includes('Another agent, at') && line.includes('is in the fleet as b')),
  );
  await twin.local.get('/v1/pins').expect(200);
  const { body } = await a.local.get('/v1/cluster/nodes/b').expect(200);
  assert.equal(body.address, b.url);
});

/** A cursor that has another place for b. */
function withPlaceOfB(cursor: string, place: string): string {
  const { begun, nodes } = parsePlaces(Buffer.from(cursor.slice(8), 'base64url'));
  const bytes = formatPlaces({ begun, nodes: new Map([...nodes, ['b', place]]) });
  return `${cursor.slice(0, 8)}${bytes.toString('base64url')}`;
}

test('events of a fleet go on from the place of each node, also of one with nothing to tell', async (t) => {
  const { a, b } = await opening;
  t.after(async () => {
    rmSync(`${b.bpffs.path}/told`, { recursive: true, force: true });
    await b.local.get('/v1/pins?fresh=true').expect(200);
  });
  const told = { type: 'pin.created', prefix: 'told', mount: b.mount };
  const page = async (more: Readonly<Record<string, string>>) => {
    const { body } = await a.local
      .get('/v1/cluster/events')
      .query({ ...told, ...more })
      .expect(200);
    const items = body.items.map(({ node, subject }: Told) => `${node}:${subject.path}`).sort();
    return { ...body, items };
  };
  const allOf = (path: string): readonly string[] => ['a', 'b', 'c'].map((node) => `${node}:${path}`);
  const make = async (path: string): Promise<void> => {
    createMap(`${b.bpffs.path}/${path}`, { name: 'pf_told' });
    await untilPasses(async () => {
      const { items } = await page({});
      for (const line of allOf(path)) assert.ok(items.includes(line), line);
    }, patience);
  };
  const empty = await page({});
  assert.deepEqual([empty.items, empty.complete, empty.gaps], [[], true, []]);
  mkdirSync(`${b.bpffs.path}/told`);
  await make('told/one');
  const { resume } = await page({ cursor: empty.resume });
  await make('told/two');
  assert.deepEqual((await page({ cursor: resume })).items, allOf('told/two'));
  const live = `?type=pin.created&prefix=told&mount=${b.mount}`;
  const stream = async (id: string | undefined, until: (message: StreamMessage) => boolean) => {
    const gone = new AbortController();
    const headers = { accept: 'text/event-stream', authorization: `Bearer ${a.secret}` };
    const known = id === undefined ? {} : { 'last-event-id': id };
    const url = `${a.url}/v1/cluster/events${live}`;
    const response = await fetch(url, { headers: { ...headers, ...known }, signal: gone.signal });
    const seen: StreamMessage[] = [];
    for await (const message of readEventStream(response.body ?? new ReadableStream())) {
      seen.push(message);
      if (until(message)) break;
    }
    gone.abort();
    return seen;
  };
  const [begin] = (await stream(undefined, ({ id }) => id !== undefined)).slice(-1);
  await make('told/three');
  let left = 3;
  const seen = await stream(begin?.id, ({ event }) => event === 'pin.created' && --left === 0);
  const paths = seen.filter(({ event }) => event === 'pin.created').map(({ data }) => lineOf(data));
  assert.deepEqual(paths.sort(), allOf('told/three'), 'nothing of what was before the stream');
  for (const [place, after] of [
    ['99999999', 99_999_999],
    ['1-000000', 1],
  ] as const) {
    const foreign = withPlaceOfB(resume, place);
    const { gaps, complete, items } = await page({ cursor: foreign });
    assert.equal(complete, false);
    assert.deepEqual(gaps, [{ node: 'b', after, next: 1, reason: 'other_log' }]);
    assert.ok(items.includes('b:told/one') && !items.includes('a:told/one'));
    const ends = await stream(withPlaceOfB(begin?.id ?? '', place), ({ event }) => event === 'pinfold.gap');
    assert.deepEqual(ends.at(-1)?.data, gaps[0]);
  }
});

interface Told {
  readonly node: string;
  readonly subject: { readonly path: string };
}

function lineOf(data: unknown): string {
  const { node, subject }: Told = Object(data);
  return `${node}:${subject.path}`;
}

test('a node that ends is stale at once, and named until back; another history is told of', async () => {
  const world = await opening;
  const { a, c, node } = world;
  const events = async (more: Readonly<Record<string, string>>) =>
    (await a.local.get('/v1/cluster/events').query({ node: 'c', limit: '1', ...more })).body;
  const { next_cursor: within } = await events({});
  await c.running.stop();
  await untilStates(a, 'a ready, b ready, c stale');
  const { items, unreachable } = await listed(a);
  assert.deepEqual([items, unreachable], [[...of('a'), ...of('b')], ['c']]);
  const { body } = await a.local.get('/v1/cluster/nodes/c').expect(200);
  assert.equal(body.reason, 'it does not renew its lease');
  assert.ok(body.last_seen <= new Date().toISOString());
  const gone = await a.local.get('/v1/cluster/nodes/c/api/v1/node').expect(502);
  assert.deepEqual([gone.body.code, gone.body.node], ['node_unreachable', 'c']);
  world.c = await node('c', 'x');
  await untilStates(a, 'a ready, b ready, c ready');
  // It has come back with another history, which has events of the same numbers.
  const { gaps, complete, items: begin, resume } = await events({ cursor: within });
  const gap = { node: 'c', after: 1, next: 1, reason: 'other_log' };
  assert.deepEqual([gaps, complete, begin[0].seq], [[gap], false, 1]);
  const next = await events({ cursor: resume });
  assert.deepEqual([next.gaps, next.complete, next.items[0].seq], [[], true, 2]);
  await c[Symbol.asyncDispose]();
});

test('one member of etcd killed, then one paused, changes nothing that a caller sees', async () => {
  const { a, etcd } = await opening;
  for (const disturb of [
    () => etcd.members[0]?.kill(),
    () => {
      etcd.restart(0);
      etcd.members[1]?.kill('SIGSTOP');
    },
  ]) {
    disturb();
    const fresh = `d${Date.now()}`;
    createMap(`${a.bpffs.path}/${fresh}`, { name: 'pf_fleet' });
    const before = (await a.local.get('/v1/cluster/nodes/a')).body.digest.hash;
    await until(
      'a digest to be written with a member missing',
      async () => (await a.local.get('/v1/cluster/nodes/a')).body,
      ({ digest, state }) => digest.hash !== before && state === 'ready',
      patience,
    );
    await untilStates(a, 'a ready, b ready, c ready');
  }
  etcd.members[1]?.kill('SIGCONT');
});

test('without etcd’s majority nodes go on, and the manager says that it may know old things', async () => {
  const { a, b, etcd } = await opening;
  etcd.members[0]?.kill();
  etcd.members[1]?.kill();
  await untilStates(a, 'a stale, b stale, c stale');
  // Leases may have ended on a busy machine before etcd was lost: stale nodes do not say that this is known.
  const { body } = await until(
    'a list that says that etcd is lost',
    async () => await a.local.get('/v1/cluster/pins?deadline=30s').expect(200),
    ({ body: { complete } }) => complete === false,
    patience,
  );
  assert.match(body.reason, /etcd cannot be reached/);
  assert.deepEqual(body.unreachable, [], 'nodes are asked all the same');
  assert.ok(body.items.length >= 8);
  createMap(`${b.bpffs.path}/lonely`, { name: 'pf_fleet' });
  await b.local.get('/v1/pins/lonely').expect(200);
  // Its lease may have ended while the member that it was renewed at was paused: then the store is asked.
  const { body: c } = await a.local.get('/v1/cluster/nodes/c').expect(200);
  const hasEnded = c.reason === 'it does not renew its lease';
  const { status, body: refused } = await a.local.delete('/v1/cluster/nodes/c');
  assert.deepEqual([status, refused.code], hasEnded ? [503, 'cluster_unavailable'] : [409, 'conflict']);
  etcd.restart(0);
  etcd.restart(1);
  await untilStates(a, 'a ready, b ready, c ready');
  await untilPasses(async () => {
    const { body: again } = await a.local.get('/v1/cluster/pins?deadline=30s').expect(200);
    assert.deepEqual([again.complete, again.reason], [true, undefined]);
  }, patience);
});
