import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { readKernelBtf } from '../../src/kernel/btf/kernel-btf.ts';
import { IteratorCounters } from '../../src/kernel/iter/counters.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { Calls } from '../../src/kernel/sys/calls.ts';
import { FdTable } from '../../src/kernel/sys/fd.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import type { Counters } from '../../src/model/hazard.ts';
import type { PinnableKind } from '../../src/model/kind.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { counterKey, counterSampler } from '../support/counters.ts';
import { forFile } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { bpfFds } from '../support/leaks.ts';
import { makeObjects } from '../support/make-objects.ts';
import { until, untilPasses } from '../support/until.ts';

const kernel = forFile(openKernel());
const { counters } = kernel;

/** What both ways of reading agree on, as text: `refcnt/usercnt`, or the refcnt alone. */
function read(kind: PinnableKind, id: number): string {
  const one = show(counters.readOne(kind, id));
  assert.equal(show(counters.readAll(kind).get(id)), one, `${kind} ${id} read alone and among all`);
  return one;
}

function show(found: Counters | undefined): string {
  if (found === undefined) return 'gone';
  return found.usercnt === undefined ? `${found.refcnt}` : `${found.refcnt}/${found.usercnt}`;
}

/** Kernel references are dropped asynchronously: waits until the counters are these. */
async function settle(kind: PinnableKind, id: number, expected: string): Promise<void> {
  await until(
    `${kind} ${id} has ${expected}`,
    () => read(kind, id),
    (shown) => shown === expected,
  );
}

test('counters of every type of map, program and link are those a clang-built iterator reads', async () => {
  using bpffs = mountBpffs();
  using zoo = await makeObjects(bpffs.path);
  using sampler = counterSampler();
  // Whoever else goes over all objects of this machine holds one of ours for a moment.
  await untilPasses(async () => {
    const sample = await sampler.sample();
    for (const { kind, type, id } of zoo.made) {
      const oracle = sample.get(counterKey(kind, id));
      assert.ok(oracle, `${kind} ${type} is in the sample`);
      const expected = kind === 'map' ? `${oracle.refcnt}/${oracle.usercnt}` : `${oracle.refcnt}`;
      assert.equal(read(kind, id), expected, `${kind} ${type}`);
    }
  });
  assert.ok(zoo.made.length >= 60);
});

test('a map counts files, pins, programs and outer maps as the kernel does, step by step', async () => {
  using bpffs = mountBpffs();
  const at = (name: string): string => `${bpffs.path}/${name}`;
  using holder = await hold('map:hash:4:8:16:pf_steps:0');
  const id = holder.objects[0]?.id ?? 0;
  assert.equal(read('map', id), '1/1');
  await holder.tell(`pin:0:${at('one')}`);
  assert.equal(read('map', id), '2/2');
  await holder.tell(`get:${at('one')}`);
  assert.equal(read('map', id), '3/3');
  await holder.tell(`id:map:${id}`);
  assert.equal(read('map', id), '4/4');
  execFileSync('ln', [at('one'), at('two')]);
  assert.equal(read('map', id), '4/4', 'a hard link is another name of the same inode');
  await holder.tell('dup:0');
  assert.equal(read('map', id), '4/4', 'a duplicate is the same file');
  await holder.tell(`pin:0:${at('three')}`);
  assert.equal(read('map', id), '5/5');
  using user = await hold(`get:${at('one')}`, 'prog:xdp:pf_uses:0', 'close:0');
  await settle('map', id, '6/5');
  using outer = await hold(`get:${at('one')}`, 'map:hash_of_maps:4:4:4:pf_outer:0:0', 'close:0');
  await settle('map', id, '6/5');
  const inner = await outer.tell(`get:${at('one')}`);
  await outer.tell(`put:1:7:${inner.index}`);
  await outer.tell(`close:${inner.index}`);
  await settle('map', id, '7/5');
  await user.release();
  await outer.release();
  await holder.release();
  await settle('map', id, '2/2');
  execFileSync('rm', [at('one'), at('two'), at('three')]);
  await settle('map', id, 'gone');
});

test('a map counts the mappings that may write to it, and a closed descriptor ends none', async () => {
  const mmapable = 1 << 10;
  using holder = await hold(`map:array:4:4096:4:pf_written:${mmapable}`);
  const id = holder.objects[0]?.id ?? 0;
  const writers = (): unknown => {
    const one = counters.readOne('map', id)?.writecnt;
    assert.equal(counters.readAll('map').get(id)?.writecnt, one);
    return one;
  };
  assert.equal(writers(), 0n);
  await holder.tell('mmap:0');
  assert.equal(writers(), 0n, 'it may only be read');
  await holder.tell('mmap-rw:0');
  await holder.tell('close:0');
  assert.equal(writers(), 1n);
  assert.equal(read('map', id), '1/1');
  await holder.release();
  await settle('map', id, 'gone');
});

