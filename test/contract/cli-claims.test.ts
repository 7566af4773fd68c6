import assert from 'node:assert/strict';
import { existsSync, unlinkSync } from 'node:fs';
import test, { after } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap, pinById } from '../support/bpftool.ts';
import { commandLine, type Ran } from '../support/command-line.ts';
import { realClock } from '../support/observed.ts';
import { until } from '../support/until.ts';
import { watching } from '../support/watching.ts';

/** Since boot, milliseconds: stands still but for what a test adds, so that no lease ends by the way. */
let bootMs = 1_000_000;
const agent: TestAgent = await testAgent({ clock: { ...realClock, bootMs: () => bootMs } });
after(() => agent[Symbol.asyncDispose]());

async function pinfold(...words: readonly string[]): Promise<Ran> {
  return await commandLine([...words, '--address', agent.socket]);
}

const at = (path: string): string => `${agent.bpffs.path}/${path}`;

for (const name of ['one', 'two']) {
  const { id } = createMap(at(name), { name: `pf_${name}` });
  pinById('map', id, at(`${name}_too`));
}

test('claim says what is claimed, renews, and get and describe show it', async () => {
  const made = await pinfold(
    'claim',
    'pod\\x0a1',
    'one',
    'two',
    'later',
    '--lease',
    '10m',
    '--label',
    'app=x',
  );
  assert.deepEqual([made.code, made.out, made.err], [0, 'pod\\x0a1 claims 3 pins for 10m\n', '']);
  assert.equal((await pinfold('claim', 'pod\\x0a1')).out, 'pod\\x0a1 goes on claiming 3 pins for 10m\n');
  await agent.agent.reads.refresh();
  const list = (await pinfold('get', 'claims')).out;
  assert.match(list, /^OWNER +PINS +STATE +LEASE +LEFT +RENEWED *$/m);
  assert.match(list, /^pod\\x0a1 +3 +2 present, 1 absent +10m +(10m|\d+s) +\d+s$/m);
  const shown = (await pinfold('describe', 'claim', 'pod\\x0a1')).out;
  assert.match(shown, /^Owner: +pod\\x0a1$/m);
  assert.match(shown, /State: +absent/);
  const pins = await pinfold('get', 'pins', '--claimed', '-o', 'name');
  assert.equal(pins.out, 'one\ntwo\n');
  assert.match((await pinfold('get', 'pins', '-o', 'wide')).out, /^one .*pod\\x0a1/m);
  const others = await pinfold('get', 'pins', '--no-claimed', '-o', 'name');
  assert.equal(others.out, 'one_too\ntwo_too\n');
});

test('what is claimed is not unpinned unasked, and exit codes say why', async () => {
  const refused = await pinfold('unpin', 'one');
  assert.equal(refused.code, 4);
  assert.match(refused.err, /claimed the pin: "pod/);
  assert.ok(existsSync(at('one')));
  assert.equal((await pinfold('release', 'nobody')).code, 3);
  assert.equal((await pinfold('claim', 'pod', 'a', '--lease', 'soon')).code, 2);
  assert.equal((await pinfold('claim', 'new')).code, 1, 'a new claim must say what it claims');
});

test('history names owners that are no text by their bytes', async () => {
  await pinfold('claim', 'pod-\\xff', 'later', '--lease', 'none');
  await pinfold('release', 'pod-\\xff');
  const told = (await pinfold('get', 'events', '--type', 'claim.made,claim.released')).out;
  assert.match(told, /claim\.made +pod-\\xff .*\n.*claim\.released +pod-\\xff /);
});

test('release ends it, and takes along what nobody else needs', async () => {
  await pinfold('claim', 'other', 'two', '--lease', 'none');
  unlinkSync(at('two_too'));
  const plan = await pinfold('release', 'pod\\x0a1', '--unpin-unclaimed', '--dry-run');
  assert.match(plan.out, /^would unpin one: /m);
  assert.match(plan.out, /^would release: /m);
  const done = await pinfold('release', 'pod\\x0a1', '--unpin-unclaimed');
  assert.equal(done.out, 'pod\\x0a1 released, 1 pin removed\n', done.err);
  assert.match(done.err, /^kept two: It is claimed by "other"\.$/m);
  assert.deepEqual([existsSync(at('one')), existsSync(at('two'))], [false, true]);
  assert.equal((await pinfold('release', 'other')).out, 'other released\n');
  assert.match((await pinfold('get', 'claims')).err, /no claims/i);
});

test('claim --renew renews in time, until the claim is released, which stays released', async () => {
  const leftMs = async (): Promise<number> => {
    const { body } = await agent.local.get('/v1/claims/job').expect(200);
    return body.remaining_ms;
  };
  const words = ['claim', 'job', 'one', '--lease', '1s', '--renew', '--address', agent.socket];
  const renewing = watching(words);
  await until('it has claimed', () => renewing.lines.length === 1);
  assert.equal(renewing.lines[0], 'job claims 1 pin for 1s');
  for (let jump = 0; jump < 2; jump++) {
    bootMs += 600;
    await until('it is renewed', leftMs, (left) => left === 1000);
  }
  await agent.local.delete('/v1/claims/job').expect(204);
  assert.equal(await renewing.ended, 4);
  await agent.local.get('/v1/claims/job').expect(404);
  const endless = await pinfold('claim', 'job', 'one', '--renew');
  assert.deepEqual([endless.code, endless.out], [2, 'job claims 1 pin until it is released\n']);
  assert.match(endless.err, /no lease that could be renewed/);
  await agent.local.delete('/v1/claims/job').expect(204);
});
