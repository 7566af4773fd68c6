import assert from 'node:assert/strict';
import test from 'node:test';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap, listPrograms, updateEntry } from '../support/bpftool.ts';

const word = (value: number, bytes: number): Buffer => {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUInt32LE(value);
  return buffer;
};

test('hash maps of every sort have as many entries as were put in, and no map is opened for that', () => {
  using bpffs = mountBpffs();
  using kernel = openKernel();
  const noPrealloc = 1;
  const recipes = [
    { type: 'hash', flags: 0, put: 5 },
    { type: 'hash', flags: noPrealloc, put: 6 },
    { type: 'lru_hash', flags: 0, put: 7 },
    { type: 'percpu_hash', flags: 0, put: 3 },
    { type: 'hash', flags: 0, put: 0 },
  ];
  const made = recipes.map(({ type, flags, put }, index) => {
    const path = `${bpffs.path}/m${index}`;
    const { id } = createMap(path, { type, flags, name: 'pf_count', entries: 64 });
    for (let key = 0; key < put; key++) updateEntry(path, word(key, 4), word(1, 8));
    return { id, put };
  });
  assert.equal(kernel.entryCounts.unavailable, undefined);
  const counts = kernel.entryCounts.readAll();
  assert.deepEqual(
    made.map(({ id }) => counts.get(id)),
    made.map(({ put }) => put),
  );
  assert.deepEqual(kernel.fds.transient(), []);
});

test('what counts entries is left out of lists, as everything that is here only to look', () => {
  const before = new Set(listPrograms().map(({ id }) => id));
  using kernel = openKernel();
  const made = listPrograms().filter(({ id, name }) => !before.has(id) && name === 'pinfold_entries');
  const listed = kernel.counters.readAll('program');
  const own = made.filter(({ id }) => kernel.objects.isOwn('program', id) && !listed.has(id));
  assert.equal(own.length, 1);
});
