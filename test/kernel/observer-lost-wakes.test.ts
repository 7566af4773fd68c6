import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import test from 'node:test';
import type { Kernel, Watcher } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { PinfoldError } from '../../src/model/error.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap } from '../support/bpftool.ts';
import { nameChanger } from '../support/name-changes.ts';
import { everyPin, mountId, startAgent } from '../support/observed.ts';
import { tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';

/**
 * The real kernel, but with another watcher: inotify that says nothing, or too much, cannot be provoked at
 * will.
 */
function withWatcher(make: (onWake: (watch: number | 'overflow') => void) => Watcher): Kernel {
  const kernel = openKernel();
  return { ...kernel, openWatcher: make, [Symbol.dispose]: () => kernel[Symbol.dispose]() };
}

const soon = { quickMs: 200, fullMs: 500, wakeMs: 20 };
const patience = { timeoutMs: 10_000, everyMs: 50 };

test('without any wake the walks alone see every change', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  mkdirSync(`${bpffs.path}/dir`);
  using changer = await nameChanger(bpffs.path);
  await changer.tell('make 100 dir/a');
  let added = 0;
  const kernel = withWatcher(() => ({
    add: () => ++added,
    remove: () => undefined,
    look: () => undefined,
    [Symbol.dispose]: () => undefined,
  }));
  await using observed = await startAgent(bpffs.path, dir.path, { kernel, rhythm: soon });
  const since = observed.store.events.lastSeq();
  await changer.tell('rename 50 dir/a b');
  await changer.tell('make 10 dir/c');
  await changer.tell('link 5 b d');
  await untilPasses(() => assert.equal(everyPin(observed.agent).length, 115), patience);
  await observed.agent.reads.refresh();
  const events = observed.store.events.list({ mount: mountId(bpffs.dev), afterSeq: since, limit: 1000 });
  assert.equal(events.filter(({ type }) => type === 'pin.created').length, 15);
  assert.ok(added > 0, 'the observer asked to be woken');
});

test('after an overflow everything is read again, attributes too', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  using changer = await nameChanger(bpffs.path);
  await changer.tell('make 20 a');
  let overflow = (): void => undefined;
  const kernel = withWatcher((onWake) => {
    overflow = () => onWake('overflow');
    return {
      add: () => 1,
      remove: () => undefined,
      look: () => undefined,
      [Symbol.dispose]: () => undefined,
    };
  });
  const rarely = { quickMs: 600_000, fullMs: 600_000, wakeMs: 20 };
  await using observed = await startAgent(bpffs.path, dir.path, { kernel, rhythm: rarely });
  await changer.tell('chmod 20 a 644');
  await changer.tell('make 5 b');
  overflow();
  const modes = () => everyPin(observed.agent).map(({ mode }) => mode);
  await untilPasses(
    () => assert.deepEqual(modes(), [...Array(20).fill('0644'), ...Array(5).fill('0600')]),
    patience,
  );
});

test('where the kernel gives no more watches the agent still sees everything', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  const kernel = withWatcher(() => ({
    add: () => {
      throw new PinfoldError('overloaded', { detail: 'no more watches' });
    },
    remove: () => undefined,
    look: () => undefined,
    [Symbol.dispose]: () => undefined,
  }));
  await using observed = await startAgent(bpffs.path, dir.path, { kernel, rhythm: soon });
  createMap(`${bpffs.path}/map`);
  await untilPasses(
    () =>
      assert.deepEqual(
        everyPin(observed.agent).map(({ path }) => path),
        ['map'],
      ),
    patience,
  );
});
