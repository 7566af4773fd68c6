import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { after } from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { createMap } from '../support/bpftool.ts';
import { movedClock } from '../support/moved-clock.ts';
import { type Child, start } from '../support/process.ts';
import { until } from '../support/until.ts';

const clock = movedClock();
const agent: TestAgent = await testAgent({ clock });
after(() => agent[Symbol.asyncDispose]());
for (const name of ['one', 'two']) createMap(`${agent.bpffs.path}/${name}`, { name: 'pf_hook' });

type Annotations = Readonly<Record<string, string>>;

/** What stands for the first process of a container. */
const container = (): Child => start('sleep', ['infinity']);

/** When a process began, as /proc tells it, in clock ticks after boot. */
const startOf = ({ pid }: Child): string | undefined =>
  readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[19];

/** What a runtime sends, with members of its own that nobody asked for. */
const state = (id: string, annotations: Annotations, child?: Child) => ({
  ociVersion: '1.0.2',
  id,
  status: 'creating',
  ...(child === undefined ? {} : { pid: child.pid }),
  root: 'rootfs',
  annotations: { 'io.container.manager': 'test', ...annotations },
});

async function hook(event: 'start' | 'stop', id: string, annotations: Annotations = {}, within = '5s') {
  return await tell(event, state(id, annotations), within);
}

async function tell(event: 'start' | 'stop', body: object, within = '5s') {
  const answer = await agent.local.post('/v1/hooks/oci').query({ event, within }).send(body);
  assertDeclared('POST', '/v1/hooks/oci', answer);
  return answer;
}

async function claimOf(owner: string) {
  const { status, body } = await agent.local.get(`/v1/claims/${owner}`);
  return status === 200 ? body : undefined;
}

test('a container that starts claims what it says, and one that stops has nothing any more', async () => {
  assert.equal(
    (await hook('start', 'c1', { 'pinfold/claim': 'one two', 'pinfold/wait': 'one' })).status,
    204,
  );
  const { pins, lease, labels } = await claimOf('oci:c1');
  assert.deepEqual(
    pins.map(({ path }: { readonly path: string }) => path),
    ['one', 'two'],
  );
  assert.deepEqual([lease, labels], [null, { runtime: 'oci', container: 'c1' }]);
  assert.equal((await hook('start', 'c1', { 'pinfold/claim': 'one two' })).status, 204, 'again is harmless');
  for (let time = 0; time < 2; time++) assert.equal((await hook('stop', 'c1')).status, 204);
  assert.equal(await claimOf('oci:c1'), undefined);
});

test('a container without annotations of ours, and one that only waits, claim nothing', async () => {
  assert.equal((await hook('start', 'c2')).status, 204);
  assert.equal((await hook('start', 'c2', { 'pinfold/wait': ' one\n\ttwo ' })).status, 204);
  assert.equal(await claimOf('oci:c2'), undefined);
});

test('who is waited for is all of them at once, and the claim remembers what came', async () => {
  const starting = hook('start', 'c3', { 'pinfold/claim': 'later one', 'pinfold/wait': 'last' }, '20s');
  const waiting = await until('the claim', () => claimOf('oci:c3'));
  assert.equal(waiting.lease, '80s', 'it ends by itself, whoever is killed now');
  createMap(`${agent.bpffs.path}/later`, { name: 'pf_hook' });
  createMap(`${agent.bpffs.path}/last`, { name: 'pf_hook' });
  assert.equal((await starting).status, 204);
  const { pins, lease } = await claimOf('oci:c3');
  assert.equal(lease, null);
  assert.deepEqual(
    pins.map(({ state: each }: { readonly state: string }) => each),
    ['present', 'present'],
  );
  assert.ok(pins.every(({ claimed }: { readonly claimed: unknown }) => claimed !== null));
  await hook('stop', 'c3');
});

test('a failed wait undoes its claim, but not one that was there before', async () => {
  await hook('start', 'c4', { 'pinfold/claim': 'one' });
  const late = await hook('start', 'c4', { 'pinfold/claim': 'one never', 'pinfold/timeout': '50ms' });
  assert.deepEqual([late.status, late.body.code, late.body.path], [404, 'pin_not_found', 'never']);
  const { pins, lease } = await claimOf('oci:c4');
  assert.deepEqual([pins.map(({ path }: { readonly path: string }) => path), lease], [['one'], null]);
  await hook('stop', 'c4');
  await hook('start', 'c5', { 'pinfold/claim': 'never' }, '50ms');
  assert.equal(await claimOf('oci:c5'), undefined);
});

test('a name whose process lives is nobody else’s, neither to begin with nor to end', async () => {
  using first = container();
  using second = container();
  const wanted = { 'pinfold/claim': 'one' };
  assert.equal((await tell('start', state('twin', wanted, first))).status, 204);
  const { labels } = await claimOf('oci:twin');
  assert.deepEqual([labels.pid, labels.pid_start_ticks], [String(first.pid), startOf(first)]);
  const refused = await tell('start', state('twin', { 'pinfold/claim': 'two' }, second));
  assert.deepEqual([refused.status, refused.body.code, refused.body.pid], [409, 'conflict', first.pid]);
  // Its runtime says that the second has ended, which never began.
  assert.equal((await tell('stop', state('twin', {}))).status, 409);
  const after = await claimOf('oci:twin');
  assert.deepEqual([after.labels, after.pins[0].path], [labels, 'one']);
  assert.equal((await tell('start', state('twin', wanted, first))).status, 204, 'again is harmless');
  first.kill();
  await first.exit();
  assert.equal((await tell('start', state('twin', wanted, second))).status, 204, 'its name is free');
  assert.equal((await claimOf('oci:twin')).labels.pid, String(second.pid));
  const stopping = tell('stop', state('twin', {}));
  second.kill();
  assert.equal((await stopping).status, 204, 'one that is dying is waited for');
  assert.equal(await claimOf('oci:twin'), undefined);
});

