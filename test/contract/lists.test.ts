import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { createMap, isAlive, pinById } from '../support/bpftool.ts';
import { until } from '../support/until.ts';

const count = 23;
let at: TestAgent;
let mapId: number;

before(async () => {
  at = await testAgent();
  mkdirSync(`${at.bpffs.path}/d`);
  mapId = createMap(`${at.bpffs.path}/d/p0`, { name: 'pf_list' }).id;
  for (let index = 1; index < count; index++) pinById('map', mapId, `${at.bpffs.path}/d/p${index}`);
  createMap(`${at.bpffs.path}/other`, { name: 'pf_other', type: 'array' });
  await at.local.get('/v1/pins?fresh=true').expect(200);
});

after(async () => await at[Symbol.asyncDispose]());

/** What find(1) sees, in byte order. */
function found(...args: readonly string[]): readonly string[] {
  const text = execFileSync('find', [at.bpffs.path, '-mindepth', '1', ...args, '-printf', '%P\n'], {
    encoding: 'latin1',
  });
  return text
    .split('\n')
    .filter((path) => path !== '' && !/\.debug$|^pinfold-staging/.test(path))
    .sort();
}

const pathsOf = (items: readonly { readonly path: string }[]): readonly string[] =>
  items.map(({ path }) => path);

test('pages joined by their cursors are the whole list, in byte order, as find sees it', async () => {
  const paths: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const url: string = `/v1/pins?limit=7${cursor === '' ? '' : `&cursor=${cursor}`}`;
    const page = await at.local.get(url).expect(200);
    assertDeclared('GET', '/v1/pins', page);
    assert.equal(page.body.total, count + 1);
    paths.push(...pathsOf(page.body.items));
    cursor = page.body.next_cursor;
  }
  assert.deepEqual(paths, found('-type', 'f'));
});

test('filters narrow the list by prefix, kind, type, name, id, labels and owner', async () => {
  const sizes: readonly (readonly [string, number])[] = [
    ['prefix=d', count],
    ['prefix=d/p1', 1],
    ['prefix=d/p', 0],
    ['kind=map', count + 1],
    ['kind=link', 0],
    ['type=array', 1],
    ['name=pf_list', count],
    [`id=${mapId}`, count],
    ['owner=', count + 1],
    ['owner=me', 0],
    ['label=app=x', 0],
    [`mount=${at.mount}`, count + 1],
  ];
  for (const [query, size] of sizes) {
    const page = await at.local.get(`/v1/pins?${query}`).expect(200);
    assert.deepEqual([page.body.total, page.body.items.length], [size, size], query);
  }
  await at.local
    .patch('/v1/pins/other')
    .send({ labels: { app: 'x', tier: 'y' }, owner: 'me' })
    .expect(200);
  for (const query of ['label=app=x', 'label=app=x&label=tier=y', 'owner=me']) {
    assert.deepEqual(pathsOf((await at.local.get(`/v1/pins?${query}`)).body.items), ['other'], query);
  }
  assert.equal((await at.local.get('/v1/pins?label=app=x&label=tier=z')).body.total, 0);
});

test('NDJSON streams everything and ends with a summary line', async () => {
  const headers = { accept: 'application/x-ndjson', authorization: `Bearer ${at.secret}` };
  const sent = await fetch(`${at.url}/v1/pins`, { headers });
  const answer = { status: sent.status, headers: Object.fromEntries(sent.headers), text: await sent.text() };
  assertDeclared('GET', '/v1/pins', answer);
  const lines = answer.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const { summary } = lines.pop();
  assert.deepEqual([summary.count, summary.complete, summary.next_cursor], [count + 1, true, null]);
  assert.deepEqual(pathsOf(lines), found('-type', 'f'));
});

test('the tree has directories, pins and links with their targets, as deep as asked', async () => {
  execFileSync('ln', ['-s', 'd/p0', `${at.bpffs.path}/way`]);
  const all = await at.local.get('/v1/tree?fresh=true').expect(200);
  assertDeclared('GET', '/v1/tree', all);
  assert.deepEqual(pathsOf(all.body.items), found());
  const way = all.body.items.find(({ path }: { path: string }) => path === 'way');
  assert.deepEqual([way.entry, way.target], ['symlink', 'd/p0']);
  const top = await at.local.get('/v1/tree?depth=1').expect(200);
  assert.deepEqual(pathsOf(top.body.items), found('-maxdepth', '1'));
  assert.deepEqual((await at.local.get('/v1/tree?prefix=d')).body.total, count);
  execFileSync('mkdir', [`${at.bpffs.path}/bare`]);
  for (const accept of ['application/json', 'application/x-ndjson']) {
    const ask = (prefix: string) =>
      at.local.get(`/v1/tree?fresh=true&prefix=${prefix}`).set('accept', accept);
    await ask('bare').expect(200);
    for (const none of ['nope', 'd/nope', 'd/p0/below']) {
      const refused = await ask(none).expect(404);
      assertDeclared('GET', '/v1/tree', refused);
      assert.deepEqual([refused.body.code, refused.body.path], ['directory_not_found', none]);
    }
  }
  execFileSync('rmdir', [`${at.bpffs.path}/bare`]);
});

