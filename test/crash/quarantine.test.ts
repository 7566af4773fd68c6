import assert from 'node:assert/strict';
import test from 'node:test';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import type { StepName } from '../../src/model/step.ts';
import { environmentOf, openStateIn, stagedIn } from '../kernel/changes-fixture.ts';
import { quarantine, seen } from '../kernel/quarantine-fixture.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { type Holder, hold } from '../support/hold.ts';
import { bpfFds } from '../support/leaks.ts';
import { rounds } from '../support/rounds.ts';
import { databaseOf, sqlite3Rows } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { restart, runVictim, type Stage } from './support/scene.ts';
import type { KeptChange } from './support/victim.ts';

const times = rounds(1);

/** Deaths after which recovery has something to do. */
const touched: readonly StepName[] = ['quarantine.moved_aside', 'discard.unlinked'];

type Doing = 'quarantine' | 'restore' | 'discard' | 'discard if unwanted';

/** Each step of each change; a pin that somebody holds is discarded only because a person says so. */
const deaths: readonly {
  readonly doing: Doing;
  readonly isHeld: boolean;
  readonly steps: readonly StepName[];
}[] = [
  {
    doing: 'quarantine',
    isHeld: false,
    steps: [
      'quarantine.checked',
      'quarantine.intent_committed',
      'quarantine.moved_aside',
      'quarantine.checked_again',
      'quarantine.settled',
    ],
  },
  {
    doing: 'restore',
    isHeld: false,
    steps: ['restore.checked', 'restore.intent_committed', 'restore.named', 'restore.settled'],
  },
  ...([false, true] as const).map((isHeld) => ({
    doing: isHeld ? ('discard' as const) : ('discard if unwanted' as const),
    isHeld,
    steps: [
      'discard.checked',
      'discard.intent_committed',
      'discard.checked_again',
      'discard.unlinked',
      'discard.counted',
      'discard.settled',
    ] as const,
  })),
];

for (const { doing, isHeld, steps } of deaths) {
  for (const step of steps) {
    test(`killed at ${step} (${doing}${isHeld ? ' of what is held' : ''}), it comes back exact`, async () => {
      for (let round = 0; round < times; round++) await dieOnce({ doing, isHeld, step });
    });
  }
}

/** The map that this is about: pinned as `lone`, in quarantine already unless it is to go there. */
async function prepare(
  scene: Stage,
  doing: Doing,
  isHeld: boolean,
): Promise<{ id: number; holder: Holder | undefined }> {
  const path = `${scene.bpffs.path}/lone`;
  const { id } = createMap(path);
  if (doing !== 'quarantine') {
    using kernel = openKernel();
    const store = openStateIn(scene.stateDir, kernel);
    const environment = environmentOf({ kernel, store, bpffs: scene.bpffs, onStep: () => undefined });
    quarantine(environment, seen(environment, 'lone'));
    store.close();
  }
  return { id, holder: isHeld ? await hold(`id:map:${id}`) : undefined };
}

async function dieOnce(death: { doing: Doing; isHeld: boolean; step: StepName }): Promise<void> {
  const { doing, isHeld, step } = death;
  using bpffs = mountBpffs();
  using state = tempDir('state');
  const scene: Stage = { bpffs, stateDir: state.path };
  const { id, holder } = await prepare(scene, doing, isHeld);
  using _ = holder;
  const change: KeptChange = { do: doing, path: 'lone' };
  assert.ok(runVictim(scene, { dieAt: step, nth: 1, changes: [change] }), `${step} was reached`);
  // What recovery does to the kernel, it may die after as well.
  if (touched.includes(step)) runVictim(scene, { dieAt: 'recovery.kernel_changed', nth: 1 });
  assert.deepEqual(restart(scene).waiting, []);
  const isApplied = outcomeOf(scene, doing) === 'applied';
  const isInQuarantine = doing === 'quarantine' ? isApplied : !isApplied;
  const rows = sqlite3Rows(databaseOf(scene.stateDir), 'SELECT id, slot FROM quarantine');
  assert.deepEqual(
    rows.map(({ slot }) => slot),
    stagedIn(scene),
    'what is recorded is what is there',
  );
  assert.equal(rows.length, isInQuarantine ? 1 : 0, `${doing}, applied: ${isApplied}`);
  if (doing === 'restore' ? isApplied : doing === 'quarantine' && !isApplied) {
    assert.equal(pinnedMap(`${scene.bpffs.path}/lone`).id, id);
  }
  const isGone = doing.startsWith('discard') && isApplied;
  if (isGone && !isHeld) await until('the map is freed', () => !isAlive('map', id));
  else assert.equal(isAlive('map', id), true);
  assertTold(scene, doing, isApplied);
  assert.deepEqual([...bpfFds().values()], [], 'no object is held');
  assert.deepEqual(restart(scene).settled, [], 'a second start finds nothing to do');
}

/** How the change that was killed ended; `none` where it had not begun. */
function outcomeOf(scene: Stage, doing: Doing): string {
  const [kind] = doing.split(' ');
  const rows = sqlite3Rows(
    databaseOf(scene.stateDir),
    `SELECT outcome FROM operation WHERE kind = '${kind}'`,
  );
  const outcome = String(rows.at(-1)?.['outcome'] ?? 'none');
  assert.match(outcome, /^(applied|not_applied|none)$/);
  return outcome;
}

/** History tells of what happened, once, and of nothing that did not. */
function assertTold(scene: Stage, doing: Doing, isApplied: boolean): void {
  const types = { quarantine: 'quarantined', restore: 'restored', discard: 'discarded' } as const;
  const type = `pin.${types[doing === 'discard if unwanted' ? 'discard' : doing]}`;
  const rows = sqlite3Rows(databaseOf(scene.stateDir), `SELECT seq FROM event WHERE type = '${type}'`);
  assert.equal(rows.length, isApplied ? 1 : 0, `${type}, applied: ${isApplied}`);
}
