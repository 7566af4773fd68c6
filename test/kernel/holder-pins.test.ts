import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import type { HolderFacts, ObjectKey } from '../../src/model/holder/facts.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { forFile } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';

const kernel = forFile(openKernel());

/** The facts about what holds one map. */
function factsOf(id: number): HolderFacts {
  const facts = kernel.holders.read({ focus: { kind: 'map', id } });
  assert.deepEqual(kernel.fds.transient(), []);
  return facts;
}

test('an instance that another mount lies over is read by a descriptor on its root', async () => {
  using bpffs = mountBpffs();
  execFileSync('mkdir', [`${bpffs.path}/dir`]);
  using maker = await hold('map:hash:4:8:1:pf_shadowed:0', `pin:0:${bpffs.path}/dir/pf_shadowed`, 'close:0');
  const id = maker.objects[0]?.id ?? 0;
  using below = await hold(`open:${bpffs.path}/dir`);
  using witness = await hold(`open:${bpffs.path}`);
  execFileSync('mount', ['-t', 'bpf', 'pf-over', bpffs.path]);
  const seen = factsOf(id);
  const [pin] = seen.pins;
  assert.deepEqual([pin?.path, pin?.object], ['dir/pf_shadowed', { kind: 'map', id }]);
  assert.equal(seen.filesystems.find(({ mount }) => mount === pin?.mount)?.state, 'shadowed');
  assert.ok(!seen.unavailable.some(({ what }) => what === `pins of bpffs ${pin?.mount}`));
  await witness.release();
  assert.equal(below.objects.length, 1, 'from a directory below the way up leads into the other mount');
  const hidden = factsOf(id);
  assert.deepEqual(hidden.pins, []);
  const lack = hidden.unavailable.find(({ what }) => what === `pins of bpffs ${pin?.mount}`);
  assert.match(lack?.reason ?? '', /another mount lies over it/);
});

test('pins whose inode is known are not opened again, and others are', async () => {
  using bpffs = mountBpffs();
  using holder = await hold(
    'map:hash:4:8:1:pf_known:0',
    `pin:0:${bpffs.path}/one`,
    `pin:0:${bpffs.path}/two`,
  );
  const id = holder.objects[0]?.id ?? 0;
  const { pins } = factsOf(id);
  assert.deepEqual(pins.map(({ path }) => path).sort(), ['one', 'two']);
  const known = new Map<string, ObjectKey>();
  for (const { path, mount, inode, object } of pins)
    if (path === 'one') known.set(`${mount} ${inode}`, object);
  const asked: string[] = [];
  const again = kernel.holders.read({
    focus: { kind: 'map', id },
    knownPin: ({ mount, inode }) => {
      asked.push(`${mount} ${inode}`);
      return known.get(`${mount} ${inode}`);
    },
  });
  assert.deepEqual(again.pins, pins);
  for (const { mount, inode } of pins) assert.ok(asked.includes(`${mount} ${inode}`));
});
