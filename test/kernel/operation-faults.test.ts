import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import test from 'node:test';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { SystemCallError } from '../../src/kernel/sys/errno.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { compileC } from '../support/c-program.ts';
import { hold } from '../support/hold.ts';
import { asking, type Bench, failsWith, openBench, path, stagedIn } from './changes-fixture.ts';

/** Lets the nth call into the kernel fail; undefined lets all pass. */
interface Saboteur {
  arm(nth: number | undefined, errno: string): void;
  /** The call that the last fault happened to; undefined where it has not. */
  struck(): string | undefined;
}

const parts = ['calls', 'objects', 'counters', 'bpffs'] as const;

/** Wraps every method of the kernel that may be called in an operation, down to the single system calls. */
function sabotage(kernel: Kernel): Saboteur {
  let left: number | undefined;
  let errno = 'EIO';
  let struck: string | undefined;
  for (const part of parts) {
    const target = kernel[part] as unknown as Record<string, unknown>;
    for (const name of methodsOf(target)) {
      const method = target[name] as (...args: unknown[]) => unknown;
      target[name] = (...args: unknown[]): unknown => {
        if (left !== undefined && --left === 0) {
          struck = `${part}.${name}`;
          throw new SystemCallError(struck, errno);
        }
        return method.apply(target, args);
      };
    }
  }
  return {
    arm: (nth, as) => {
      left = nth;
      errno = as;
      if (nth !== undefined) struck = undefined;
    },
    struck: () => struck,
  };
}

function methodsOf(target: object): readonly string[] {
  const own = [target, Object.getPrototypeOf(target) as object].flatMap((level) =>
    Object.getOwnPropertyNames(level),
  );
  const isMethod = (name: string): boolean => typeof (target as Record<string, unknown>)[name] === 'function';
  return [...new Set(own)].filter((name) => name !== 'constructor' && isMethod(name));
}

const listing = compileC('listing');

/** Names, permissions and objects, as a C program sees them. */
function picture(bench: Bench): string {
  const lines = execFileSync(listing, [bench.bpffs.path], { encoding: 'utf8' });
  return lines.split('\n').sort().join('\n');
}

const changes: readonly { readonly name: string; readonly act: (bench: Bench, fresh: number) => unknown }[] =
  [
    {
      name: 'pin',
      act: ({ changes: all }, id) =>
        all.pin(
          path('a/b/new'),
          undefined,
          { source: { kind: 'map', id }, parents: true, mode: '0644', uid: 7, gid: 8 },
          asking(),
        ),
    },
    {
      name: 'replace',
      act: ({ changes: all }, id) =>
        all.pin(path('d/old'), undefined, { source: { kind: 'map', id }, replace: true }, asking()),
    },
    { name: 'unpin', act: ({ changes: all }) => all.unpin(path('d/old'), undefined, asking()) },
    {
      name: 'rename',
      act: ({ changes: all }) =>
        all.patch(path('d/old'), undefined, { path: 'x/y', parents: true, mode: '0640', gid: 9 }, asking()),
    },
    {
      name: 'rename over',
      act: ({ changes: all }) =>
        all.patch(path('d/old'), undefined, { path: 'd/other', replace: true }, asking()),
    },
    {
      name: 'attributes',
      act: ({ changes: all }) => all.patch(path('d/old'), undefined, { mode: '0640', uid: 5 }, asking()),
    },
    {
      name: 'mkdir',
      act: ({ changes: all }) =>
        all.makeDirectory(path('m/n'), undefined, { parents: true, mode: '0700', uid: 3 }, asking()),
    },
    { name: 'rmdir', act: ({ changes: all }) => all.removeDirectory(path('empty'), undefined, asking()) },
    {
      name: 'batch',
      act: ({ changes: all }, id) =>
        all.batch(
          [
            { op: 'mkdir', path: 'e' },
            { op: 'pin', path: 'e/new', source: { kind: 'map', id } },
            { op: 'pin', path: 'd/other', source: { kind: 'map', id }, replace: true },
            { op: 'unpin', path: 'd/old' },
          ],
          undefined,
          asking(),
        ),
    },
  ];

for (const { name, act } of changes) {
  test(`${name}: whichever call fails, all is done or nothing is, and the answer says which`, async () => {
    for (const errno of ['EIO', 'ENOMEM']) {
      let next: number | undefined = 1;
      let calls = 0;
      while (next !== undefined) {
        using kernel = openKernel();
        const saboteur = sabotage(kernel);
        // A kernel whose seat could not be left does without it from then on (src/kernel/iter/seat.ts).
        do ({ next, calls } = await failEach(act, { kernel, saboteur, errno, first: next }));
        while (next !== undefined && saboteur.struck() !== 'calls.dup3');
      }
      assert.ok(calls > 10, `the change was made with ${calls} calls`);
    }
  });
}

