import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { tryDelete, tryUpdate } from '../../src/kernel/edit/elements.ts';
import type { WrittenKeys } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { mountBpffs } from '../support/bpffs.ts';
import {
  createMap,
  listLinks,
  listMaps,
  listPrograms,
  lookupEntry,
  removeEntry,
  updateEntry,
} from '../support/bpftool.ts';
import { compileC } from '../support/c-program.ts';
import { forFile } from '../support/disposal.ts';
import { bpfFds } from '../support/leaks.ts';
import { untilPasses } from '../support/until.ts';

const kernel = forFile(openKernel());
const bpffs = forFile(mountBpffs());
const value = Buffer.alloc(4);
const patience = { timeoutMs: 10_000, everyMs: 20 };
let made = 0;

/** A pinned hash of so many bytes a key. */
function hashOf(keySize = 4): { readonly path: string; readonly id: number } {
  const path = `${bpffs.path}/m${++made}`;
  return { path, id: createMap(path, { type: 'hash', key: keySize, value: 4, entries: 64 }).id };
}

function keyOf(number: number, size = 4): Buffer {
  const key = Buffer.alloc(size, 0xa5);
  key.writeUInt32LE(number);
  return key;
}

/** Listens to maps, one descriptor of ours left out. */
function listen(ids: readonly number[], { keySize = 4, exceptFd = -1 } = {}): WrittenKeys {
  const written = kernel.openWrittenKeys({ ids, keySize, exceptFd });
  assert.ok(written);
  return written;
}

test('of each key the last write is noted, and the map that it was in; of no other map any', () => {
  const [one, two, other] = [hashOf(), hashOf(), hashOf()];
  for (const { path } of [one, two, other]) updateEntry(path, keyOf(9), value);
  using written = listen([one.id, two.id]);
  assert.equal(written.lastWrite(keyOf(9)), undefined);
  updateEntry(one.path, keyOf(1), value);
  assert.deepEqual(written.lastWrite(keyOf(1)), { mapId: one.id, isRemoval: false });
  updateEntry(two.path, keyOf(1), value);
  assert.deepEqual(written.lastWrite(keyOf(1)), { mapId: two.id, isRemoval: false });
  removeEntry(one.path, keyOf(1));
  assert.deepEqual(written.lastWrite(keyOf(1)), { mapId: one.id, isRemoval: true });
  execFileSync(compileC('take-entry'), [two.path, '9']);
  assert.deepEqual(written.lastWrite(keyOf(9)), { mapId: two.id, isRemoval: true });
  updateEntry(other.path, keyOf(5), value);
  removeEntry(other.path, keyOf(9));
  assert.ok(lookupEntry(one.path, keyOf(9)));
  assert.equal(written.lastWrite(keyOf(5)), undefined);
  assert.deepEqual(written.lastWrite(keyOf(9)), { mapId: two.id, isRemoval: true });
});

test('a removal that finds nothing is noted too', () => {
  const map = hashOf();
  using written = listen([map.id]);
  assert.equal(removeEntry(map.path, keyOf(3)), false);
  assert.deepEqual(written.lastWrite(keyOf(3)), { mapId: map.id, isRemoval: true });
});

test('of our own writes only those through one descriptor are left out', () => {
  const map = hashOf();
  using pass = kernel.objects.holdById('map', map.id);
  using edit = kernel.objects.holdById('map', map.id);
  using written = listen([map.id], { exceptFd: pass.fd.number });
  assert.equal(tryUpdate(pass.fd, { key: keyOf(1), value }, 'any'), undefined);
  assert.equal(tryUpdate(edit.fd, { key: keyOf(2), value }, 'any'), undefined);
  assert.equal(tryDelete(edit.fd, keyOf(2)), undefined);
  assert.equal(written.lastWrite(keyOf(1)), undefined);
  assert.deepEqual(written.lastWrite(keyOf(2)), { mapId: map.id, isRemoval: true });
});

test('keys of every size that there is room for are told apart by all of their bytes', () => {
  for (const keySize of [1, 2, 4, 7, 8, 16, 63, 64, 255, 472, 480]) {
    const path = `${bpffs.path}/k${keySize}`;
    const { id } = createMap(path, { type: 'hash', key: keySize, value: 4, entries: 4 });
    using written = listen([id], { keySize });
    const key = Buffer.from(Array.from({ length: keySize }, (_, index) => (index * 7) % 251));
    updateEntry(path, key, value);
    assert.deepEqual(written.lastWrite(key), { mapId: id, isRemoval: false }, String(keySize));
    key[keySize - 1] = 252;
    assert.equal(written.lastWrite(key), undefined, String(keySize));
  }
  assert.equal(kernel.openWrittenKeys({ ids: [1], keySize: 481, exceptFd: -1 }), undefined);
});

test('what listens is shown to nobody, and gone when it is over', async () => {
  const named = () => {
    const isOurs = ({ name }: { readonly name?: string }) => name === 'pinfold_written';
    return { map: listMaps().filter(isOurs), program: listPrograms().filter(isOurs) };
  };
  const isGone = () => untilPasses(() => assert.deepEqual(named(), { map: [], program: [] }), patience);
  await isGone();
  const links = listLinks().length;
  const map = hashOf();
  const fds = bpfFds();
  {
    using _written = listen([map.id]);
    assert.equal(listLinks().length, links + 1);
    const { map: maps, program: programs } = named();
    assert.deepEqual([maps.length, programs.length], [1, 1]);
    assert.ok(maps.every(({ id }) => kernel.objects.isOwn('map', id)));
    assert.ok(programs.every(({ id }) => kernel.objects.isOwn('program', id)));
    for (let id = kernel.objects.nextId('link', 0); id !== undefined; id = kernel.objects.nextId('link', id))
      assert.ok(!JSON.stringify(kernel.objects.describe('link', id)).includes('sys_enter'));
  }
  assert.deepEqual(bpfFds(), fds);
  await isGone();
  assert.equal(listLinks().length, links);
});
