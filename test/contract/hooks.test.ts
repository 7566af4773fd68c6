import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { limits } from '../../src/model/limits.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { createMap } from '../support/bpftool.ts';
import { until } from '../support/until.ts';

const agent: TestAgent = await testAgent();
after(() => agent[Symbol.asyncDispose]());
for (const name of ['one', 'two']) createMap(`${agent.bpffs.path}/${name}`, { name: 'pf_hook' });

type Annotations = Readonly<Record<string, string>>;

/** What a runtime sends, with members of its own that nobody asked for. */
const state = (id: string, annotations: Annotations) => ({
  ociVersion: '1.0.2',
  id,
  status: 'creating',
  pid: 4711,
  root: 'rootfs',
  annotations: { 'io.container.manager': 'test', ...annotations },
});

async function hook(event: 'start' | 'stop', id: string, annotations: Annotations = {}, within = '5s') {
  const answer = await agent.local
    .post('/v1/hooks/oci')
    .query({ event, within })
    .send(state(id, annotations));
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
  assert.deepEqual([lease, labels], [null, { runtime: 'oci', container: 'c1', pid: '4711' }]);
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
  await until('the claim', () => claimOf('oci:c3'));
  createMap(`${agent.bpffs.path}/later`, { name: 'pf_hook' });
  createMap(`${agent.bpffs.path}/last`, { name: 'pf_hook' });
  assert.equal((await starting).status, 204);
  const { pins } = await claimOf('oci:c3');
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
  assert.ok((await claimOf('oci:c4')) !== undefined);
  await hook('stop', 'c4');
  await hook('start', 'c5', { 'pinfold/claim': 'never' }, '50ms');
  assert.equal(await claimOf('oci:c5'), undefined);
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
