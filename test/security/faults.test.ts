import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs, { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import koffi from 'koffi';
import { type RawCall, raw } from '../../src/kernel/sys/prototypes.ts';
import { PinfoldError } from '../../src/model/error.ts';
import { asking, type Bench, openBench, path } from '../kernel/changes-fixture.ts';
import { pinnedMap } from '../support/bpftool.ts';
import { type Holder, hold } from '../support/hold.ts';
import { openFds } from '../support/leaks.ts';
import { rounds } from '../support/rounds.ts';

/** What kernels answer when they have no room, no memory, no time or no wish. */
const errnos = ['ENOSPC', 'EIO', 'EINTR', 'EMFILE', 'ENOMEM', 'EPERM'] as const;

/** Each call fails in another way in each pass; six passes try all. */
const passes = rounds(2);

/** node:fs calls that changes make on descriptors of their own. */
const fileCalls = ['fstatSync', 'chmodSync', 'readlinkSync', 'readFileSync'] as const;

interface Tap extends Disposable {
  /** Lets the nth call from now fail; answers what was called once it has. */
  arm(nth: number, errno: (typeof errnos)[number]): void;
  disarm(): string | undefined;
}

/** Stands between the agent and every system call it makes by koffi, and those on descriptors by node:fs. */
function tapCalls(): Tap {
  let left = 0;
  let errno: (typeof errnos)[number] = 'EIO';
  let struck: string | undefined;
  const strikes = (name: string): boolean => {
    if (left === 0 || --left > 0) return false;
    struck = name;
    return true;
  };
  const rawBefore: Readonly<Record<string, RawCall>> = { ...raw };
  for (const [name, call] of Object.entries(rawBefore)) {
    if (name === 'close') continue;
    const tapped = (...args: readonly (number | Uint8Array | null)[]): number => {
      if (!strikes(name)) return call(...args);
      koffi.errno(constants.errno[errno]);
      return -1;
    };
    Object.assign(raw, { [name]: tapped });
  }
  const fsBefore = Object.fromEntries(fileCalls.map((name) => [name, fs[name]]));
  for (const [name, call] of Object.entries<CallableFunction>(fsBefore)) {
    const tapped = (...args: unknown[]): unknown => {
      const isOwn = typeof args[0] === 'number' || /^\/proc\/self\/fd/.test(String(args[0]));
      if (!isOwn || !strikes(name)) return Reflect.apply(call as () => unknown, fs, args);
      throw Object.assign(new Error(errno), { code: errno, syscall: name.replace('Sync', '') });
    };
    Object.assign(fs, { [name]: tapped });
  }
  syncBuiltinESMExports();
  return {
    arm: (nth, as) => {
      [left, errno, struck] = [nth, as, undefined];
    },
    disarm: () => {
      left = 0;
      return struck;
    },
    [Symbol.dispose]: () => {
      Object.assign(raw, rawBefore);
      Object.assign(fs, fsBefore);
      syncBuiltinESMExports();
    },
  };
}

interface Scene {
  readonly bench: Bench;
  readonly first: number;
  readonly second: number;
}

/** The pins every change starts from, made by a process that keeps both maps. */
async function setUp({ bench }: Pick<Scene, 'bench'>, holder: Holder): Promise<void> {
  const root = bench.bpffs.path;
  for (const name of readdirSync(root)) {
    if (name !== 'pinfold-staging' && !name.endsWith('.debug'))
      rmSync(join(root, name), { recursive: true, force: true });
  }
  mkdirSync(join(root, 'd'));
  for (const [index, name] of [
    [0, 'one'],
    [0, 'two'],
    [1, 'three'],
  ] as const)
    await holder.tell(`pin:${index}:${root}/${name}`);
}

/** Names, types, modes, owners and maps, by find(1) and bpftool. */
function picture(root: string): string {
  const facts = [
    '-not',
    '-path',
    './pinfold-staging',
    '-not',
    '-name',
    '*.debug',
    '-printf',
    '%y %m %U:%G %P\n',
  ];
  const lines = execFileSync('find', ['.', '-mindepth', '1', ...facts], {
    cwd: root,
    encoding: 'utf8',
  }).split('\n');
  return lines
    .filter((line) => line !== '')
    .sort()
    .map((line) => {
      const name = line.split(' ').slice(3).join(' ');
      return line.startsWith('f') ? `${line} = ${pinnedMap(join(root, name)).id}` : line;
    })
    .join('\n');
}

const changes: Readonly<Record<string, (scene: Scene) => unknown>> = {
  pin: ({ bench, second }) =>
    bench.changes.pin(
      path('new/name'),
      undefined,
      { source: { kind: 'map', id: second }, parents: true, mode: '0644', uid: 3 },
      asking(),
    ),
  'pin from a descriptor': ({ bench, first }) =>
    bench.changes.pin(
      path('copy'),
      undefined,
      { source: { pin: 'one' }, mode: '0600', gid: first % 100 },
      asking(),
    ),
  replace: ({ bench, second }) =>
    bench.changes.pin(
      path('one'),
      undefined,
      { source: { kind: 'map', id: second }, replace: true },
      asking(),
    ),
  unpin: ({ bench }) => bench.changes.unpin(path('one'), undefined, asking()),
  'rename over': ({ bench }) =>
    bench.changes.patch(path('one'), undefined, { path: 'three', replace: true }, asking()),
  attributes: ({ bench }) => bench.changes.patch(path('one'), undefined, { mode: '0640', uid: 5 }, asking()),
  mkdir: ({ bench }) =>
    bench.changes.makeDirectory(path('m/n'), undefined, { parents: true, mode: '0711', uid: 3 }, asking()),
  rmdir: ({ bench }) => bench.changes.removeDirectory(path('d'), undefined, asking()),
  batch: ({ bench, second }) =>
    bench.changes.batch(
      [
        { op: 'pin', path: 'b', source: { kind: 'map', id: second } },
        { op: 'unpin', path: 'one' },
      ],
      undefined,
      asking(),
    ),
};

/** What was thrown; undefined where all went well. */
function failureOf(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Our descriptors on anything but files that SQLite or Node may open and close by themselves. */
function descriptors(): readonly string[] {
  return [...openFds().values()].filter((target) => /bpf|pidfd|pf-bpffs/.test(target)).sort();
}

for (const [name, change] of Object.entries(changes)) {
  test(`${name}: whichever system call fails, all is done or nothing is, and nothing is kept`, async () => {
    using bench = openBench();
    using holder = await hold('map:array:4:8:1:pf_one:0', 'map:array:4:8:1:pf_two:0');
    const [first = 0, second = 0] = holder.objects.map(({ id }) => id);
    const scene = { bench, first, second };
    bench.environment.mounts.findMount(undefined);
    await setUp(scene, holder);
    change(scene);
    const after = picture(bench.bpffs.path);
    await setUp(scene, holder);
    const before = picture(bench.bpffs.path);
    const open = descriptors();
    using tap = tapCalls();
    let calls = 0;
    for (let pass = 0; pass < passes; pass++) {
      for (let nth = 1; ; nth++) {
        const errno = errnos[(nth + pass * 3) % errnos.length] ?? 'EIO';
        tap.arm(nth, errno);
        const error = failureOf(() => change(scene));
        const struck = tap.disarm();
        const at = `${errno} of call ${nth}, ${struck}: ${String(error)}`;
        assert.deepEqual(
          bench.kernel.fds.transient().map(({ what }) => what),
          [],
          at,
        );
        assert.deepEqual(descriptors(), open, at);
        assert.deepEqual(bench.store.journal.listOpen(), [], at);
        assert.deepEqual(staged(bench), [], at);
        if (error instanceof PinfoldError) assert.notEqual(error.code, 'outcome_unknown', at);
        if (error !== undefined && nth % 3 === 0) assert.equal(picture(bench.bpffs.path), before, at);
        if (error === undefined) {
          assert.equal(picture(bench.bpffs.path), after, at);
          await setUp(scene, holder);
        }
        if (struck === undefined) break;
        calls = Math.max(calls, nth);
      }
    }
    assert.ok(calls >= 8, `${calls} calls`);
  });
}

function staged(bench: Bench): readonly string[] {
  const staging = join(bench.bpffs.path, 'pinfold-staging');
  return existsSync(staging) ? readdirSync(staging) : [];
}