test('objects are listed by kind and id, and one of them is what its list says', async () => {
  for (const [plural, kind] of [
    ['maps', 'map'],
    ['programs', 'program'],
    ['links', 'link'],
    ['btfs', 'btf'],
  ] as const) {
    const list = await at.local.get(`/v1/${plural}?limit=5000`).expect(200);
    assertDeclared('GET', `/v1/${plural}`, list);
    assert.ok(list.body.items.every((item: { kind: string }) => item.kind === kind));
    const ids = list.body.items.map(({ id }: { id: number }) => id);
    assert.deepEqual(
      ids,
      [...ids].sort((a, b) => a - b),
    );
  }
  const all = await at.local.get('/v1/objects?name=pf_list').expect(200);
  assertDeclared('GET', '/v1/objects', all);
  const mine = all.body.items.find(({ id }: { id: number }) => id === mapId);
  assert.equal(mine.pins.length, count);
  const one = await at.local.get(`/v1/maps/${mapId}`).expect(200);
  assertDeclared('GET', '/v1/maps/{id}', one);
  assert.equal(one.body.references.pins, count);
  await at.local.get(`/v1/maps/${mapId}`).set('if-none-match', String(one.headers['etag'])).expect(304);
  for (const [plural, id] of [
    ['maps', '2147483647'],
    ['programs', '2147483647'],
    ['links', '1999999999'],
  ] as const) {
    const none = await at.local.get(`/v1/${plural}/${id}`).expect(404);
    assertDeclared('GET', `/v1/${plural}/{id}`, none);
    assert.equal(none.body.code, 'object_not_found');
  }
  const [program] = (await at.local.get('/v1/programs?limit=1')).body.items;
  if (program !== undefined && isAlive('prog', program.id)) {
    assertDeclared('GET', '/v1/programs/{id}', await at.local.get(`/v1/programs/${program.id}`));
  }
  assert.equal((await at.local.get('/v1/maps/nonsense')).status, 422);
});

test('a cursor of another list, of other filters, or of nobody is 400', async () => {
  const { next_cursor: cursor } = (await at.local.get('/v1/pins?limit=1')).body;
  for (const url of [
    `/v1/tree?cursor=${cursor}`,
    `/v1/pins?kind=map&cursor=${cursor}`,
    '/v1/pins?cursor=AAAA',
    `/v1/pins?cursor=${cursor}A`,
    `/v1/pins?cursor=${spareBits(cursor)}`,
  ]) {
    const answer = await at.local.get(url);
    assert.deepEqual([answer.status, answer.body.code], [400, 'bad_cursor'], url);
  }
});

/** The same place in a list, written with a bit that base64 takes no notice of. */
function spareBits(cursor: string): string {
  const place = Buffer.from(cursor.slice(8), 'base64url').toString();
  assert.equal(place, `p${Buffer.from('d/p0').toString('base64url')}`);
  return `${cursor.slice(0, 8)}${Buffer.from(place.replace(/A$/, 'B')).toString('base64url')}`;
}

test('a page may have as many items as the limit says, and not one more', async () => {
  await at.local.get(`/v1/pins?limit=${limits.pageItemsMax}`).expect(200);
  await at.local.get('/v1/pins?limit=1').expect(200);
  for (const limit of [limits.pageItemsMax + 1, 0, -1, 1.5, 'x']) {
    const answer = await at.local.get(`/v1/pins?limit=${limit}`);
    assert.deepEqual([answer.status, answer.body.errors?.[0].pointer], [422, '/query/limit'], String(limit));
  }
});

test('a query key that a list does not know is 422', async () => {
  for (const path of [
    '/v1/pins',
    '/v1/tree',
    '/v1/maps',
    '/v1/events',
    '/v1/tokens',
    '/v1/mounts',
    '/v1/node',
    '/metrics',
    '/healthz',
    '/v1/maps/1',
  ]) {
    const answer = await at.local.get(`${path}?nonsense=1`);
    assert.deepEqual([answer.status, answer.body.code], [422, 'invalid_input'], path);
  }
});

