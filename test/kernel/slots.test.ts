import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { kernelBtfPath, readKernelBtf } from '../../src/kernel/btf/kernel-btf.ts';
import { Collection } from '../../src/kernel/holder/collection.ts';
import { addSlots } from '../../src/kernel/holder/slots.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import type { ObjectHoldFact, ObjectKey } from '../../src/model/holder/facts.ts';
import { limits } from '../../src/model/limits.ts';
import { bpftool } from '../support/bpftool.ts';
import { compileBpf } from '../support/c-program.ts';
import { disposable, forFile } from '../support/disposal.ts';
import { type Holder, hold } from '../support/hold.ts';

const kernel = forFile(openKernel());

/** What one object holds in its slots. */
function slotsOf(holder: ObjectKey): readonly ObjectHoldFact[] {
  const { holds } = kernel.holders.read({});
  assert.deepEqual(kernel.fds.transient(), []);
  return holds.filter((each) => each.hold === 'slot' && isSame(each.holder, holder));
}

function isSame(one: ObjectKey, other: ObjectKey): boolean {
  return one.kind === other.kind && one.id === other.id;
}

function idOf(holder: Holder, index: number): number {
  return holder.objects[index]?.id ?? 0;
}

test('slots of a prog_array are told by number, and empty ones not at all', async () => {
  using holder = await hold('map:prog_array:4:4:8:pf_jumps:0', 'prog:xdp:pf_target', 'prog:xdp:pf_other');
  await holder.tell('put:0:3:1');
  await holder.tell('put:0:5:2');
  await holder.tell('put:0:6:1');
  const holds = slotsOf({ kind: 'map', id: idOf(holder, 0) });
  assert.deepEqual(
    holds.map(({ key, held }) => [key, held]),
    [
      ['3', { kind: 'program', id: idOf(holder, 1) }],
      ['5', { kind: 'program', id: idOf(holder, 2) }],
      ['6', { kind: 'program', id: idOf(holder, 1) }],
    ],
  );
});

test('slots of maps of maps are told, whatever their keys', async () => {
  using holder = await hold(
    'map:hash:4:4:4:pf_inner:0',
    'map:array_of_maps:4:4:4:pf_outer:0:0',
    'map:hash_of_maps:4:4:4:pf_outer:0:0',
  );
  await holder.tell('put:1:2:0');
  await holder.tell('put:2:77:0');
  const held = { kind: 'map', id: idOf(holder, 0) } as const;
  for (const [index, key] of [
    [1, '2'],
    [2, '77'],
  ] as const) {
    const outer = { kind: 'map', id: idOf(holder, index) } as const;
    assert.deepEqual(slotsOf(outer), [{ holder: outer, held, hold: 'slot', key }]);
    const [entry] = bpftool<readonly { readonly value: readonly string[] }[]>(
      'map',
      'dump',
      'id',
      String(outer.id),
    );
    assert.equal(Buffer.from((entry?.value ?? []).map(Number)).readUInt32LE(0), held.id);
  }
});

test('programs in entries of device and CPU maps are told', async () => {
  using holder = await hold(
    'map:devmap:4:8:4:pf_devices:0',
    'map:devmap_hash:4:8:4:pf_devices:0',
    'map:cpumap:4:8:2:pf_cpus:0',
    'prog-at:xdp:33:pf_device',
    'prog-at:xdp:35:pf_cpu',
  );
  await holder.tell('put-pair:0:1:1:3');
  await holder.tell('put-pair:1:9:1:3');
  await holder.tell('put-pair:2:1:64:4');
  const found = [0, 1, 2].map((index) => slotsOf({ kind: 'map', id: idOf(holder, index) }));
  assert.deepEqual(
    found.map((holds) => holds.map(({ key, held }) => [key, held.kind, held.id])),
    [
      [['1', 'program', idOf(holder, 3)]],
      [['9', 'program', idOf(holder, 3)]],
      [['1', 'program', idOf(holder, 4)]],
    ],
  );
});

