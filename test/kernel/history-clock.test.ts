import assert from 'node:assert/strict';
import { uptime } from 'node:os';
import test from 'node:test';
import { parsePath } from '../../src/model/path.ts';
import { openStore } from '../../src/store/open-store.ts';
import { verifyHistory } from '../../src/store/verify-history.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { nameChanger } from '../support/name-changes.ts';
import { everyPin, mountId, startAgent } from '../support/observed.ts';
import { random, testSeed } from '../support/seed.ts';
import { tempDir } from '../support/temp-dir.ts';

const seed = testSeed();
const jumps = [-10, 10, 0];
const commands = ['make 3 a', 'swap 2 a', 'remove 2 a', 'rename 3 a b', 'rename 3 b a'];
/** These change something whatever is drawn after them, so that each jump is seen. */
const first = ['make 3 a', 'remove 2 a', 'make 2 a'];
const yearMs = 365 * 24 * 3600 * 1000;

test('a clock that jumps by ten years at each change harms no order, no answer, nothing kept', async () => {
  using bpffs = mountBpffs('mode=0700');
  using dir = tempDir('history-clock');
  const mount = mountId(bpffs.dev);
  const draw = random(seed);
  let offsetMs = 0;
  const clock = {
    now: () => new Date(Date.now() + offsetMs),
    monotonicMs: () => performance.now(),
    bootMs: () => uptime() * 1000,
  };
  const keeping = { retentionMs: 30 * 24 * 3600 * 1000, retentionBytes: 1024 ** 3 };
  const store = openStore({ stateDir: dir.path, node: 'test', bootId: 'boot', clock, ...keeping });
  using changer = await nameChanger(bpffs.path, 'pf_hc');
  const held: { seq: number; time: string; ids: ReadonlyMap<string, number | undefined> }[] = [];
  {
    await using observed = await startAgent(bpffs.path, dir.path, { store, clock });
    const { agent } = observed;
    for (let step = 0; step < 20; step += 1) {
      offsetMs = (jumps[step] ?? draw.pick(jumps)) * yearMs;
      await changer.attempt(first[step] ?? draw.pick(commands));
      await agent.reads.refresh();
      store.prune();
      const ids = new Map(everyPin(agent).map(({ path, id }) => [path, id]));
      held.push({ seq: store.events.lastSeq(), time: clock.now().toISOString(), ids });
    }
    assert.deepEqual(store.removedEvents(), { age: 0, count: 0, size: 0 });
    const events = store.events.list({ mount, limit: 10_000 });
    const seqs = events.map(({ seq }) => seq);
    assert.deepEqual(
      seqs,
      [...seqs].sort((one, other) => one - other),
    );
    assert.ok(new Set(events.map(({ time }) => time.slice(0, 4))).size === 3, 'the clock did jump');
    for (const { seq, ids } of held) {
      for (const path of ['a0', 'a1', 'a2', 'b0', 'b1', 'b2']) {
        const then = agent.history.pinAt(parsePath(path), mount, { seq });
        assert.equal(then.state, ids.has(path) ? 'present' : 'absent', `${path} at ${seq}`);
        assert.equal(then.pin?.['id'], ids.get(path), `${path} at ${seq}`);
      }
    }
    offsetMs = 0;
    const last = held.at(-1);
    const now = agent.history.pinAt(parsePath('a0'), mount, { time: new Date().toISOString() });
    assert.ok(now.as_of_seq !== undefined && now.as_of_seq <= (last?.seq ?? 0));
    assert.ok(Date.parse(now.as_of_time ?? '') <= Date.now(), 'events from the future are not of now');
  }
  assert.equal(verifyHistory(dir.path).fault, undefined);
});
