import assert from 'node:assert/strict';
import { rmSync, statSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { bpftool } from '../support/bpftool.ts';
import { compileBpf } from '../support/c-program.ts';
import { hold } from '../support/hold.ts';
import { type Namespaces, openNamespaces } from '../support/mount-ns.ts';
import { until } from '../support/until.ts';

/**
 * The story of Linux commit b2197755 with today's tools: tc shares a pinned map between ingress and egress,
 * goes away, and what it left is seen, shared and cleaned up over REST.
 */
let host: Namespaces;
let agent: TestAgent;
/** `?mount=` of the bpffs tc pins into, which is another than the agent's own. */
let mount: string;

before(async () => {
  host = await openNamespaces({ net: true });
  const { dev } = statSync(host.bpffs);
  mount = `${dev >> 8}:${dev & 255}`;
  agent = await testAgent();
});

after(async () => {
  await agent[Symbol.asyncDispose]();
  host[Symbol.dispose]();
});

const globals = 'tc/globals';
const slot0 = ['key', '0', '0', '0', '0'];

interface Listed {
  readonly path: string;
  readonly kind: string;
  readonly id: number;
  readonly name: string;
}

async function pins(): Promise<readonly Listed[]> {
  return (await agent.local.get('/v1/pins').query({ mount }).expect(200)).body.items;
}

async function pinNamed(path: string): Promise<Listed> {
  const isThere = async (): Promise<Listed | undefined> => (await pins()).find((pin) => pin.path === path);
  const pin = await until(`the pin ${path}`, isThere, (found) => found !== undefined);
  assert.ok(pin);
  return pin;
}

function attachedProgram(direction: 'ingress' | 'egress'): number {
  const text = host.run('tc', 'filter', 'show', 'dev', 'pf0', direction);
  return Number(/ id (\d+) /.exec(text)?.[1]);
}

test('tc pins a map that ingress and egress share, exits, and the agent finds it by itself', async () => {
  const elf = compileBpf('tc-story');
  host.run('ip', 'link', 'add', 'pf0', 'type', 'veth', 'peer', 'name', 'pf1');
  for (const link of ['pf0', 'pf1']) host.run('ip', 'link', 'set', link, 'up');
  host.run('tc', 'qdisc', 'add', 'dev', 'pf0', 'clsact');
  for (const direction of ['ingress', 'egress']) {
    const filter = ['filter', 'add', 'dev', 'pf0', direction, 'bpf', 'direct-action', 'object-file', elf];
    host.run('tc', ...filter, 'section', `tc/${direction}`);
  }
  const shared = await pinNamed(`${globals}/pf_shared`);
  assert.equal(
    shared.id,
    bpftool<{ id: number }>('map', 'show', 'pinned', `${host.bpffs}/${globals}/pf_shared`).id,
  );

  const map = (await agent.local.get(`/v1/maps/${shared.id}`).expect(200)).body;
  assert.deepEqual([map.type, map.key_size, map.value_size, map.max_entries], ['hash', 4, 8, 64]);
  const { refcnt, usercnt, writecnt, pins } = map.references;
  assert.deepEqual(
    [refcnt, usercnt, writecnt, pins],
    [3, 1, 0, 1],
    'one pin and two programs, not ourselves',
  );
  for (const direction of ['ingress', 'egress'] as const) {
    const id = attachedProgram(direction);
    const program = (await agent.local.get(`/v1/programs/${id}`).expect(200)).body;
    assert.equal(program.name, `pf_${direction}`);
    assert.ok(program.map_ids.includes(shared.id));
  }
});

test('another process reads and updates the same map through a second pin', async () => {
  const source = { pin: `${globals}/pf_shared`, mount };
  await agent.local
    .put('/v1/pins/shared/second')
    .query({ mount })
    .send({ source, parents: true })
    .expect(201);
  const [first, second] = [`${host.bpffs}/${globals}/pf_shared`, `${host.bpffs}/shared/second`];
  const key = ['key', '7', '0', '0', '0'];
  bpftool('map', 'update', 'pinned', second, ...key, 'value', '42', '0', '0', '0', '0', '0', '0', '0');
  const read = bpftool<{ value: readonly string[] }>('map', 'lookup', 'pinned', first, ...key);
  assert.equal(Number(read.value[0]), 42);
});

test('unlinking a pin is seen, and the map lives on through the other', async () => {
  const { id } = await pinNamed(`${globals}/pf_shared`);
  rmSync(`${host.bpffs}/${globals}/pf_shared`);
  await until('its end', pins, (left) => !left.some(({ path }) => path === `${globals}/pf_shared`));
  const { body } = await agent.local.get(`/v1/maps/${id}`).expect(200);
  assert.deepEqual(
    body.pins.map(({ path }: { path: string }) => path),
    ['shared/second'],
  );
});

test('a tail-call table is not emptied by accident, and is when that is accepted', async () => {
  const tails = await pinNamed(`${globals}/pf_tails`);
  const target = String(attachedProgram('egress'));
  const pinned = `${host.bpffs}/${globals}/pf_tails`;
  bpftool('map', 'update', 'pinned', pinned, ...slot0, 'value', 'id', target);

  const url = `/v1/pins/${globals}/pf_tails`;
  const { body } = await agent.local.delete(url).query({ mount }).expect(409);
  assert.equal(body.code, 'hazard');
  assert.deepEqual(body.hazards, ['prog_array_emptied']);
  const slots = (): unknown[] =>
    bpftool<unknown[]>('map', 'dump', 'id', String(tails.id)).filter(
      (slot) => !JSON.stringify(slot).includes('rror'),
    );
  assert.equal(slots().length, 1, 'the refused unpin left the slot as it was');

  await agent.local.delete(url).query({ mount, accept: 'prog_array_emptied' }).expect(204);
  await until('the kernel to clear it', slots, (left) => left.length === 0);
});

test('a descriptor of another process becomes a pin, without a socket to pass it through', async () => {
  using holder = await hold('map:hash:4:8:16:pf_passed:0');
  const [held] = holder.objects;
  assert.ok(held);
  const source = { pid: holder.pid, fd: held.fd, expect: { name: 'pf_passed' } };
  await agent.local.put('/v1/pins/passed').query({ mount }).send({ source }).expect(201);
  await holder.release();
  const left = bpftool<{ id: number }>('map', 'show', 'pinned', `${host.bpffs}/passed`);
  assert.equal(left.id, held.id);
});