test('functions of a struct_ops map are told by name, and that it is registered', () => {
  execFileSync('bpftool', ['struct_ops', 'register', compileBpf('struct-ops-held')], { stdio: 'pipe' });
  using _registered = disposable(
    () => void execFileSync('bpftool', ['struct_ops', 'unregister', 'name', 'pf_held'], { stdio: 'pipe' }),
  );
  const [shown] = bpftool<readonly { readonly id: number }[]>('struct_ops', 'show', 'name', 'pf_held');
  const map = { kind: 'map', id: shown?.id ?? 0 } as const;
  const names = new Map(
    bpftool<readonly { readonly id: number; readonly name?: string }[]>('prog', 'show').map(
      ({ id, name }) => [id, name],
    ),
  );
  assert.deepEqual(
    slotsOf(map).map(({ key, held }) => [key, names.get(held.id)]),
    [
      ['ssthresh', 'pf_ssthresh'],
      ['cong_avoid', 'pf_avoid'],
      ['undo_cwnd', 'pf_undo'],
    ],
  );
  const { attachments } = kernel.holders.read({ focus: map });
  assert.deepEqual(attachments, [{ kind: 'struct_ops', object: map, attachType: 'tcp_congestion_ops' }]);
});

test('a question about what a slot holds finds the map, and all that holds the map', async () => {
  using holder = await hold(
    'map:prog_array:4:4:8:pf_above:0',
    'prog:xdp:pf_target',
    'prog:xdp:pf_caller:0',
    'map:hash:4:4:4:pf_bystander:0',
  );
  await holder.tell('put:0:0:1');
  const [array, target, caller, bystander] = holder.objects.map(({ id }) => id);
  const facts = kernel.holders.read({ focus: { kind: 'program', id: target ?? 0 } });
  const pairs = facts.holds.map(
    (each) => `${each.holder.kind} ${each.holder.id} ${each.hold} ${each.held.id}`,
  );
  assert.ok(pairs.includes(`map ${array} slot ${target}`));
  assert.ok(pairs.includes(`program ${caller} uses ${array}`));
  assert.ok(facts.files.some(({ object }) => isSame(object, { kind: 'map', id: array ?? 0 })));
  assert.ok(!facts.files.some(({ object }) => isSame(object, { kind: 'map', id: bystander ?? 0 })));
});

test('a map with more slots than one reading may look at is read in part, and said to be', async () => {
  using holder = await hold(
    `map:prog_array:4:4:${limits.holderSlotLooksMax + 1}:pf_wide:0`,
    'prog:xdp:pf_first',
  );
  await holder.tell('put:0:0:1');
  const { holds, unavailable } = kernel.holders.read({});
  const id = idOf(holder, 0);
  assert.ok(holds.some(({ hold: how, holder: { id: by } }) => how === 'slot' && by === id));
  const lack = unavailable.find(({ what }) => what === `slots of map ${id}`);
  assert.match(lack?.reason ?? '', /no more than 16384 slots that hold something, of 32768, are read/);
});

test('empty slots take no room from those that hold something', async () => {
  using holder = await hold('map:prog_array:4:4:8:pf_sparse:0', 'prog:xdp:pf_first');
  for (const slot of [0, 4, 7]) await holder.tell(`put:0:${slot}:1`);
  const map = { id: idOf(holder, 0), type: 3 };
  const kernelBtf = readKernelBtf(kernelBtfPath);
  const read = (filled: number, looks: number) => {
    const into = new Collection(() => true);
    addSlots({ calls: kernel.calls, kernelBtf }, map, { into, budget: { filled, looks } });
    return [into.holds.map(({ key }) => key), into.unavailable.length];
  };
  assert.deepEqual(read(3, 8), [['0', '4', '7'], 0]);
  assert.deepEqual(read(2, 8), [['0', '4'], 1]);
  assert.deepEqual(read(3, 7), [['0', '4'], 1]);
  assert.deepEqual(read(2, 7), [['0', '4'], 1]);
});
