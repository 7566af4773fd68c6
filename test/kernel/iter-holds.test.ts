import assert from 'node:assert/strict';
import test from 'node:test';
import { readKernelBtf } from '../../src/kernel/btf/kernel-btf.ts';
import { readMapHolds, readProgramHolds } from '../../src/kernel/holder/object-holds.ts';
import { HoldLists } from '../../src/kernel/iter/hold-lists.ts';
import { OwnObjects } from '../../src/kernel/iter/own.ts';
import { typeName } from '../../src/kernel/object/names.ts';
import { BpfObjects } from '../../src/kernel/object/objects.ts';
import { Calls } from '../../src/kernel/sys/calls.ts';
import { FdTable } from '../../src/kernel/sys/fd.ts';
import { type BpftoolMap, type BpftoolProgram, bpftool } from '../support/bpftool.ts';
import { forFile } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { makeObjects } from '../support/make-objects.ts';

const calls = new Calls(new FdTable());
const own = new OwnObjects();
const lists = forFile(new HoldLists(calls, readKernelBtf('/sys/kernel/btf/vmlinux'), own));
const blind = forFile(new HoldLists(calls, readKernelBtf('/proc/no-such-file'), own));
const objects = new BpfObjects(
  calls,
  { epochMs: 0 },
  {
    isOwn: (kind, id) => own.has(kind, id),
    unused: { find: () => undefined },
  },
);

test('types, flags and sizes of every type of map are those bpftool shows', async () => {
  using zoo = await makeObjects();
  const shown = new Map(bpftool<readonly BpftoolMap[]>('map', 'show').map((map) => [map.id, map]));
  const read = new Map(lists.readMaps().map((map) => [map.id, map]));
  const made = zoo.made.filter(({ kind }) => kind === 'map');
  assert.ok(made.length >= 30);
  for (const { id, type } of made) {
    const map = read.get(id);
    const oracle = shown.get(id);
    assert.ok(map && oracle, type);
    assert.deepEqual([map.flags, map.maxEntries], [oracle.flags, oracle.max_entries], type);
    // Debian's bpftool shows a number for types that are newer.
    assert.ok([typeName('map', map.type), map.type].includes(oracle.type), type);
  }
});

test('types and maps of every type of program are those bpftool shows', async () => {
  using zoo = await makeObjects();
  const shown = new Map(bpftool<readonly BpftoolProgram[]>('prog', 'show').map((each) => [each.id, each]));
  const read = new Map(lists.readPrograms().map((each) => [each.id, each]));
  const made = zoo.made.filter(({ kind }) => kind === 'program');
  assert.ok(made.length >= 25);
  for (const { id, type } of made) {
    const program = read.get(id);
    const oracle = shown.get(id);
    assert.ok(program && oracle, type);
    assert.ok([typeName('program', program.type), program.type].includes(oracle.type), type);
    assert.deepEqual(program.mapIds, oracle.map_ids ?? []);
    assert.equal(program.btfId, oracle.btf_id ?? 0);
  }
});

test('maps are listed as far as a record has room, and the rest is counted', async () => {
  const maps = Array.from({ length: 66 }, () => 'map:array:4:8:1:pf_used:0');
  using holder = await hold(...maps, 'prog:xdp:pf_user:0');
  const program = holder.objects[66]?.id ?? 0;
  const find = () => lists.readPrograms().find(({ id }) => id === program);
  const ids = holder.objects.slice(0, 66).map(({ id }) => id);
  for (let index = 1; index < 64; index++) await holder.tell(`bind:66:${index}`);
  assert.deepEqual([find()?.mapIds, find()?.unlistedMaps], [ids.slice(0, 64), 0]);
  await holder.tell('bind:66:64');
  await holder.tell('bind:66:65');
  assert.deepEqual([find()?.mapIds, find()?.unlistedMaps], [ids.slice(0, 64), 2]);
  const whole = readProgramHolds({ lists, objects, calls }).find(({ id }) => id === program);
  assert.deepEqual(whole?.mapIds, ids);
});

test('where there are no iterators objects are opened one by one, and tell the same', async () => {
  using zoo = await makeObjects();
  const ids = new Set(zoo.made.map(({ kind, id }) => `${kind} ${id}`));
  const ofMaps = (from: HoldLists) =>
    readMapHolds({ lists: from, objects, calls }).filter(({ id }) => ids.has(`map ${id}`));
  const ofPrograms = (from: HoldLists) =>
    readProgramHolds({ lists: from, objects, calls }).filter(({ id }) => ids.has(`program ${id}`));
  assert.ok(ofMaps(lists).length >= 30);
  assert.deepEqual(
    ofMaps(blind),
    ofMaps(lists).map((map) => ({ ...map, userCount: undefined })),
  );
  assert.deepEqual(ofPrograms(blind), ofPrograms(lists));
  assert.deepEqual(calls.fds.transient(), []);
});

test('our own maps and programs are not in the lists', () => {
  assert.deepEqual(
    lists.readMaps().filter(({ id }) => own.has('map', id)),
    [],
  );
  assert.deepEqual(
    lists.readPrograms().filter(({ id }) => own.has('program', id)),
    [],
  );
  assert.deepEqual(calls.fds.transient(), []);
});

test('without the kernel’s types there are no lists, and the reason is said', () => {
  assert.match(blind.unavailable ?? '', /cannot be read .ENOENT./);
  assert.throws(() => blind.readMaps(), RangeError);
});