test('a container that dies while its pins are waited for has no claim when they come', async () => {
  using dying = container();
  const starting = tell('start', state('dying', { 'pinfold/claim': 'too-late' }, dying), '60s');
  await until('the claim', () => claimOf('oci:dying'));
  dying.kill();
  await dying.exit();
  createMap(`${agent.bpffs.path}/too-late`, { name: 'pf_hook' });
  assert.equal((await starting).status, 409);
  assert.equal(await claimOf('oci:dying'), undefined);
});

test('a claim whose process has ended without a word ends a minute later, and others do not', async () => {
  using silent = container();
  using living = container();
  for (const [id, child] of Object.entries({ silent, living }))
    assert.equal((await tell('start', state(id, { 'pinfold/claim': 'one' }, child))).status, 204);
  assert.equal((await hook('start', 'unknown', { 'pinfold/claim': 'one' })).status, 204);
  silent.kill();
  await silent.exit();
  await agent.agent.reads.refresh();
  clock.sleep(limits.hookGraceMs - 30_000);
  await agent.agent.reads.refresh();
  assert.ok((await claimOf('oci:silent')) !== undefined, 'its runtime may come by');
  clock.sleep(30_000);
  await until('its end', async () => {
    await agent.agent.reads.refresh();
    return (await claimOf('oci:silent')) === undefined;
  });
  for (const id of ['living', 'unknown']) assert.ok((await claimOf(`oci:${id}`)) !== undefined, id);
  const { body } = await agent.local.get('/v1/events?type=claim.expired').expect(200);
  const [{ subject, actor }] = body.items;
  assert.deepEqual([body.items.length, subject.name, actor], [1, 'oci:silent', 'kernel']);
  assert.equal((await hook('stop', 'unknown')).status, 204);
});

test('whoever goes away while waiting leaves no claim behind', async () => {
  const request = agent.local
    .post('/v1/hooks/oci?event=start&within=60s')
    .send(state('c6', { 'pinfold/claim': 'never' }));
  void request.then(
    () => assert.fail('it was answered'),
    () => undefined,
  );
  await until('the claim', () => claimOf('oci:c6'));
  request.abort();
  await until('its end', async () => (await claimOf('oci:c6')) === undefined);
});

test('the longest list of pins is taken, and one more is refused', async () => {
  const names = (count: number): string => Array.from({ length: count }, () => 'one').join(' ');
  assert.equal((await hook('start', 'c7', { 'pinfold/wait': names(limits.hookPinsMax) })).status, 204);
  const over = await hook('start', 'c7', { 'pinfold/wait': names(limits.hookPinsMax + 1) });
  assert.deepEqual([over.status, over.body.code], [422, 'invalid_input']);
});

const refused: readonly (readonly [string, Annotations, string])[] = [
  ['an annotation misspelt', { 'pinfold/waits': 'one' }, '/body/annotations/pinfold~1waits'],
  ['a time that is none', { 'pinfold/wait': 'one', 'pinfold/timeout': '1 day' }, '/body/annotations'],
  ['a time beyond the limit', { 'pinfold/timeout': '301s' }, '/body/annotations'],
];

for (const [what, annotations, pointer] of refused) {
  test(`${what} is refused with its place`, async () => {
    const { status, body } = await hook('start', 'c8', annotations);
    assert.deepEqual([status, body.errors[0].pointer], [422, pointer]);
  });
}

test('paths are taken as URLs carry them', async () => {
  createMap(`${agent.bpffs.path}/a b`, { name: 'pf_hook' });
  assert.equal((await hook('start', 'c9', { 'pinfold/wait': 'a%20b' })).status, 204);
  const { body } = await hook('start', 'c9', { 'pinfold/wait': 'a%2' });
  assert.equal(body.code, 'bad_path');
});

test('only operators may speak for containers and networks', async () => {
  const viewer = await agent.token('reader');
  for (const url of ['/v1/hooks/oci?event=stop', '/v1/hooks/cni?command=status']) {
    await agent.remote(viewer).post(url).send({ id: 'x' }).expect(403);
  }
});

test('CNI: a status without an attachment, and an attachment that nobody names', async () => {
  const config = { cniVersion: '1.1.0', name: 'n' };
  const status = await agent.local.post('/v1/hooks/cni').query({ command: 'status' }).send(config);
  assert.equal(status.status, 204);
  const nameless = await agent.local
    .post('/v1/hooks/cni')
    .query({ command: 'del', ifname: 'e' })
    .send(config);
  assertDeclared('POST', '/v1/hooks/cni', nameless);
  assert.equal(nameless.body.errors[0].pointer, '/query/container_id');
});
