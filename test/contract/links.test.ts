import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmdirSync, statSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { disposable } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { until } from '../support/until.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(async () => await agent[Symbol.asyncDispose]());

const unified = '/sys/fs/cgroup/unified';
const hierarchy = existsSync(unified) ? unified : '/sys/fs/cgroup';

test('a link to a cgroup says where the cgroup is, and after its end that it is dead', async () => {
  const parent = `${hierarchy}/pf-links-${process.pid}`;
  const path = `${parent}/below with a space`;
  mkdirSync(path, { recursive: true });
  using _parent = disposable(() => rmdirSync(parent));
  using cgroup = disposable(() => rmdirSync(path));
  using holder = await hold('prog:cgroup_skb:pf_egress', `link:cgroup:0:${path}`);
  const id = holder.objects[1]?.id;
  const answer = await agent.local.get(`/v1/links/${id}`).expect(200);
  assertDeclared('GET', '/v1/links/{id}', answer);
  assert.equal(answer.body.cgroup_path, path.slice(hierarchy.length));
  assert.equal(answer.body.cgroup_id, String(statSync(path, { bigint: true }).ino));
  assert.equal(answer.body.is_attached, true);
  cgroup[Symbol.dispose]();
  const link = async () => (await agent.local.get(`/v1/links/${id}`).expect(200)).body;
  const dead = await until('the link is dead', link, ({ is_attached }) => is_attached === false);
  assert.equal(dead.cgroup_path, undefined);
});