test('a program counts its file, pin, prog_array slot and link', async () => {
  using bpffs = mountBpffs();
  using holder = await hold('prog:sk_lookup:pf_counted');
  const id = holder.objects[0]?.id ?? 0;
  assert.equal(read('program', id), '1');
  await holder.tell(`pin:0:${bpffs.path}/program`);
  assert.equal(read('program', id), '2');
  await holder.tell('map:prog_array:4:4:1:pf_jumps:0');
  await holder.tell('put:1:0:0');
  assert.equal(read('program', id), '3');
  const link = await holder.tell('link:netns:0');
  assert.equal(read('program', id), '4');
  assert.equal(read('link', link.id), '1');
  await holder.tell(`pin:${link.index}:${bpffs.path}/link`);
  assert.equal(read('link', link.id), '2');
  await holder.release();
  await settle('link', link.id, '1');
  await settle('program', id, '2');
});

test('what we hold ourselves counts like anybody else’s, and reading counts for nothing', async () => {
  using holder = await hold('map:array:4:8:1:pf_ours:0');
  const id = holder.objects[0]?.id ?? 0;
  await untilPasses(() => {
    {
      using held = kernel.objects.holdById('map', id);
      assert.equal(read('map', held.id), '2/2');
    }
    assert.equal(read('map', id), '1/1');
    assert.equal(read('map', id), '1/1');
  });
  assert.deepEqual(kernel.fds.transient(), []);
});

test('one pass shows every object in ascending order and none of our own', async () => {
  using holder = await hold(...Array.from({ length: 4_000 }, () => 'map:hash:4:8:1:pf_many:1'));
  const all = counters.readAll('map');
  const ids = [...all.keys()];
  assert.deepEqual(
    ids,
    [...ids].sort((one, other) => one - other),
  );
  assert.ok(holder.objects.every(({ id }) => all.has(id)));
  await untilPasses(() => {
    const counted = counters.readAll('map');
    assert.ok(holder.objects.every(({ id }) => counted.get(id)?.usercnt === 1n));
  });
  for (const kind of ['map', 'program', 'link'] as const) {
    const own = [...counters.readAll(kind).keys()].filter((id) => kernel.objects.isOwn(kind, id));
    assert.deepEqual(own, []);
  }
});

test('while maps come and go the passes stay whole, and what stays is in each', async () => {
  using stable = await hold(...Array.from({ length: 200 }, () => 'map:hash:4:8:1:pf_stable:1'));
  using moving = await hold();
  for (let round = 0; round < 50; round++) {
    const made = await moving.tell('map:hash:4:8:1:pf_moving:1');
    const all = counters.readAll('map');
    assert.ok([made, ...stable.objects].every(({ id }) => all.has(id)));
    await untilPasses(() => {
      const counted = counters.readAll('map');
      assert.ok([made, ...stable.objects].every(({ id }) => show(counted.get(id)) === '1/1'));
    });
    await moving.tell(`close:${made.index}`);
  }
});

test('an object that is gone has no counters, whichever way they are asked for', async () => {
  using holder = await hold('map:hash:4:8:1:pf_going:0', 'prog:xdp:pf_going');
  const [map = 0, program = 0] = holder.objects.map(({ id }) => id);
  await holder.release();
  await settle('map', map, 'gone');
  await settle('program', program, 'gone');
  assert.equal(counters.readOne('link', 0x7ffffff0), undefined);
  assert.equal(counters.readOne('map', 0), undefined);
});

test('the iterators hold one map and ten links of their own, and let go of them when disposed', () => {
  const calls = new Calls(new FdTable());
  const before = bpfFds().size;
  {
    using extra = new IteratorCounters(calls, readKernelBtf('/sys/kernel/btf/vmlinux'));
    assert.equal(extra.unavailable('map'), undefined);
    assert.equal(bpfFds().size - before, 11);
    assert.deepEqual(
      calls.fds.list().map((fd) => fd.lifetime),
      // Eleven on objects, and the two of the seat, which are on none.
      Array(13).fill('kernel'),
    );
    assert.deepEqual(calls.fds.transient(), []);
  }
  assert.equal(bpfFds().size, before);
});

test('without the kernel’s BTF there are no counters, and the reason is said', () => {
  const calls = new Calls(new FdTable());
  using blind = new IteratorCounters(calls, readKernelBtf('/proc/no-such-file'));
  assert.match(blind.unavailable('map') ?? '', /cannot be read \(ENOENT\)/);
  assert.throws(
    () => blind.readAll('map'),
    (error) => isPinfoldError(error, 'not_supported'),
  );
  assert.throws(
    () => blind.readOne('link', 1),
    (error) => isPinfoldError(error, 'not_supported'),
  );
  assert.deepEqual(calls.fds.list(), []);
});
