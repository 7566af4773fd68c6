import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, renameSync, rmdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import test from 'node:test';
import { ObjectInventory } from '../../src/agent/inventory/objects.ts';
import {
  type ObjectDepth,
  type ObjectFindings,
  ObjectSurvey,
} from '../../src/agent/observer/object-survey.ts';
import { Pace } from '../../src/agent/observer/pace.ts';
import type { Kernel, Watcher } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { AT_FDCWD, rename } from '../../src/kernel/sys/calls.ts';
import { PinfoldError } from '../../src/model/error.ts';
import { type Bpffs, mountBpffs, takeNumbers, unmountAll } from '../support/bpffs.ts';
import { createMap } from '../support/bpftool.ts';
import { disposable } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { nameChanger } from '../support/name-changes.ts';
import { everyPin, mountId, realClock, startAgent } from '../support/observed.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';

/**
 * The real kernel, but with another watcher: inotify that says nothing, or too much, cannot be provoked at
 * will.
 */
function withWatcher(make: (onWake: (watch: number | 'overflow') => void) => Watcher): Kernel {
  const kernel = openKernel();
  return { ...kernel, openWatcher: make, [Symbol.dispose]: () => kernel[Symbol.dispose]() };
}

const soon = { quickMs: 200, fullMs: 500, wakeMs: 20 };
const rarely = { quickMs: 600_000, fullMs: 600_000, wakeMs: 20 };
const patience = { timeoutMs: 60_000, everyMs: 50 };
const byNumber = (one: number, other: number): number => one - other;

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

test('a look at the objects that must end leaves the rest to the next ones, and says so', async () => {
  using kernel = openKernel();
  const inventory = new ObjectInventory();
  const survey = new ObjectSurvey(kernel, inventory);
  const look = async (depth: ObjectDepth): Promise<ObjectFindings> => {
    const findings = await survey.look(depth, new Map(), new Pace(realClock));
    for (const { kind, id } of findings.gone) inventory.remove(kind, id);
    for (const object of findings.appeared) inventory.set({ ...object, firstSeen: '' });
    return findings;
  };
  const first = await look({ all: true, describeKnown: true });
  assert.ok(first.isComplete);
  using maker = await hold(...Array<string>(200).fill('map:hash:4:8:1:pf_many:0'));
  const ids = maker.objects.map(({ id }) => id);
  const areThere = (): boolean => ids.every((id) => inventory.find('map', id) !== undefined);
  const told: number[] = [];
  const lookBriefly = async (): Promise<boolean> => {
    let left = 50;
    const { appeared, isComplete } = await look({
      all: false,
      describeKnown: false,
      isOver: () => left-- <= 0,
    });
    assert.ok(appeared.length <= 50);
    told.push(...appeared.flatMap(({ kind, id }) => (kind === 'map' && ids.includes(id) ? id : [])));
    if (isComplete) assert.ok(areThere(), 'what is left is not passed over');
    return isComplete;
  };
  assert.equal(await lookBriefly(), false);
  // Others make objects, too.
  await until('a look that leaves nothing', lookBriefly, (isComplete) => isComplete, patience);
  assert.deepEqual(told.toSorted(byNumber), ids.toSorted(byNumber));
});

test('names that never rest do not keep a pass from its end', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  createMap(`${bpffs.path}/map0`);
  createMap(`${bpffs.path}/resting`);
  const real = openKernel();
  let readings = 0;
  const readDirectory: Kernel['bpffs']['readDirectory'] = (directory) => {
    const entries = real.bpffs.readDirectory(directory);
    if (entries.some(({ name }) => name === `map${readings}`)) {
      renameSync(`${bpffs.path}/map${readings}`, `${bpffs.path}/map${readings + 1}`);
      readings++;
      // A directory so large that reading it takes a while.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
    }
    return entries;
  };
  const kernel: Kernel = {
    ...real,
    bpffs: { ...real.bpffs, readDirectory },
    [Symbol.dispose]: () => real[Symbol.dispose](),
  };
  await using observed = await startAgent(bpffs.path, dir.path, { kernel, rhythm: rarely });
  assert.ok(readings >= 1 && readings <= 3, `the directory was read ${readings} times`);
  assert.equal(observed.agent.notReady(), undefined);
});