test('mounts are told as of the last observation, however often they are asked for', async () => {
  await using other = await testAgent();
  const ask = async (query = '') => {
    const { body } = await other.local.get(`/v1/mounts${query}`).expect(200);
    const primary = body.items.find((mount: { primary: boolean }) => mount.primary);
    return { primary, observedAt: body.observed_at };
  };
  const first = await ask();
  assert.deepEqual((await ask('?limit=100')).primary, first.primary);
  chmodSync(other.bpffs.path, 0o1700);
  await ask('?fresh=true');
  const now = await ask();
  assert.ok(now.observedAt > first.observedAt);
  assert.equal(now.primary.mode, '1700');
});

test('the node and its mounts are described', async () => {
  const node = await at.local.get('/v1/node').expect(200);
  assertDeclared('GET', '/v1/node', node);
  assert.equal(node.body.kernel.release, execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim());
  const mounts = await at.local.get('/v1/mounts').expect(200);
  assertDeclared('GET', '/v1/mounts', mounts);
  const primary = mounts.body.items.find((mount: { primary: boolean }) => mount.primary);
  assert.equal(primary.id, execFileSync('mountpoint', ['-d', at.bpffs.path], { encoding: 'utf8' }).trim());
});

test('a foreign pin is in the next observation, and in history', async () => {
  pinById('map', mapId, `${at.bpffs.path}/foreign`);
  const events = await until(
    'the event of the foreign pin',
    async () => await at.local.get('/v1/events?pin=foreign&type=pin.created').expect(200),
    (answer) => answer.body.items.length > 0,
  );
  assertDeclared('GET', '/v1/events', events);
  assert.deepEqual([events.body.total, events.body.items[0].subject.path], [1, 'foreign']);
  assert.ok(pathsOf((await at.local.get('/v1/pins?limit=5000')).body.items).includes('foreign'));
});

test('history is paged, filtered by time and actor, and streamed', async () => {
  await at.local
    .put('/v1/pins/ours')
    .send({ source: { pin: 'other' } })
    .expect(201);
  const mine = await at.local.get('/v1/events?prefix=ours').expect(200);
  const [event] = mine.body.items;
  assert.match(event.actor, /^uid:0 pid:\d+ comm:/);
  assert.equal((await at.local.get(`/v1/events?pin=ours&until=${event.time}`)).body.items.length, 0);
  assert.equal((await at.local.get(`/v1/events?pin=ours&since=${event.time}`)).body.items.length, 1);
  assert.equal(
    (await at.local.get(`/v1/events?pin=ours&actor=${encodeURIComponent(event.actor)}`)).body.total,
    1,
  );
  const first = await at.local.get('/v1/events?limit=2').expect(200);
  const second = await at.local.get(`/v1/events?limit=2&cursor=${first.body.next_cursor}`).expect(200);
  const seqs = [...first.body.items, ...second.body.items].map(({ seq }: { seq: number }) => seq);
  assert.deepEqual(
    seqs,
    [...new Set(seqs)].sort((a, b) => a - b),
  );
  for (const query of ['type=nonsense', 'since=yesterday', 'pin=a&prefix=b']) {
    assert.equal((await at.local.get(`/v1/events?${query}`)).status, 422, query);
  }
});

test('an agent that never uses ids says so instead of listing no objects', async () => {
  await using pinsOnly = await testAgent({ settings: { 'pins-only': true } });
  const { id } = createMap(`${pinsOnly.bpffs.path}/m`, { name: 'pf_pins_only' });
  const pins = await pinsOnly.local.get('/v1/pins?fresh=true').expect(200);
  assert.deepEqual(pathsOf(pins.body.items), ['m']);
  for (const [path, url] of [
    ['/v1/objects', '/v1/objects'],
    ['/v1/objects', '/v1/objects?kind=map'],
    ...['maps', 'programs', 'links', 'btfs'].flatMap((plural) => [
      [`/v1/${plural}`, `/v1/${plural}`] as const,
      [`/v1/${plural}/{id}`, `/v1/${plural}/${id}`] as const,
    ]),
    ['/v1/programs/{id}', '/v1/programs/1?statistics=10ms'],
    ['/v1/programs/{id}/instructions', '/v1/programs/1/instructions'],
    ['/v1/programs/{id}/instructions', '/v1/programs/1/instructions?image=jited'],
    ['/v1/maps/{id}/types', `/v1/maps/${id}/types`],
    ['/v1/btfs/{id}', '/v1/btfs/1?format=c'],
    ['/v1/btfs/{id}', '/v1/btfs/1?format=json'],
    ['/v1/btfs/{id}', '/v1/btfs/1?format=raw'],
  ] as const) {
    const refused = await pinsOnly.local.get(url);
    assert.deepEqual([refused.status, refused.body.code], [501, 'not_supported'], url);
    assert.match(refused.body.detail, /--pins-only and never uses ids/);
    assertDeclared('GET', path, refused);
  }
});
