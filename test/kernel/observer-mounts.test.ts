import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import test from 'node:test';
import type { Agent } from '../../src/agent/agent.ts';
import { type Bpffs, mountBpffs, takeNumbers, unmountAll } from '../support/bpffs.ts';
import { createMap, isAlive } from '../support/bpftool.ts';
import { openNamespaces } from '../support/mount-ns.ts';
import { everyPin, mountId, startAgent } from '../support/observed.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';

const patience = { timeoutMs: 30_000, everyMs: 50 };

function mountOf(agent: Agent, id: string) {
  return agent.reads.mounts().value.find((mount) => mount.id === id);
}

function pathsIn(agent: Agent, mount: string): string[] {
  return agent.reads.pins({ mount }, { after: undefined, limit: 100 }).value.items.map(({ path }) => path);
}

/**
 * A bpffs with a number that the agent has not seen, and that is not the next to be given out when it is
 * gone: other tests mount all the time.
 */
function newNumber(agent: Agent): Bpffs {
  const seen = new Set(agent.reads.mounts().value.map(({ id }) => id));
  using _taken = takeNumbers();
  const bpffs = mountBpffs('mode=0750');
  if (!seen.has(mountId(bpffs.dev))) return bpffs;
  // While this one is there, the next gets another number.
  using _held = bpffs;
  return newNumber(agent);
}

test('a bpffs that is mounted later is found with its pins, and its pins are gone with it', async () => {
  using first = mountBpffs();
  using dir = tempDir('state');
  await using observed = await startAgent(first.path, dir.path);
  using second = newNumber(observed.agent);
  const mount = mountId(second.dev);
  const map = createMap(`${second.path}/map`, { name: 'pf_there' });
  await untilPasses(() => assert.deepEqual(pathsIn(observed.agent, mount), ['map']), patience);
  const document = mountOf(observed.agent, mount);
  assert.deepEqual([document?.mode, document?.primary, document?.reachable], ['1750', false, true]);
  assert.equal(mountOf(observed.agent, mountId(first.dev))?.primary, true);

  unmountAll(second.path);
  await until('the mount to be gone', () => mountOf(observed.agent, mount) === undefined, Boolean, patience);
  const types = observed.eventsOf(mount).map(({ type, actor }) => `${type} ${actor}`);
  assert.deepEqual(types, [
    'mount.appeared kernel',
    'pin.created kernel',
    'pin.removed kernel',
    'mount.gone kernel',
  ]);
  assert.throws(() => pathsIn(observed.agent, mount), { code: 'mount_not_found' });
  await until('the map to be freed: nothing of ours keeps it', () => !isAlive('map', map.id));
});

test('an over-mounted bpffs cannot be listed, its pins are not gone, and it comes back', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  createMap(`${bpffs.path}/below`);
  await using observed = await startAgent(bpffs.path, dir.path);
  const mount = mountId(bpffs.dev);
  const since = observed.store.events.lastSeq();
  execFileSync('mount', ['-t', 'bpf', 'pf-bpffs', bpffs.path]);
  await until(
    'the mount to be shadowed',
    () => mountOf(observed.agent, mount)?.shadowed === true,
    Boolean,
    patience,
  );
  assert.equal(mountOf(observed.agent, mount)?.reachable, false);
  assert.match(mountOf(observed.agent, mount)?.unreachable_reason ?? '', /lies over it/);
  assert.throws(() => pathsIn(observed.agent, mount), { code: 'mount_unavailable' });
  assert.deepEqual(everyPin(observed.agent), [], 'what is asked for without a mount is what is on top');
  createMap(`${bpffs.path}/above`);
  await untilPasses(
    () =>
      assert.deepEqual(
        everyPin(observed.agent).map(({ path }) => path),
        ['above'],
      ),
    patience,
  );

  execFileSync('umount', [bpffs.path]);
  await untilPasses(
    () =>
      assert.deepEqual(
        everyPin(observed.agent).map(({ path }) => path),
        ['below'],
      ),
    patience,
  );
  assert.deepEqual(
    observed.store.events
      .list({ mount, afterSeq: since, limit: 10 })
      .filter(({ type }) => !type.startsWith('finding.')),
    [],
    'nothing happened to its pins',
  );
});

