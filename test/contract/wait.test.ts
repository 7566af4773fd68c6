import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { get } from 'node:http';
import test, { after } from 'node:test';
import { isPinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import { parsePath } from '../../src/model/path.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { assertDeclared } from '../support/answer-check.ts';
import { createMap, pinById } from '../support/bpftool.ts';
import { commandLine } from '../support/command-line.ts';
import { disposable } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { until } from '../support/until.ts';

const agent: TestAgent = await testAgent();
after(() => agent[Symbol.asyncDispose]());

const unified = '/sys/fs/cgroup/unified';
const hierarchy = existsSync(unified) ? unified : '/sys/fs/cgroup';

const template = '/v1/pins/{path}';
const at = (path: string): string => `${agent.bpffs.path}/${path}`;

/** Begins to wait; the promise is the whole answer. */
function wait(path: string, query: string, headers: Readonly<Record<string, string>> = {}) {
  return agent.local
    .get(`/v1/pins/${path}?${query}`)
    .set(headers)
    .then((answer) => {
      assertDeclared('GET', template, answer);
      return answer;
    });
}

/** Waits over the wire for what somebody else does once the agent has the waiter. */
async function waitWhile(path: string, query: string, act: () => Promise<void> | void) {
  let isOver = false;
  const waiting = wait(path, query).finally(() => {
    isOver = true;
  });
  await agent.local.get('/v1/node').expect(200);
  assert.equal(isOver, false, 'it waits');
  await act();
  const answer = await waiting;
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

test('exists is met by a foreign pin, in a directory that was not there, and absent by rm', async () => {
  const made = await waitWhile('new/dir/map', 'for=exists&wait=20s', () => {
    mkdirSync(at('new/dir'), { recursive: true });
    createMap(at('new/dir/map'), { name: 'pf_wait' });
  });
  assert.deepEqual([made.condition, made.met, made.pin.path], ['exists', true, 'new/dir/map']);
  const gone = await waitWhile('new/dir/map', 'for=absent&wait=20s', () => unlinkSync(at('new/dir/map')));
  assert.deepEqual([gone.condition, gone.met, gone.pin], ['absent', true, null]);
  assert.ok(gone.seq > made.seq);
});

test('mv of a pin, and of its directory, is seen at both names', async () => {
  mkdirSync(at('moved'));
  createMap(at('moved/a'), { name: 'pf_wait' });
  await agent.agent.reads.refresh();
  const there = wait('moved/b', 'for=exists&wait=20s');
  const left = await waitWhile('moved/a', 'for=absent&wait=20s', () =>
    renameSync(at('moved/a'), at('moved/b')),
  );
  assert.equal(left.met, true);
  assert.equal((await there).body.met, true);
  const changed = wait('moved/b', 'for=changed&wait=20s');
  const other = await waitWhile('elsewhere/b', 'for=exists&wait=20s', () =>
    renameSync(at('moved'), at('elsewhere')),
  );
  assert.equal(other.pin.path, 'elsewhere/b');
  assert.deepEqual([(await changed).body.met, (await changed).body.pin], [true, null]);
});

test('changed counts from a tag, from an event, or from what is there', async () => {
  const { id } = createMap(at('changing'), { name: 'pf_wait' });
  await agent.agent.reads.refresh();
  const known = await agent.local.get('/v1/pins/changing').expect(200);
  const still = await wait('changing', 'for=changed&wait=100ms', { 'if-none-match': known.body.etag });
  assert.deepEqual([still.body.met, still.body.pin.etag], [false, known.body.etag]);
  const mode = await waitWhile(
    'changing',
    'for=changed&wait=20s',
    () => void execFileSync('chmod', ['0640', at('changing')]),
  );
  assert.deepEqual([mode.met, mode.pin.mode], [true, '0640']);
  const tagged = await wait('changing', 'for=changed&wait=20s', { 'if-none-match': known.body.etag });
  assert.equal(tagged.body.met, true, 'the tag is an old one');
  const counted = await wait('changing', `for=changed&since=${still.body.seq}&wait=20s`);
  assert.equal(counted.body.met, true, 'chmod came after that event');
  const { seq } = counted.body;
  const owned = await waitWhile('changing', `for=changed&since=${seq}&wait=20s`, async () => {
    await agent.local.patch('/v1/pins/changing').send({ owner: 'me' }).expect(200);
  });
  assert.equal(owned.pin.owner, 'me');
  renameSync(at('changing'), at('changed'));
  await agent.agent.reads.refresh();
  const left = await wait('changing', `for=changed&since=${owned.seq}&wait=20s`);
  assert.deepEqual([left.body.met, left.body.pin], [true, null], 'what left by a rename has changed');
  pinById('map', id, at('changing'));
});

test('when the time is over the answer says what is there', async () => {
  const none = await wait('never', 'for=exists&wait=50ms');
  assert.deepEqual([none.status, none.body.met, none.body.pin], [200, false, null]);
  const now = await wait('never', 'for=absent&wait=0s');
  assert.equal(now.body.met, true);
});

test('a wait that means nothing is refused', async () => {
  createMap(at('plain'), { name: 'pf_wait' });
  const refused: readonly (readonly [string, number, string])[] = [
    ['plain?wait=30s', 422, 'invalid_input'],
    ['plain?since=3', 422, 'invalid_input'],
    ['plain?for=exists&since=3', 422, 'invalid_input'],
    ['plain?for=better', 422, 'invalid_input'],
    ['plain?for=exists&wait=soon', 422, 'invalid_input'],
    ['plain?for=exists&wait=6m', 422, 'invalid_input'],
    ['plain?for=attached', 422, 'invalid_input'],
    ['plain?for=exists&mount=9:9', 404, 'mount_not_found'],
  ];
  for (const [query, status, code] of refused) {
    const answer = await agent.local.get(`/v1/pins/${query}`);
    assert.deepEqual([answer.status, answer.body.code], [status, code], query);
  }
});

test('a link is attached until its target is gone, and a program while a link runs it', async () => {
  const program = 'prog:cgroup_skb:pf_egress';
  const group = `${hierarchy}/pf-wait-${process.pid}`;
  mkdirSync(group);
  using cgroup = disposable(() => rmdirSync(group));
  using loaded = await hold(program);
  pinById('prog', loaded.objects[0]?.id ?? 0, at('idle'));
  const idle = await wait('idle', 'for=attached&wait=100ms');
  assert.deepEqual([idle.body.met, idle.body.pin.kind], [false, 'program']);
  using holder = await hold(program, `link:cgroup:0:${group}`);
  pinById('prog', holder.objects[0]?.id ?? 0, at('running'));
  pinById('link', holder.objects[1]?.id ?? 0, at('link'));
  const running = await wait('running', 'for=attached&wait=20s');
  assert.equal(running.body.met, true);
  assert.equal((await wait('link', 'for=attached&wait=20s')).body.met, true);
  cgroup[Symbol.dispose]();
  const dead = async () => (await wait('link', 'for=attached&wait=0s')).body;
  const last = await until('the link is dead', dead, ({ met }) => met === false);
  assert.equal(last.pin.kind, 'link');
});

test('a program that is attached while somebody waits ends the wait', async () => {
  const group = `${hierarchy}/pf-wait-later-${process.pid}`;
  mkdirSync(group);
  using _group = disposable(() => rmdirSync(group));
  using loaded = await hold('prog:cgroup_skb:pf_later');
  const id = loaded.objects[0]?.id ?? 0;
  pinById('prog', id, at('later'));
  const attached = await waitWhile('later', 'for=attached&wait=30s', () => {
    execFileSync('bpftool', ['cgroup', 'attach', group, 'egress', 'id', String(id)]);
  });
  assert.deepEqual([attached.met, attached.pin.id], [true, id]);
  execFileSync('bpftool', ['cgroup', 'detach', group, 'egress', 'id', String(id)]);
});

test('at the limit the next waiter is refused, and who goes away makes room', async () => {
  const { waits } = agent.agent;
  const path = parsePath('full');
  const controllers = Array.from({ length: limits.waitersMax }, () => new AbortController());
  const question = { path, mount: undefined, wanted: 'exists', timeoutMs: 60_000 } as const;
  const waiting = controllers.map(({ signal }) =>
    waits.wait(question, signal).catch((error: unknown) => isPinfoldError(error, 'not_ready')),
  );
  const over = await agent.local.get('/v1/pins/other?for=exists&wait=30s');
  assertDeclared('GET', template, over);
  assert.deepEqual([over.status, over.body.code, over.body.limit], [429, 'too_many_requests', 'waiters']);
  controllers[0]?.abort();
  assert.equal((await wait('other', 'for=exists&wait=20ms')).body.met, false);
  for (const controller of controllers) controller.abort();
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set([true]));
});

test('a client that closes its connection waits no longer', async () => {
  const { waits } = agent.agent;
  const question = {
    path: parsePath('full'),
    mount: undefined,
    wanted: 'exists',
    timeoutMs: 60_000,
  } as const;
  const rest = new AbortController();
  const others = Array.from({ length: limits.waitersMax - 1 }, () =>
    waits.wait(question, rest.signal).catch(() => undefined),
  );
  const holding = get({ socketPath: agent.socket, path: '/v1/pins/gone?for=exists&wait=5m' });
  holding.on('error', () => undefined);
  const probe = async () => (await wait('probe', 'for=exists&wait=1ms')).status;
  await until('the limit is reached', probe, (status) => status === 429);
  holding.destroy();
  await until('there is room', probe, (status) => status === 200);
  rest.abort();
  await Promise.all(others);
});

test('the command line waits, says what it saw, and ends with 124 when the time is over', async () => {
  const run = async (...words: string[]) => await commandLine(['wait', ...words, '--address', agent.socket]);
  const waiting = run('from-cli', '--for', 'exists', '--timeout', '20s');
  const { id } = createMap(at('from-cli'), { name: 'pf_wait' });
  const made = await waiting;
  assert.deepEqual([made.code, made.out], [0, `from-cli is there: map ${id} hash pf_wait.\n`]);
  const over = await run('from-cli', '--for', 'absent', '--timeout', '300ms', '-o', 'json');
  assert.deepEqual([over.code, JSON.parse(over.out).met], [124, false]);
  assert.match(over.err, /from-cli is not gone; the time is over/);
  const changing = run('from-cli', '--for', 'changed', '--timeout', '20s', '-o', 'name');
  const change = setInterval(() => void unlinkIfThere(at('from-cli')), 300);
  assert.deepEqual([(await changing).code, (await changing).out], [0, 'from-cli\n']);
  clearInterval(change);
  assert.equal((await run('from-cli', '--for', 'better')).code, 2);
});

function unlinkIfThere(path: string): void {
  if (existsSync(path)) unlinkSync(path);
}

test('at shutdown everybody who waits is answered at once with 503', async () => {
  await using other = await testAgent();
  const waiting = Array.from({ length: 20 }, () => other.local.get('/v1/pins/never?for=exists&wait=5m'));
  const answers = Promise.all(waiting.map(async (answer) => await answer));
  await other.local.get('/v1/node').expect(200);
  const began = performance.now();
  const stopped = other.running.stop();
  for (const { status, body } of await answers) {
    assert.deepEqual([status, body.code], [503, 'not_ready']);
  }
  assert.ok(performance.now() - began < 1000);
  await stopped;
});