test('each change of a name moves the change time of its directories, by which they are passed over', () => {
  using kernel = openKernel();
  using bpffs = mountBpffs();
  const at = (name: string) => ({ directory: AT_FDCWD, name }) as const;
  const one = `${bpffs.path}/one`;
  const two = `${bpffs.path}/two`;
  for (const directory of [one, two]) mkdirSync(directory);
  createMap(`${one}/map`);
  createMap(`${one}/other`);
  const ctimes = () => [one, two].map((path) => statSync(path, { bigint: true }).ctimeNs);
  const moved = (change: () => void): readonly boolean[] => {
    const before = ctimes();
    // The kernel's clock for stamps ticks every 10 ms at most.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    change();
    return ctimes().map((ctime, index) => ctime !== before[index]);
  };
  const only = [true, false];
  const both = [true, true];
  const changes: readonly (readonly [string, readonly boolean[], () => void])[] = [
    ['a pin', only, () => createMap(`${one}/new`)],
    ['a directory', only, () => mkdirSync(`${one}/directory`)],
    ['a symbolic link', only, () => symlinkSync('map', `${one}/symlink`)],
    ['a hard link', only, () => linkSync(`${one}/map`, `${one}/link`)],
    ['a rename', only, () => renameSync(`${one}/map`, `${one}/renamed`)],
    ['a rename over a pin', only, () => renameSync(`${one}/renamed`, `${one}/other`)],
    ['a move', both, () => renameSync(`${one}/other`, `${two}/there`)],
    ['a directory moved', both, () => renameSync(`${one}/directory`, `${two}/moved`)],
    [
      'an exchange',
      both,
      () => kernel.calls.renameat2(at(`${one}/new`), at(`${two}/there`), rename.EXCHANGE),
    ],
    ['an unlink', only, () => rmSync(`${one}/new`)],
    ['an unlink of a symbolic link', only, () => rmSync(`${one}/symlink`)],
    ['an rmdir', [false, true], () => rmdirSync(`${two}/moved`)],
  ];
  for (const [name, expected, change] of changes) assert.deepEqual(moved(change), expected, name);
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
  await using observed = await startAgent(bpffs.path, dir.path, { kernel, rhythm: rarely });
  await changer.tell('chmod 20 a 644');
  await changer.tell('make 5 b');
  overflow();
  const modes = () => everyPin(observed.agent).map(({ mode }) => mode);
  await untilPasses(() => assert.deepEqual(modes(), [...Array(20).fill('0644'), ...Array(5).fill('0600')]), {
    ...patience,
    timeoutMs: 60_000,
  });
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

/** Quick passes only. */
const quickly = { quickMs: 100, fullMs: 600_000, wakeMs: 20 };

test('another bpffs with the number of one that is gone is read as a whole, without any wake', async () => {
  const taken = takeNumbers();
  using bpffs = mountBpffs();
  taken[Symbol.dispose]();
  using dir = tempDir('state');
  const others: Bpffs[] = [];
  using _ = disposable(() => {
    for (const other of others) other[Symbol.dispose]();
  });
  mkdirSync(`${bpffs.path}/dir`);
  createMap(`${bpffs.path}/dir/map`, { name: 'pf_old' });
  const kernel = withWatcher(() => ({
    add: () => 1,
    remove: () => undefined,
    look: () => undefined,
    [Symbol.dispose]: () => undefined,
  }));
  await using observed = await startAgent(bpffs.path, dir.path, { kernel, rhythm: quickly });
  const names = () => everyPin(observed.agent).map(({ name }) => name);
  assert.deepEqual(names(), ['pf_old']);

  // Nothing is awaited here: no pass comes in between. Others that mount meanwhile get lower numbers.
  unmountAll(bpffs.path);
  let next = mountBpffs();
  for (; next.dev !== bpffs.dev && others.length < 100; next = mountBpffs()) others.push(next);
  others.push(next);
  assert.equal(next.dev, bpffs.dev, 'the number is given out again');
  mkdirSync(`${next.path}/dir`);
  createMap(`${next.path}/dir/map`, { name: 'pf_new' });
  execFileSync('mount', ['--bind', next.path, bpffs.path]);
  await untilPasses(() => assert.deepEqual(names(), ['pf_new']), patience);
});

test('what woke while an instance could not be opened is read when it can be', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  const real = openKernel();
  let isClosed = false;
  let refusals = 0;
  const openRoot: Kernel['bpffs']['openRoot'] = (mount) => {
    if (!isClosed || mount.id !== mountId(bpffs.dev)) return real.bpffs.openRoot(mount);
    refusals++;
    throw new PinfoldError('mount_unavailable', { detail: 'It is out of reach for a moment.' });
  };
  const kernel: Kernel = {
    ...real,
    bpffs: { ...real.bpffs, openRoot },
    [Symbol.dispose]: () => real[Symbol.dispose](),
  };
  await using observed = await startAgent(bpffs.path, dir.path, { kernel, rhythm: quickly });
  isClosed = true;
  createMap(`${bpffs.path}/map`);
  await untilPasses(() => assert.ok(refusals > 0), patience);
  isClosed = false;
  await untilPasses(() => assert.equal(everyPin(observed.agent).length, 1), patience);
});