test('an unmounted bpffs is unavailable, and a new one at its path is its own instance', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  createMap(`${bpffs.path}/map`, { name: 'pf_old' });
  await using observed = await startAgent(bpffs.path, dir.path);
  const mount = mountId(bpffs.dev);
  const since = observed.store.events.lastSeq();
  execFileSync('umount', [bpffs.path]);
  execFileSync('mount', ['-t', 'bpf', 'pf-bpffs', bpffs.path]);
  createMap(`${bpffs.path}/map`, { name: 'pf_new' });
  await untilPasses(
    () =>
      assert.deepEqual(
        everyPin(observed.agent).map(({ name }) => name),
        ['pf_new'],
      ),
    patience,
  );
  await until('the end of the old pin in history, whoever has the number now', () =>
    observed.store.events
      .list({ path: 'map', mount, afterSeq: since, limit: 10 })
      .some(({ before }) => before?.['name'] === 'pf_old'),
  );

  createMap(`${bpffs.path}/later`);
  await untilPasses(() => assert.equal(everyPin(observed.agent).length, 2), patience);
  execFileSync('umount', [bpffs.path]);
  await untilPasses(
    () => assert.throws(() => everyPin(observed.agent), { code: 'mount_unavailable' }),
    patience,
  );
});

test('a bpffs in another mount namespace is seen, and its end too', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  await using observed = await startAgent(bpffs.path, dir.path);
  const taken = takeNumbers();
  using other = await openNamespaces();
  taken[Symbol.dispose]();
  other.run(
    'bpftool',
    'map',
    'create',
    '/sys/fs/bpf/far',
    'type',
    'hash',
    'key',
    '4',
    'value',
    '4',
    'entries',
    '1',
    'name',
    'pf_far',
  );
  const [id = ''] = other.run('stat', '-c', '%Hd:%Ld', '/sys/fs/bpf').trim().split('\n');
  await untilPasses(() => assert.deepEqual(pathsIn(observed.agent, id), ['far']), {
    timeoutMs: 30_000,
    everyMs: 100,
  });
  assert.equal(
    mountOf(observed.agent, id)?.paths.some(({ pid }) => pid === other.pid),
    true,
  );
  other[Symbol.dispose]();
  await until('its end', () => mountOf(observed.agent, id) === undefined, Boolean, {
    timeoutMs: 30_000,
    everyMs: 100,
  });
  assert.equal(observed.eventsOf(id).at(-1)?.type, 'mount.gone');
});

test('what is mounted over a directory is no part of the bpffs, and what it hides stays known', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  mkdirSync(`${bpffs.path}/dir`);
  createMap(`${bpffs.path}/dir/hidden`);
  await using observed = await startAgent(bpffs.path, dir.path);
  const since = observed.store.events.lastSeq();
  execFileSync('mount', ['-t', 'tmpfs', 'pf-tmpfs', `${bpffs.path}/dir`]);
  try {
    mkdirSync(`${bpffs.path}/dir/foreign`);
    createMap(`${bpffs.path}/beside`);
    const tree = () =>
      observed.agent.reads.tree({ mount: undefined }, { after: undefined, limit: 10 }).value.items;
    const expected = ['beside', 'dir', 'dir/hidden'];
    await untilPasses(
      () =>
        assert.deepEqual(
          tree().map(({ path }) => path),
          expected,
        ),
      patience,
    );
    await observed.agent.reads.refresh();
    assert.deepEqual(
      tree().map(({ path }) => path),
      expected,
    );
    assert.deepEqual(
      observed.store.events.list({ mount: mountId(bpffs.dev), afterSeq: since, limit: 9 }).length,
      1,
    );
  } finally {
    execFileSync('umount', [`${bpffs.path}/dir`]);
  }
});
