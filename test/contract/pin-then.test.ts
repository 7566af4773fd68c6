import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { PinDocument } from '../../src/model/schema/pin.ts';
import type { PinThenDocument } from '../../src/model/schema/pin-then.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap, pinById, pinnedMap } from '../support/bpftool.ts';
import { commandLine } from '../support/command-line.ts';
import { random, testSeed } from '../support/seed.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';

const seed = testSeed();
const bpffs = mountBpffs('mode=0700');
after(() => bpffs[Symbol.dispose]());

/** Which map each path holds, by find(1) and bpftool. */
function look(): ReadonlyMap<string, number> {
  const text = execFileSync('find', ['.', '-type', 'f', '-not', '-name', '*.debug', '-printf', '%P\n'], {
    cwd: bpffs.path,
    encoding: 'utf8',
  });
  const paths = text.split('\n').filter((path) => path !== '' && !path.startsWith('pinfold-staging'));
  return new Map(paths.map((path) => [path, pinnedMap(join(bpffs.path, path)).id]));
}

/** The state of the file system as of some event, and some time. */
interface Moment {
  readonly seq: number;
  readonly time: string;
  readonly pins: ReadonlyMap<string, number>;
}

/** Waits until the agent shows what is there, and notes it. */
async function momentOf({ agent, local }: TestAgent): Promise<Moment> {
  const pins = look();
  await untilPasses(async () => {
    const { body } = await local.get('/v1/pins?limit=5000').expect(200);
    const items: readonly PinDocument[] = body.items;
    assert.deepEqual(new Map(items.map(({ path, id = 0 }) => [path, id])), pins);
  });
  const seq = agent.store.events.lastSeq();
  const time = new Date().toISOString();
  await until('the next millisecond', () => Date.now() > Date.parse(time) + 1);
  return { seq, time, pins };
}

async function ask({ local }: TestAgent, path: string, at: string): Promise<PinThenDocument> {
  const answer = await local.get(`/v1/pins/${path}?at=${encodeURIComponent(at)}`).expect(200);
  return answer.body;
}

const paths = ['a', 'b', 'c', 'd/e', 'd/f', 'never'] as const;

/** One change, by the agent's client or behind its back. */
async function changeSomething({ local }: TestAgent, draw: ReturnType<typeof random>): Promise<void> {
  const there = [...look().keys()];
  const [path, way] = [draw.pick(paths.slice(0, 5)), draw.int(6)];
  const place = (name: string) => join(bpffs.path, name);
  const isFree = !there.includes(path);
  if (isFree && way < 3) createMap(place(path), { name: 'pf_then' });
  else if (isFree || way === 3) {
    const { id } = createMap(place('source'), { name: 'pf_then' });
    const body = { source: { kind: 'map', id }, replace: true };
    await local
      .put(`/v1/pins/${path}?force=true`)
      .send(body)
      .expect(isFree ? 201 : 200);
    rmSync(place('source'));
  } else if (way === 0) renameSync(place(draw.pick(there)), place(path));
  else if (way === 1) rmSync(place(path));
  else if (way === 2) await local.delete(`/v1/pins/${path}?force=true`).expect(204);
  else
    await local
      .patch(`/v1/pins/${path}`)
      .send({ labels: { way: String(way) } })
      .expect(200);
}

test('what each path held is told by number and by time, as the file system was each time', async () => {
  await using agent = await testAgent({ bpffs });
  mkdirSync(join(bpffs.path, 'd'));
  const moments: Moment[] = [await momentOf(agent)];
  const draw = random(seed);
  for (let step = 0; step < 25; step += 1) {
    await changeSomething(agent, draw);
    moments.push(await momentOf(agent));
  }
  for (const { seq, time, pins } of moments) {
    for (const path of paths) {
      for (const at of [`seq:${seq}`, time]) {
        const then = await ask(agent, path, at);
        const held = pins.get(path);
        assert.equal(then.state, held === undefined ? 'absent' : 'present', `${path} at ${at}`);
        assert.equal(then.pin?.['id'], held, `${path} at ${at}`);
        assert.ok((then.as_of_seq ?? 0) >= seq, 'other instances have events, too');
        assert.equal(then.at, at);
      }
    }
  }
});

