import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { mountBpffs } from './bpffs.ts';
import {
  createMap,
  isAlive,
  listLinks,
  listMaps,
  listPrograms,
  lookupEntry,
  pinnedMap,
  updateEntry,
} from './bpftool.ts';
import { hold } from './hold.ts';
import { bpfFds, leftBehind, machineState, processesMarked } from './leaks.ts';
import { makeObjects } from './make-objects.ts';
import { openNamespaces } from './mount-ns.ts';
import { start } from './process.ts';
import { random } from './seed.ts';
import { until } from './until.ts';

test('a private bpffs is a superblock of its own, and nothing of it is left when disposed', async () => {
  let path = '';
  let id = 0;
  {
    using one = mountBpffs();
    using other = mountBpffs('mode=0700');
    assert.notEqual(one.dev, other.dev);
    path = one.path;
    id = createMap(`${one.path}/m`, { name: 'pf_private' }).id;
    assert.ok(isAlive('map', id));
    assert.equal(existsSync(`${other.path}/m`), false);
  }
  assert.equal(existsSync(path), false);
  assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(path), false);
  await until(
    'the map is freed',
    () => isAlive('map', id),
    (alive) => !alive,
  );
});

test('entries written by bpftool are read back byte for byte', () => {
  using bpffs = mountBpffs();
  const path = `${bpffs.path}/m`;
  createMap(path, { key: 2, value: 3 });
  updateEntry(path, Uint8Array.of(0, 255), Uint8Array.of(1, 2, 254));
  assert.deepEqual(lookupEntry(path, Uint8Array.of(0, 255)), Uint8Array.of(1, 2, 254));
  assert.equal(lookupEntry(path, Uint8Array.of(1, 1)), undefined);
});

test('a holder keeps an object alive until it is told to let go', async () => {
  using bpffs = mountBpffs();
  using holder = await hold('map:array:4:8:1:pf_held:0', `pin:0:${bpffs.path}/m`);
  const id = holder.objects[0]?.id ?? 0;
  assert.equal(pinnedMap(`${bpffs.path}/m`).id, id);
  assert.equal([...bpfFds(holder.pid).values()].join(), 'anon_inode:bpf-map');
  assert.equal(await holder.refusal(`pin:0:${bpffs.path}/m`), 'EEXIST');
  execFileSync('rm', [`${bpffs.path}/m`]);
  assert.ok(isAlive('map', id));
  await holder.release();
  await until(
    'the map is freed',
    () => isAlive('map', id),
    (alive) => !alive,
  );
});

test('the zoo has at least 25 map types, 12 program types and 6 link types, and bpftool agrees', async () => {
  using bpffs = mountBpffs();
  using zoo = await makeObjects(bpffs.path);
  const ids = (kind: string): number[] =>
    zoo.made.filter((made) => made.kind === kind).map((made) => made.id);
  const all = { map: listMaps(), program: listPrograms(), link: listLinks() };
  for (const [kind, listed, least] of [
    ['map', all.map, 25],
    ['program', all.program, 12],
    ['link', all.link, 6],
  ] as const) {
    const known = ids(kind).filter((id) => listed.some((object) => object.id === id));
    assert.ok(
      known.length >= least,
      `${known.length} of kind ${kind}; refused: ${JSON.stringify(zoo.refused)}`,
    );
  }
  await zoo.release();
  assert.equal(pinnedMap(`${bpffs.path}/map_hash`).type, 'hash');
});

test('a namespace has a bpffs of its own at /sys/fs/bpf, reached from outside through /proc', async () => {
  using inside = await openNamespaces({ net: true });
  inside.run(
    'bpftool',
    'map',
    'create',
    '/sys/fs/bpf/m',
    'type',
    'array',
    'key',
    '4',
    'value',
    '8',
    'entries',
    '1',
    'name',
    'pf_inside',
  );
  assert.equal(pinnedMap(`${inside.bpffs}/m`).name, 'pf_inside');
  assert.match(inside.run('ip', '-brief', 'link'), /^lo +(UNKNOWN|UP)[^\n]*\n$/);
  assert.equal(existsSync('/sys/fs/bpf/m'), false);
});

test('a child is killed when disposed, and its marked descendants are found', async () => {
  const marker = `PINFOLD_TEST_MARK=${process.pid}`;
  let pid = 0;
  {
    using child = start('cat', [], { env: { PINFOLD_TEST_MARK: String(process.pid) } });
    child.write('hello');
    assert.equal(await child.line(/hel+o/), 'hello');
    pid = child.pid;
    assert.deepEqual(
      processesMarked(marker).map((found) => found.pid),
      [pid],
    );
  }
  await until(
    'the child is gone',
    () => processesMarked(marker),
    (found) => found.length === 0,
  );
});

test('what a child has started ends with it, even where it ended first', async () => {
  const marker = `PINFOLD_TEST_MARK=${process.pid}-group`;
  {
    using child = start('sh', ['-c', 'sleep 600 & echo started'], {
      env: { PINFOLD_TEST_MARK: `${process.pid}-group` },
    });
    await child.line(/started/);
    await until(
      'the shell is gone',
      () => processesMarked(marker),
      (found) => found.length === 1,
    );
  }
  await until(
    'its sleep is gone, too',
    () => processesMarked(marker),
    (found) => found.length === 0,
  );
});

test('a process that ends without the awaited line says so with what it wrote', async () => {
  using child = start('sh', ['-c', 'echo one; echo broken >&2; exit 3']);
  await assert.rejects(child.line(/two/), /ended before .*broken/s);
  assert.deepEqual(await child.exit(), { code: 3, signal: null });
});

test('waiting in vain tells the last value seen', async () => {
  await assert.rejects(
    until(
      'rain',
      () => 'sun',
      (sky) => sky === 'rain',
      { timeoutMs: 30 },
    ),
    /30 ms for rain; last seen: 'sun'/,
  );
});

test('one seed gives one sequence', () => {
  const draw = (seed: number): number[] => Array.from({ length: 8 }, random(seed).next);
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
});

test('a mount, a pinned map and an object left behind are named', () => {
  const before = machineState();
  using bpffs = mountBpffs();
  const map = createMap(`${bpffs.path}/m`, { name: 'pf_left' });
  const left = leftBehind(before, machineState());
  assert.ok(left.includes(`bpffs mounted at ${bpffs.path}`), left.join());
  assert.ok(left.includes(`map ${map.id} pf_left`), left.join());
});

test('a tail-call table left behind is named while a process has it open', async () => {
  const before = machineState();
  using holder = await hold('map:prog_array:4:4:4:pf_left:0');
  const id = holder.objects[0]?.id;
  assert.ok(leftBehind(before, machineState()).includes(`map ${id} pf_left`));
});