/**
 * Fails one call after another until the change passes. Answers how many calls it took, and where to go on
 * where it passed in spite of a fault.
 */
async function failEach(
  act: (bench: Bench, fresh: number) => unknown,
  fault: {
    readonly kernel: Kernel;
    readonly saboteur: Saboteur;
    readonly errno: string;
    readonly first: number;
  },
): Promise<{ readonly calls: number; readonly next: number | undefined }> {
  const { kernel, saboteur, errno, first } = fault;
  using bench = openBench({ kernel });
  const root = bench.bpffs.path;
  mkdirSync(`${root}/d`);
  mkdirSync(`${root}/empty`);
  mkdirSync(`${root}/pinfold-staging`, 0o700);
  using holder = await hold(
    'map:hash:4:8:16:pf_fresh:0',
    'map:hash:4:8:16:pf_old:0',
    `pin:1:${root}/d/old`,
    `pin:1:${root}/d/other`,
  );
  const fresh = holder.objects[0]?.id ?? 0;
  bench.environment.mounts.findMount(undefined);
  const before = picture(bench);
  for (let nth = first; ; nth++) {
    saboteur.arm(nth, errno);
    const error = attempt(() => act(bench, fresh));
    const struck = saboteur.struck() !== undefined;
    saboteur.arm(undefined, errno);
    const at = `call ${nth}, ${errno}: ${String(error)}`;
    assert.deepEqual(
      bench.kernel.fds.transient().map(({ what }) => what),
      [],
      at,
    );
    assert.deepEqual(stagedIn(bench), [], at);
    assert.deepEqual(bench.store.journal.listOpen(), [], at);
    if (error === undefined) {
      assert.notEqual(picture(bench), before, 'the change is done');
      return { calls: nth - 1, next: struck ? nth + 1 : undefined };
    }
    assert.ok(struck, at);
    assert.equal(isPinfoldError(error, 'outcome_unknown'), false, at);
    assert.equal(picture(bench), before, at);
  }
}

function attempt(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

test('nothing is reported as done in a bpffs that nobody sees any more', async (t) => {
  for (const [name, hide] of [
    ['lazily unmounted', (root: string) => execFileSync('umount', ['-l', root])],
    ['mounted over', (root: string) => execFileSync('mount', ['-t', 'tmpfs', 'pf-over', root])],
  ] as const) {
    await t.test(name, async () => {
      using bench = openBench();
      const root = bench.bpffs.path;
      using holder = await hold('map:hash:4:8:16:pf_hidden:0', `pin:0:${root}/there`);
      const source = { kind: 'map', id: holder.objects[0]?.id ?? 0 } as const;
      bench.onStep = (step) => void (step === 'pin.staged' && hide(root));
      assert.throws(
        () => bench.changes.pin(path('x'), undefined, { source }, asking()),
        failsWith('mount_unavailable'),
      );
      bench.onStep = () => undefined;
      assert.throws(
        () => bench.changes.pin(path('x'), undefined, { source }, asking()),
        failsWith('mount_unavailable'),
      );
      if (name === 'mounted over') {
        execFileSync('umount', [root]);
        assert.equal(picture(bench).includes(' x ='), false, 'what was done unseen has been taken back');
        assert.equal(bench.changes.pin(path('x'), undefined, { source }, asking()).created, true);
      }
    });
  }
});

test('a full state directory refuses a change before the kernel is touched', async () => {
  using bench = openBench();
  using holder = await hold('map:hash:4:8:16:pf_full:0');
  const source = { kind: 'map', id: holder.objects[0]?.id ?? 0 } as const;
  const { journal } = bench.store;
  const begin = journal.begin.bind(journal);
  const full = new Error('the database is full');
  Object.assign(journal, {
    begin: () => {
      throw full;
    },
  });
  assert.throws(() => bench.changes.pin(path('x'), undefined, { source }, asking()), full);
  Object.assign(journal, { begin });
  assert.deepEqual(bench.steps, ['pin.source_held']);
  assert.equal(bench.changes.pin(path('x'), undefined, { source }, asking()).created, true);
});

test('a change that cannot be recorded is told as unknown, and the next start settles it', async () => {
  using bench = openBench();
  using holder = await hold('map:hash:4:8:16:pf_unset:0');
  const source = { kind: 'map', id: holder.objects[0]?.id ?? 0 } as const;
  const { journal } = bench.store;
  const settle = journal.settle.bind(journal);
  Object.assign(journal, {
    settle: () => {
      throw new Error('the database is full');
    },
  });
  assert.throws(
    () => bench.changes.pin(path('x'), undefined, { source }, asking()),
    failsWith('outcome_unknown'),
  );
  Object.assign(journal, { settle });
  assert.equal(journal.listOpen().length, 1);
});
