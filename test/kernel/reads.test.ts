import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import test, { after, before } from 'node:test';
import type { ObjectQuery, PinQuery } from '../../src/agent/agent.ts';
import { parsePath } from '../../src/model/path.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { pinById, pinnedMap } from '../support/bpftool.ts';
import { forFile } from '../support/disposal.ts';
import { bpfFds } from '../support/leaks.ts';
import { makeObjects } from '../support/make-objects.ts';
import { nameChanger } from '../support/name-changes.ts';
import { everyPin, mountId, startAgent } from '../support/observed.ts';
import { tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';

const bpffs = forFile(mountBpffs());
const dir = forFile(tempDir('state'));
const mount = mountId(bpffs.dev);
let observed: Awaited<ReturnType<typeof startAgent>>;

before(async () => {
  for (const name of ['a', 'ab', 'a/sub', 'zoo']) mkdirSync(`${bpffs.path}/${name}`, { recursive: true });
  using changer = await nameChanger(bpffs.path);
  for (const name of ['a/m', 'a!m', 'ab/m', 'a/sub/m', 'm']) await changer.tell(`make 20 ${name}`);
  const zoo = forFile(await makeObjects(`${bpffs.path}/zoo`));
  assert.ok(zoo.made.length > 40);
  observed = await startAgent(bpffs.path, dir.path);
});

after(async () => {
  await observed.stop();
});

/** What find(1) sees below a directory, in byte order. */
function found(below: string, ...tests: string[]): string[] {
  const out = execFileSync('find', [`${bpffs.path}${below}`, ...tests, '-printf', '%P\\0'], {
    encoding: 'latin1',
  });
  const prefix = below === '' ? '' : `${below.slice(1)}/`;
  return out
    .split('\0')
    .filter((path) => path !== '' && !path.endsWith('.debug'))
    .map((path) => `${prefix}${path}`)
    .sort();
}

/** Every pin that matches, by pages of a size. */
function pages(query: Omit<PinQuery, 'mount'>, limit: number): { paths: string[]; total: number } {
  const paths: string[] = [];
  let after: string | undefined;
  for (;;) {
    const { items, next, total } = observed.agent.reads.pins(
      { mount: undefined, ...query },
      { after, limit },
    ).value;
    paths.push(...items.map(({ path }) => path));
    if (next === undefined) return { paths, total };
    assert.equal(items.length, limit);
    after = next;
  }
}

test('pages of any size together are what find sees, in byte order, with the whole count on each', () => {
  const all = found('', '-type', 'f');
  for (const limit of [1, 7, 50, 5000]) assert.deepEqual(pages({}, limit), { paths: all, total: all.length });
});

test('a prefix is whole components, and may be a pin', () => {
  const below = found('/a', '-type', 'f');
  assert.equal(below.length, 40);
  assert.deepEqual(pages({ prefix: parsePath('a') }, 7), { paths: below, total: 40 });
  assert.deepEqual(pages({ prefix: parsePath('a/m1') }, 7), { paths: ['a/m1'], total: 1 });
  assert.deepEqual(pages({ prefix: parsePath('nothing') }, 7), { paths: [], total: 0 });
});

test('filters find what bpftool says is there', () => {
  const map = pinnedMap(`${bpffs.path}/m3`);
  assert.deepEqual(pages({ id: map.id, kind: 'map' }, 10).paths, ['m3']);
  assert.deepEqual(pages({ name: 'pf_n7' }, 2).paths, ['a!m7', 'a/m7', 'a/sub/m7', 'ab/m7', 'm7']);
  assert.deepEqual(pages({ type: 'xdp', kind: 'program' }, 10).paths, ['zoo/prog_xdp']);
  assert.deepEqual(pages({ kind: 'link' }, 100).paths, found('/zoo', '-name', 'link_*'));
  assert.deepEqual(pages({ owner: 'nobody' }, 10).paths, []);
  assert.equal(pages({ owner: '' }, 1000).total, found('', '-type', 'f').length);
  assert.deepEqual(pages({ labels: { toString: 'x' } }, 10).paths, []);
});

test('the tree shows directories and pins down to a depth', () => {
  const tree = (query: { prefix?: ReturnType<typeof parsePath>; depth?: number }) =>
    observed.agent.reads
      .tree({ mount: undefined, ...query }, { after: undefined, limit: 5000 })
      .value.items.map(({ path }) => path);
  assert.deepEqual(tree({}), found('', '-mindepth', '1'));
  assert.deepEqual(tree({ depth: 1 }), found('', '-mindepth', '1', '-maxdepth', '1'));
  assert.deepEqual(
    tree({ prefix: parsePath('a'), depth: 1 }),
    found('/a', '-mindepth', '1', '-maxdepth', '1'),
  );
  assert.deepEqual(tree({ prefix: parsePath('m1') }), ['m1']);
});

test('objects come by kind and id with their pins and counters, in pages', async () => {
  const list = (query: ObjectQuery, limit: number) => {
    const items = [];
    let after: string | undefined;
    do {
      const { value } = observed.agent.reads.objects(query, { after, limit });
      items.push(...value.items);
      after = value.next;
    } while (after !== undefined);
    return items;
  };
  const ours = list({ kind: 'map', pinned: true }, 9).filter(({ pins }) =>
    pins.some((pin) => pin.mount === mount),
  );
  const ids = [
    ...new Set(everyPin(observed.agent).flatMap(({ kind, id }) => (kind === 'map' ? [id ?? 0] : []))),
  ];
  assert.deepEqual(
    ours.map(({ id }) => id),
    ids.sort((one, other) => one - other),
  );
  const { id: m3 } = pinnedMap(`${bpffs.path}/m3`);
  await untilPasses(() => {
    const one = list({ kind: 'map', pinned: true }, 9).find(({ id }) => id === m3);
    assert.deepEqual(one?.pins, [{ mount, path: 'm3' }]);
    const { refcnt, usercnt, pins } = one.references;
    assert.deepEqual([refcnt, usercnt, pins], [1, 1, 1]);
  });
  const btf = list({ kind: 'btf' }, 100);
  assert.ok(btf.every(({ references }) => references.unavailable?.includes('no iterator')));
  const own = [...bpfFds().keys()].flatMap(
    (fd) => /^map_id:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? [],
  );
  assert.ok(own.length > 0, 'the iterators of this process stand on a map');
  const shown = new Set(list({ kind: 'map' }, 1000).map(({ id }) => String(id)));
  assert.ok(!own.some((id) => shown.has(id)), 'our own objects are not shown');
});

test('cursors nobody made are refused', () => {
  const bad = { code: 'bad_cursor' };
  for (const after of [
    '',
    'x',
    'p',
    'p***',
    'p!',
    `p${Buffer.from('a/../b').toString('base64url')}`,
    'o',
    'oAAAA',
    // What is meant is clear, and yet it is not what was given.
    spareBits(`p${Buffer.from('m').toString('base64url')}`),
    spareBits(`o${Buffer.from('map:1').toString('base64url')}`),
    `o${Buffer.from('map:007').toString('base64url')}`,
    `p${Buffer.from('m').toString('base64')}`,
  ]) {
    assert.throws(() => observed.agent.reads.pins({ mount: undefined }, { after, limit: 1 }), bad, after);
    assert.throws(() => observed.agent.reads.tree({ mount: undefined }, { after, limit: 1 }), bad, after);
    assert.throws(() => observed.agent.reads.objects({}, { after, limit: 1 }), bad, after);
  }
});

/** The same base64 with another of the bits that stand for nothing. */
function spareBits(text: string): string {
  const other = String.fromCharCode(text.charCodeAt(text.length - 1) + 1);
  const changed = text.slice(0, -1) + other;
  const bytes = [text, changed].map((each) => Buffer.from(each.slice(1), 'base64url').toString('hex'));
  assert.equal(bytes[0], bytes[1]);
  return changed;
}

test('one pin and one object are read from the kernel, not from memory', async () => {
  const path = `${bpffs.path}/m5`;
  const before = observed.agent.reads.pin(parsePath('m5'), undefined).value;
  chmodSync(path, 0o640);
  assert.equal(observed.agent.reads.pin(parsePath('m5'), undefined).value.mode, '0640', 'at once');
  assert.notEqual(observed.agent.reads.pin(parsePath('m5'), undefined).value.etag, before.etag);
  const id = before.id ?? 0;
  pinById('map', id, `${bpffs.path}/m5_too`);
  const { usercnt = 0 } = observed.agent.reads.object('map', id).value.references;
  assert.ok(usercnt >= 2, 'counted now, with whoever looks at it just now');
  await untilPasses(() =>
    assert.equal(observed.agent.reads.object('map', id).value.references.usercnt, 2, 'and nothing more'),
  );
  execFileSync('bpftool', ['map', 'freeze', 'id', String(id)]);
  const live = observed.agent.reads.object('map', id).value;
  assert.equal(live.kind === 'map' && live.frozen, true);
  await untilPasses(() => assert.equal(observed.agent.reads.object('map', id).value.references.pins, 2));
  assert.throws(() => observed.agent.reads.pin(parsePath('a'), undefined), { code: 'is_a_directory' });
  assert.throws(() => observed.agent.reads.pin(parsePath('none'), undefined), { code: 'pin_not_found' });
});

test('refreshes asked for together are one pass, and each sees what was there before it', async () => {
  const passes = () =>
    observed.agent.statistics.observation().passes.find(({ pass }) => pass === 'full')?.count ?? 0;
  const started = passes();
  using changer = await nameChanger(bpffs.path);
  await changer.tell('make 1 fresh');
  await Promise.all(Array.from({ length: 20 }, () => observed.agent.reads.refresh()));
  assert.ok(everyPin(observed.agent).some(({ path }) => path === 'fresh0'));
  assert.ok(passes() - started <= 3, 'the one under way, the one asked for, and one by the clock');
});

test('the node and the numbers for metrics agree with the lists', () => {
  const { statistics, reads } = observed.agent;
  const pins = everyPin(observed.agent);
  const counts = statistics.pinCounts().filter((line) => line.mount === mount);
  for (const kind of ['map', 'program', 'link']) {
    assert.equal(
      counts.find((line) => line.kind === kind)?.count,
      pins.filter((pin) => pin.kind === kind).length,
    );
  }
  const maps = statistics
    .objectCounts()
    .filter(({ kind }) => kind === 'map')
    .reduce((sum, { count }) => sum + count, 0);
  assert.equal(maps, reads.node().objects['map']);
  assert.ok(
    statistics
      .referenceCounts()
      .some(({ kind, holder, count }) => kind === 'map' && holder === 'pin' && count > 100),
  );
  assert.ok(statistics.observation().ageSeconds < 10);
  assert.equal(reads.node().pins >= pins.length, true);
});
