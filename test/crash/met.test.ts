import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { StepName } from '../../src/model/step.ts';
import { databaseOf, sqlite3Rows } from '../support/store.ts';
import { restart, runVictim, type Scene, setScene } from './support/scene.ts';
import type { Change } from './support/victim.ts';

/** Carries a change out whole, or as far as the step that kills it. */
function change(scene: Scene, dieAt: StepName | undefined, one: Change): void {
  const wasKilled = runVictim(scene, { dieAt: dieAt ?? 'recovery.finished', nth: 1, changes: [one] });
  assert.equal(wasKilled, dieAt !== undefined, `${one.do} was killed at ${dieAt}`);
}

/** Types, paths and actors of all events, by sqlite3; a rename tells where from. */
function told(scene: Scene): readonly string[] {
  const sql = `SELECT type, CAST(path AS TEXT) AS path, CAST(path_left AS TEXT) AS path_left, actor
    FROM event WHERE type LIKE 'pin.%' ORDER BY seq`;
  return sqlite3Rows(databaseOf(scene.stateDir), sql).map(({ type, path, path_left: left, actor }) => {
    const who = actor === 'kernel' ? 'others' : 'we';
    return `${who}: ${type} ${left === null ? '' : `${left} -> `}${path}`;
  });
}

const pinOfFresh = (scene: Scene, path: string): Change => ({
  do: 'pin',
  path,
  request: { source: { kind: 'map', id: scene.fresh }, replace: true },
});

test('a pin that nobody had told of, and that a killed change displaced, is told before it', async () => {
  for (const step of ['replace.exchanged', 'replace.displaced_unlinked'] as const) {
    using scene = await setScene();
    change(scene, step, pinOfFresh(scene, 'other'));
    restart(scene);
    assert.deepEqual(told(scene), ['others: pin.created other', 'we: pin.replaced other']);
  }
});

test('a pin that others took away before a killed change took its name is told to be gone', async () => {
  using scene = await setScene();
  change(scene, undefined, pinOfFresh(scene, 'x'));
  rmSync(join(scene.bpffs.path, 'x'));
  change(scene, 'pin.named', pinOfFresh(scene, 'x'));
  restart(scene);
  const [first, gone, again] = ['we: pin.created x', 'others: pin.removed x', 'we: pin.created x'];
  assert.deepEqual(told(scene), [first, gone, again]);
});

test('a pin that others renamed before a killed change removed it is told to have been renamed', async () => {
  using scene = await setScene();
  change(scene, undefined, pinOfFresh(scene, 'x'));
  execFileSync('mv', ['x', 'y'], { cwd: scene.bpffs.path });
  change(scene, 'unpin.unlinked', { do: 'unpin', path: 'y' });
  restart(scene);
  assert.deepEqual(told(scene), ['we: pin.created x', 'others: pin.renamed x -> y', 'we: pin.removed y']);
});

test('a pin that others put in the place of one that was told of is told to have replaced it', async () => {
  using scene = await setScene();
  change(scene, undefined, pinOfFresh(scene, 'x'));
  rmSync(join(scene.bpffs.path, 'x'));
  execFileSync('bpftool', ['map', 'pin', 'id', `${scene.old}`, join(scene.bpffs.path, 'x')]);
  change(scene, 'replace.exchanged', pinOfFresh(scene, 'x'));
  restart(scene);
  const [first, theirs, ours] = ['we: pin.created x', 'others: pin.replaced x', 'we: pin.replaced x'];
  assert.deepEqual(told(scene), [first, theirs, ours]);
});