test('while the agent was down nobody knows; what was known before and after is told', async () => {
  using dir = tempDir('pin-then');
  const stateDir = join(dir.path, 'state');
  for (const path of look().keys()) rmSync(join(bpffs.path, path));
  const stays = createMap(join(bpffs.path, 'stays'), { name: 'pf_then' });
  const goes = createMap(join(bpffs.path, 'goes'), { name: 'pf_then' });
  let before: Moment;
  {
    await using agent = await testAgent({ bpffs, stateDir });
    before = await momentOf(agent);
    const early = await ask(agent, 'goes', 'seq:1');
    assert.deepEqual([early.state, early.reason], ['unknown', 'the agent had not looked yet']);
    assert.equal(early.last_known, undefined);
    assert.equal(early.next_known?.pin?.['id'], goes.id);
    const sooner = await ask(agent, 'goes', '2020-01-01T00:00:00Z');
    assert.deepEqual([sooner.state, sooner.as_of_seq], ['unknown', undefined]);
    const later = await ask(agent, 'goes', '2220-01-01T00:00:00Z');
    assert.deepEqual([later.state, later.reason], ['unknown', 'that time has not come']);
  }
  const down = new Date().toISOString();
  rmSync(join(bpffs.path, 'goes'));
  const comes = createMap(join(bpffs.path, 'comes'), { name: 'pf_then' });
  await until('the next millisecond', () => Date.now() > Date.parse(down) + 1);
  await using agent = await testAgent({ bpffs, stateDir });
  const now = await momentOf(agent);
  const expected = { stays: [stays.id, stays.id], goes: [goes.id, undefined], comes: [undefined, comes.id] };
  for (const [path, [last, next]] of Object.entries(expected)) {
    const then = await ask(agent, path, down);
    assert.deepEqual([then.state, then.pin], ['unknown', null], path);
    assert.match(then.reason ?? '', /not running/);
    assert.equal(then.last_known?.pin?.['id'], last, path);
    assert.equal(then.next_known?.pin?.['id'], next, path);
    for (const { time, seq, id } of [
      { ...before, id: last },
      { ...now, id: next },
    ]) {
      for (const at of [time, `seq:${seq}`]) {
        const known = await ask(agent, path, at);
        assert.deepEqual(
          [known.state, known.pin?.['id']],
          [id === undefined ? 'absent' : 'present', id],
          path,
        );
      }
    }
  }
});

test('what retention has dropped is unknown, what it left is enough for all that came after', async () => {
  await using agent = await testAgent({ bpffs });
  for (const path of look().keys()) rmSync(join(bpffs.path, path));
  const old = createMap(join(bpffs.path, 'old'), { name: 'pf_then' });
  const gone = createMap(join(bpffs.path, 'gone'), { name: 'pf_then' });
  const moment = await momentOf(agent);
  const moved = createMap(join(bpffs.path, 'from'), { name: 'pf_then' });
  const between = await momentOf(agent);
  agent.agent.store.events.prune(between.seq, 500);
  rmSync(join(bpffs.path, 'gone'));
  renameSync(join(bpffs.path, 'from'), join(bpffs.path, 'to'));
  pinById('map', old.id, join(bpffs.path, 'young'));
  await momentOf(agent);
  for (const path of ['old', 'gone', 'from'] as const) {
    const lost = await ask(agent, path, `seq:${moment.seq}`);
    assert.deepEqual([lost.state, lost.reason], ['unknown', 'history of then is not kept']);
    assert.equal((await ask(agent, path, moment.time)).state, 'unknown');
  }
  const expected = { old: old.id, gone: gone.id, from: moved.id, to: undefined, young: undefined };
  for (const [path, id] of Object.entries(expected)) {
    const then = await ask(agent, path, `seq:${between.seq}`);
    assert.deepEqual([then.state, then.pin?.['id']], [id === undefined ? 'absent' : 'present', id], path);
  }
});

test('the command line shows what a path held, as a table and as JSON', async () => {
  await using agent = await testAgent({ bpffs });
  const { id } = createMap(join(bpffs.path, 'shown'), { name: 'pf_then' });
  const { seq } = await momentOf(agent);
  rmSync(join(bpffs.path, 'shown'));
  await momentOf(agent);
  const get = ['get', 'pin', 'shown', '--address', agent.socket];
  const table = await commandLine([...get, '--at', `seq:${seq}`]);
  assert.match(table.out, new RegExp(`PATH +STATE .*\\nshown +present +map +${id} +hash +pf_then `));
  const json = await commandLine([...get, '--at', '0s', '-o', 'json']);
  assert.equal(JSON.parse(json.out).state, 'absent');
  assert.equal((await commandLine(['get', 'maps', '--at', '1h'])).code, 2);
  assert.equal((await commandLine([...get, '--at', 'lately'])).code, 2);
});

test('questions that make no sense are refused', async () => {
  await using agent = await testAgent({ bpffs });
  const { local } = agent;
  for (const query of ['at=then', 'at=seq:x', 'at=seq:1&for=exists', 'at=seq:1&since=1', 'at=seq:999999']) {
    const { body } = await local.get(`/v1/pins/a?${query}`).expect(422);
    assert.equal(body.code, 'invalid_input', query);
  }
  const { body } = await local.get('/v1/pins/a?at=seq:1&mount=0:999999').expect(404);
  assert.equal(body.code, 'mount_not_found');
});
