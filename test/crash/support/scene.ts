import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { type RecoveryReport, recover } from '../../../src/agent/recovery/recover.ts';
import { openKernel } from '../../../src/kernel/open-kernel.ts';
import { environmentOf, openStateIn, stagedIn } from '../../kernel/changes-fixture.ts';
import { type Bpffs, mountBpffs } from '../../support/bpffs.ts';
import { bpftool } from '../../support/bpftool.ts';
import { type Holder, hold } from '../../support/hold.ts';
import { bpfFds } from '../../support/leaks.ts';
import { databaseOf, sqlite3Rows } from '../../support/store.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { victimFile } from './program.ts';
import { uncounted } from './uncounted.ts';
import type { Change, Orders } from './victim.ts';

/** Where an agent works: all that a restart finds again. */
export interface Stage {
  readonly bpffs: Bpffs;
  readonly stateDir: string;
}

/** A bpffs, a state directory, and two processes that hold maps: `source` may die, `keeper` stays. */
export interface Scene extends Stage, Disposable {
  readonly source: Holder;
  readonly keeper: Holder;
  /** The map that is to be pinned, held by `source`. */
  readonly fresh: number;
  /** The map that is pinned as `old` and `spare`, held by `keeper`. */
  readonly old: number;
}

/**
 * Sets a scene: `old` and `spare` are pins of one map, `other` of another; all three maps have a living
 * holder.
 */
export async function setScene(): Promise<Scene> {
  const bpffs = mountBpffs();
  const state = tempDir('state');
  const source = await hold('map:hash:4:8:16:pf_fresh:0');
  const keeper = await hold(
    'map:hash:4:8:16:pf_old:0',
    'map:hash:4:8:16:pf_other:0',
    `pin:0:${bpffs.path}/old`,
    `pin:0:${bpffs.path}/spare`,
    `pin:1:${bpffs.path}/other`,
  );
  return {
    bpffs,
    stateDir: state.path,
    source,
    keeper,
    fresh: source.objects[0]?.id ?? 0,
    old: keeper.objects[0]?.id ?? 0,
    [Symbol.dispose]: () => {
      source[Symbol.dispose]();
      keeper[Symbol.dispose]();
      bpffs[Symbol.dispose]();
      state[Symbol.dispose]();
    },
  };
}

const victim = victimFile('victim');

/** Runs the victim; tells whether it was killed at its step. Any end but that and success is a failure. */
export function runVictim(scene: Stage, orders: Omit<Orders, 'bpffs' | 'stateDir'>): boolean {
  const whole: Orders = { ...orders, bpffs: scene.bpffs.path, stateDir: scene.stateDir };
  const run = spawnSync(process.execPath, [...process.execArgv, victim, JSON.stringify(whole)], {
    encoding: 'utf8',
    env: { ...process.env, ...uncounted },
  });
  if (run.signal === 'SIGKILL') return true;
  const isExpected =
    run.status === 0 || (orders.failAt !== undefined && run.stderr.includes('a defect at this step'));
  assert.ok(isExpected, `the victim ended with ${run.status}: ${run.stderr}`);
  return false;
}

/** What a restarted agent does first, in this process; nothing may stay open after it. */
export function restart(scene: Stage): RecoveryReport {
  using kernel = openKernel();
  const store = openStateIn(scene.stateDir, kernel);
  try {
    const report = recover(environmentOf({ kernel, store, bpffs: scene.bpffs, onStep: () => undefined }));
    assert.deepEqual(kernel.fds.transient(), [], 'no descriptor is left open');
    return report;
  } finally {
    store.close();
  }
}

/** Every pin below the root as find(1) and bpftool see it: name → map id. */
export function pinsOf(scene: Scene): ReadonlyMap<string, number> {
  const names = execFileSync('find', ['.', '-type', 'f', '-not', '-name', '*.debug', '-printf', '%P\n'], {
    cwd: scene.bpffs.path,
    encoding: 'utf8',
  });
  const found = names
    .split('\n')
    .filter((name) => name !== '')
    .sort();
  return new Map(
    found.map((name) => {
      const map = bpftool<{ id: number }>('map', 'show', 'pinned', `${scene.bpffs.path}/${name}`);
      return [name, map.id];
    }),
  );
}

/** The only operation there was, as sqlite3 sees it. */
export function operationOf(
  scene: Scene,
): { readonly outcome: string; readonly detail: string | null } | undefined {
  const rows = sqlite3Rows(databaseOf(scene.stateDir), 'SELECT outcome, detail FROM operation');
  assert.ok(rows.length <= 1, 'there is one operation at most');
  const [row] = rows;
  return row === undefined
    ? undefined
    : { outcome: String(row['outcome']), detail: row['detail'] as string | null };
}

/** Nothing is open, staged, kept or recorded that is not there. */
export function assertTidy(scene: Scene): void {
  assert.deepEqual(stagedIn(scene), [], 'nothing is left in the staging directory');
  assert.deepEqual([...bpfFds().values()], [], 'no object is held');
  const rows = sqlite3Rows(
    databaseOf(scene.stateDir),
    'SELECT CAST(path AS TEXT) AS path, inode, object_id FROM pin WHERE gone_at IS NULL ORDER BY path',
  );
  const pins = pinsOf(scene);
  for (const row of rows) {
    const name = String(row['path']);
    assert.equal(pins.get(name), row['object_id'], `the record of ${name} speaks of what is there`);
    const inode = execFileSync('stat', ['-c', '%i', `${scene.bpffs.path}/${name}`], {
      encoding: 'utf8',
    }).trim();
    assert.equal(inode, String(row['inode']), `the record of ${name} has its inode`);
  }
}

/** A change and the names it leads to. */
export interface Scenario {
  readonly name: string;
  readonly change: (scene: Scene) => Change;
  /** Names and map ids when it is applied. */
  readonly after: (scene: Scene) => ReadonlyMap<string, number>;
}

/** Names and map ids before any change. */
export function initialPins(scene: Scene): ReadonlyMap<string, number> {
  const other = scene.keeper.objects[1]?.id ?? 0;
  return new Map([
    ['old', scene.old],
    ['other', other],
    ['spare', scene.old],
  ]);
}
