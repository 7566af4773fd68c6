import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import test from 'node:test';
import { parsePlan } from '../../src/agent/journal/plan.ts';
import { listLeftovers } from '../../src/agent/recovery/leftovers.ts';
import { recover } from '../../src/agent/recovery/recover.ts';
import type { StepName } from '../../src/model/step.ts';
import type { Intent } from '../../src/model/store.ts';
import { createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { asking, type Bench, killNow, openBench, path, stagedIn } from './changes-fixture.ts';

/**
 * Stops a change at a step the way a crash would: the journal and the kernel are left as they are there,
 * because from then on the process does nothing more to either.
 */
function crashAt(bench: Bench, step: StepName, change: () => void): Intent {
  const { calls, objects } = bench.kernel;
  const dead = (): never => {
    throw new Error('this process is dead');
  };
  const names = ['renameat2', 'unlinkat', 'rmdirat', 'mkdirat'] as const;
  const saved = new Map(names.map((name) => [name, calls[name].bind(calls)]));
  const pin = objects.pin.bind(objects);
  const { journal } = bench.store;
  const settle = journal.settle.bind(journal);
  bench.onStep = (reached) => {
    if (reached !== step) return;
    for (const name of names) calls[name] = dead;
    Object.assign(objects, { pin: dead });
    Object.assign(journal, { settle: dead });
    dead();
  };
  assert.throws(change);
  bench.onStep = () => undefined;
  Object.assign(calls, Object.fromEntries(saved));
  Object.assign(objects, { pin });
  Object.assign(journal, { settle });
  const [intent] = journal.listOpen();
  assert.ok(intent, 'the intent is open');
  return intent;
}

test('a staged pin whose object nobody else holds any more is named, not freed', async () => {
  using bench = openBench();
  const holder = await hold('map:hash:4:8:16:pf_only:0');
  const id = holder.objects[0]?.id ?? 0;
  const request = { source: { kind: 'map', id }, parents: true, mode: '0640' } as const;
  crashAt(bench, 'pin.staged', () => bench.changes.pin(path('a/b'), undefined, request, asking()));
  await holder.release();
  const { settled } = recover(bench.environment);
  assert.deepEqual(
    settled.map(({ outcome }) => outcome),
    ['applied'],
  );
  assert.equal(pinnedMap(`${bench.bpffs.path}/a/b`).id, id);
  assert.equal(bench.store.events.list({ path: 'a/b', limit: 1 })[0]?.type, 'pin.created');
});

test('a staged pin whose name is taken goes if others hold its object, and is kept if not', async () => {
  for (const isHeld of [true, false]) {
    using bench = openBench();
    const holder = await hold('map:hash:4:8:16:pf_taken:0');
    const id = holder.objects[0]?.id ?? 0;
    const request = { source: { kind: 'map', id } } as const;
    const intent = crashAt(bench, 'pin.staged', () =>
      bench.changes.pin(path('x'), undefined, request, asking()),
    );
    const foreign = createMap(`${bench.bpffs.path}/x`, { name: 'pf_foreign' });
    if (!isHeld) await holder.release();
    const { settled } = recover(bench.environment);
    assert.deepEqual(
      settled.map(({ outcome }) => outcome),
      ['not_applied'],
    );
    assert.equal(pinnedMap(`${bench.bpffs.path}/x`).id, foreign.id);
    assert.equal(isAlive('map', id), true);
    const mounts = [bench.environment.mounts.findMount(undefined)];
    const left = listLeftovers(bench.kernel, bench.store, mounts).map(({ operationId }) => operationId);
    assert.deepEqual(left, isHeld ? [] : [intent.operationId]);
    if (isHeld) await holder.release();
  }
});

test('a displaced pin that nobody else holds gets its name back if the new object is safe', async () => {
  using bench = openBench();
  using source = await hold('map:hash:4:8:16:pf_new:0');
  const owner = await hold('map:hash:4:8:16:pf_old:0', `pin:0:${bench.bpffs.path}/x`);
  const [fresh = 0, old = 0] = [source, owner].map(({ objects }) => objects[0]?.id ?? 0);
  const request = { source: { kind: 'map', id: fresh }, replace: true } as const;
  crashAt(bench, 'replace.exchanged', () => bench.changes.pin(path('x'), undefined, request, asking()));
  killNow(owner.pid);
  assert.deepEqual(
    recover(bench.environment).settled.map(({ outcome }) => outcome),
    ['not_applied'],
  );
  assert.equal(pinnedMap(`${bench.bpffs.path}/x`).id, old);
  assert.deepEqual(stagedIn(bench), []);
  owner[Symbol.dispose]();
});

test('where both objects of a replace hang on their pins, neither is freed', async () => {
  using bench = openBench();
  const owner = await hold(
    'map:hash:4:8:16:pf_new:0',
    'map:hash:4:8:16:pf_old:0',
    `pin:1:${bench.bpffs.path}/x`,
  );
  const [fresh = 0, old = 0] = owner.objects.map(({ id }) => id);
  const request = { source: { kind: 'map', id: fresh }, replace: true } as const;
  crashAt(bench, 'replace.exchanged', () => bench.changes.pin(path('x'), undefined, request, asking()));
  await owner.release();
  const [ending] = recover(bench.environment).settled;
  assert.equal(ending?.outcome, 'applied');
  assert.match(ending?.detail ?? '', /stays in the staging directory/);
  assert.equal(pinnedMap(`${bench.bpffs.path}/x`).id, fresh);
  assert.equal(pinnedMap(`${bench.bpffs.path}/pinfold-staging/${stagedIn(bench)[0]}`).id, old);
});

test('a displaced pin that the caller agreed to lose is let go', async () => {
  using bench = openBench();
  using source = await hold('map:hash:4:8:16:pf_new:0');
  createMap(`${bench.bpffs.path}/x`, { name: 'pf_alone' });
  const request = { source: { kind: 'map', id: source.objects[0]?.id ?? 0 }, replace: true } as const;
  const accept = asking({ accept: new Set(['last_reference']) });
  crashAt(bench, 'replace.exchanged', () => bench.changes.pin(path('x'), undefined, request, accept));
  assert.deepEqual(
    recover(bench.environment).settled.map(({ outcome }) => outcome),
    ['applied'],
  );
  assert.equal(pinnedMap(`${bench.bpffs.path}/x`).id, source.objects[0]?.id);
  assert.deepEqual(stagedIn(bench), []);
});

test('a foreign pin that was exchanged by mistake gets its name back', async () => {
  using bench = openBench();
  using holder = await hold(
    'map:hash:4:8:16:pf_new:0',
    'map:hash:4:8:16:pf_old:0',
    `pin:1:${bench.bpffs.path}/x`,
  );
  const foreign = createMap(`${bench.bpffs.path}/f`, { name: 'pf_foreign' });
  const request = { source: { kind: 'map', id: holder.objects[0]?.id ?? 0 }, replace: true } as const;
  const { renameat2 } = bench.kernel.calls;
  bench.kernel.calls.renameat2 = (from, to, flags) => {
    if (flags === 2) execFileSync('mv', [`${bench.bpffs.path}/f`, `${bench.bpffs.path}/x`]);
    renameat2.call(bench.kernel.calls, from, to, flags);
  };
  crashAt(bench, 'replace.exchanged', () => bench.changes.pin(path('x'), undefined, request, asking()));
  bench.kernel.calls.renameat2 = renameat2;
  assert.deepEqual(
    recover(bench.environment).settled.map(({ outcome }) => outcome),
    ['not_applied'],
  );
  assert.equal(pinnedMap(`${bench.bpffs.path}/x`).id, foreign.id);
  assert.deepEqual(stagedIn(bench), []);
});

test('a pin that was moved aside and whose name is taken is kept and reported', async () => {
  using bench = openBench();
  using holder = await hold('map:hash:4:8:16:pf_aside:0', `pin:0:${bench.bpffs.path}/x`);
  const intent = crashAt(bench, 'unpin.moved_aside', () =>
    bench.changes.unpin(path('x'), undefined, asking()),
  );
  const foreign = createMap(`${bench.bpffs.path}/x`, { name: 'pf_foreign' });
  const [ending] = recover(bench.environment).settled;
  assert.equal(ending?.outcome, 'unknown');
  assert.equal(pinnedMap(`${bench.bpffs.path}/x`).id, foreign.id);
  assert.equal(stagedIn(bench)[0]?.includes(intent.operationId), true);
  assert.equal(holder.objects.length, 1);
});

test('an operation of another boot or of a gone instance is settled as lost', () => {
  for (const change of [
    (intent: Intent): Intent => ({ ...intent, bootId: 'another-boot' }),
    (intent: Intent): Intent => ({ ...intent, instance: `${intent.bootId}/0:1/77` }),
    (intent: Intent): Intent => ({ ...intent, plan: { ...(intent.plan as object), mount: '0:9999' } }),
    (intent: Intent): Intent => ({ ...intent, plan: { version: 2 } }),
  ]) {
    using bench = openBench();
    createMap(`${bench.bpffs.path}/x`, { name: 'pf_lost' });
    const intent = crashAt(bench, 'unpin.intent_committed', () =>
      bench.changes.unpin(path('x'), undefined, asking({ force: true })),
    );
    bench.store.journal.settle(intent.operationId, 'unknown', intent.startedAt, null);
    const other = change({ ...intent, operationId: 'other' });
    bench.store.journal.begin(other);
    const [ending] = recover(bench.environment).settled;
    assert.equal(ending?.outcome, 'unknown');
    assert.match(ending?.detail ?? '', /^Lost: /);
    assert.ok(existsSync(`${bench.bpffs.path}/x`));
  }
});

test('an instance that is read-only now keeps its intent for a later start', async () => {
  using bench = openBench();
  using holder = await hold('map:hash:4:8:16:pf_ro:0', `pin:0:${bench.bpffs.path}/x`);
  crashAt(bench, 'unpin.moved_aside', () => bench.changes.unpin(path('x'), undefined, asking()));
  execFileSync('mount', ['-o', 'remount,ro', bench.bpffs.path]);
  assert.equal(recover(bench.environment).waiting.length, 1);
  execFileSync('mount', ['-o', 'remount,rw', bench.bpffs.path]);
  assert.equal(recover({ ...bench.environment, isReadOnly: true }).waiting.length, 1);
  assert.deepEqual(
    recover(bench.environment).settled.map(({ outcome }) => outcome),
    ['not_applied'],
  );
  assert.equal(pinnedMap(`${bench.bpffs.path}/x`).id, holder.objects[0]?.id);
});

test('entries of other agents are reported and left alone', () => {
  using bench = openBench();
  mkdirSync(`${bench.bpffs.path}/pinfold-staging`, 0o700);
  createMap(`${bench.bpffs.path}/pinfold-staging/somebody`, { name: 'pf_theirs' });
  recover(bench.environment);
  const mounts = [bench.environment.mounts.findMount(undefined)];
  const left = listLeftovers(bench.kernel, bench.store, mounts);
  assert.deepEqual(
    left.map(({ entry, operationId }) => [entry, operationId]),
    [['somebody', undefined]],
  );
  assert.deepEqual(stagedIn(bench), ['somebody']);
});

test('a plan that this version did not write is not guessed at', () => {
  assert.equal(
    parsePlan({ version: 1, mount: '0:1', phase: 'open', items: [{ kind: 'new-kind' }] }),
    undefined,
  );
  assert.equal(parsePlan(null), undefined);
  assert.ok(parsePlan({ version: 1, mount: '0:1', phase: 'open', items: [] }));
});
